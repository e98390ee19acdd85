"""What the cells of a declared dataset mean: unknown, classes, numbers, conditions."""

import dataclasses
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping

from mdmt_tf.config.declaration import TRUTH, UNKNOWN, KeepSection
from mdmt_tf.datasets._shared.dates import is_date, is_time
from mdmt_tf.datasets._shared.table_rows import (
    BAD_VALUE,
    LeftOut,
    RowError,
    is_error,
    to_number,
    to_years,
)
from mdmt_tf.errors import brief, nearest

# Numbers are stored as float32: the largest one up to which all integers differ.
_EXACT = 2**24
# What people write, instead of a date, where something happened.
_HAPPENED = frozenset(
    (
        *("yes", "y", "x", "ja", "oui", "si", "s\xec", "s\xed", "sim", "+"),
        *(word for word, number in TRUTH.items() if number == "1"),
    )
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell, and where it is.

    Attributes:
        text: its text, "" if it is empty or there is none.
        column: name of its column.
        place: table and row, such as "data.csv:12".
        where: the same for messages about a row of another table, " in data.csv:12".
        decimal: the sign before the decimals of numbers in its table.
        is_there: whether a row has it; a table that is joined may have no such row.
        doubt: why a row that is not joined may have it, or "".
    """

    text: str
    column: str
    place: str
    where: str = ""
    decimal: str = "."
    is_there: bool = True
    doubt: str = ""

    @property
    def spellings(self) -> tuple[str, str]:
        """Its text, and that of an equal number; in one Unicode form."""
        return unicodedata.normalize("NFC", self.text), plain(self.text, self.decimal)

    def wrong(self, expected: str) -> RowError:
        return RowError(
            BAD_VALUE,
            f"{self.column} = {brief(self.text)}{self.where}, expected {expected}",
        )

    def check_missing(self) -> None:
        """Raise RowError if nobody knows whether a row has it.

        For what takes an unknown cell for something that has not happened.
        """
        if self.doubt:
            raise RowError(BAD_VALUE, f"{self.column} is in doubt: {self.doubt}")


def plain(text: str, decimal: str = ".") -> str:
    """The same text for equal numbers: 1.0 is 1 and 2.50 is 2.5; 01 stays 01.

    Text is in one Unicode form.

    Example:
        >>> plain("1.0"), plain("2,50", ","), plain("01"), plain("+3"), plain("-0.0")
        ('1', '2.5', '01', '3', '0')
    """
    sign = re.escape(decimal)
    match = re.fullmatch(rf"([-+]?)(0|[1-9]\d*)(?:{sign}(\d+))?", text)
    if not match:
        return unicodedata.normalize("NFC", text)
    whole, decimals = match[2], (match[3] or "").rstrip("0")
    number = f"{whole}.{decimals}" if decimals else whole
    return f"-{number}" if match[1] == "-" and number != "0" else number


def _spellings(text: str) -> tuple[str, str]:
    """The same of the text of a declaration, where numbers have points."""
    return Cell(text, "", "").spellings


class Marks:
    """The cells that mean unknown."""

    def __init__(self, marks: Iterable[str]):
        own = (text.casefold() for mark in marks for text in _spellings(mark))
        self._marks = {"", *own}
        self.text = ", ".join(repr(mark) for mark in marks if mark) or "an empty cell"

    def has(self, cell: Cell) -> bool:
        return any(text.casefold() in self._marks for text in cell.spellings)


# Cells that name no patient, image or site. Marks of the declaration such as 99 do not
# count here, because 99 may be a patient.
NO_NAME = Marks((*UNKNOWN, "-", "--", "unknown"))


class ClassLabel:
    """A label whose cells stand for classes; it is stored as the name of the class."""

    unknown = ""

    def __init__(self, class_of: Mapping[str, str], marks: Marks):
        self.marks, self._cells = marks, list(class_of)
        self._class_of = {
            spelling: name
            for text, name in class_of.items()
            for spelling in _spellings(text)
        }
        for text, name in class_of.items():
            if (number := TRUTH.get(text.casefold())) is not None:
                self._class_of.setdefault(number, name)

    def value(self, cell: Cell) -> str:
        """The class, "" if unknown.

        Raises: RowError for any other cell.
        """
        if self.marks.has(cell):
            return self.unknown
        key = next((text for text in cell.spellings if text in self._class_of), None)
        if key is None:
            raise cell.wrong(
                f"{', '.join(self._cells)}, or for unknown {self.marks.text}."
                f"{nearest(cell.text, self._cells)} Add it to `classes` or `unknown`."
            )
        return self._class_of[key]


class EventLabel:
    """A label whose column is filled only where something happened."""

    unknown = ""

    def __init__(self, names: tuple[str, str], marks: Marks, lists_all: bool = False):
        """
        Args:
            names: the classes of rows without the event, and with it.
            marks: cells of rows without it.
            lists_all: whether its table has rows without the event, too; what has no
                row there is unknown.
        """
        self.marks, self._names, self._lists_all = marks, names, lists_all
        self._happened = (_HAPPENED | {names[1].casefold()}) - {names[0].casefold()}

    def value(self, cell: Cell) -> str:
        """The first class for an unknown cell, the second for one that says when.

        Raises: RowError for any other cell, because text may say that nothing happened,
            in any language; and for one that may be in a row that is not joined.
        """
        if self.marks.has(cell):
            if self._lists_all and not cell.is_there:
                return self.unknown
            cell.check_missing()
            return self._names[0]
        if not self._is_event(cell):
            raise cell.wrong(f"{self.expected}. {self.remedy}")
        return self._names[1]

    @property
    def expected(self) -> str:
        """The cells that are read."""
        no, yes = self._names
        return (
            f"for {yes} a date, a time, a number other than 0, or yes, and for {no} "
            f"{self.marks.text}"
        )

    @property
    def remedy(self) -> str:
        """What to do about others."""
        no, yes = self._names
        return (
            f"Add what means {no} to `unknown`, and write yes for {yes}; or give "
            "`classes` instead of `event`."
        )

    def _is_event(self, cell: Cell) -> bool:
        text = unicodedata.normalize("NFC", cell.text)
        number = to_number(text, cell.decimal)
        if number is None:  # 3 days
            number = to_years(text, cell.decimal, ranges=False)
        is_known = is_date(text) or is_time(text) or text.casefold() in self._happened
        return bool(number) or is_known


class Number:
    """A label or a field that is a number; NaN if unknown."""

    unknown = math.nan

    def __init__(self, marks: Marks):
        self.marks = marks

    def value(self, cell: Cell) -> float:
        """The number.

        Raises: RowError for a cell that is neither a number nor unknown.
        """
        if self.marks.has(cell):
            return self.unknown
        number = to_number(cell.text, cell.decimal)
        if number is None:
            raise cell.wrong(f"a number, or for unknown {self.marks.text}")
        return number


class Words:
    """A field that is text; "" if unknown."""

    unknown = ""

    def __init__(self, marks: Marks):
        self.marks = marks

    def value(self, cell: Cell) -> str:
        """The text, in one Unicode form.

        Raises: RowError for the error of a formula.
        """
        if self.marks.has(cell):
            return self.unknown
        if is_error(cell.text):
            raise cell.wrong(f"text, or for unknown {self.marks.text}")
        return unicodedata.normalize("NFC", cell.text)


def listed(cell: Cell | str) -> set[str]:
    """Text as conditions compare it: in any case, true and false as 1 and 0.

    Args:
        cell: a cell, or a text of the declaration.
    """
    texts = _spellings(cell) if isinstance(cell, str) else cell.spellings
    return {TRUTH.get(text.casefold(), text.casefold()) for text in texts}


def is_numeric(cell: Cell) -> bool:
    """Whether a known cell is a number and no identifier such as 007 or 123456789."""
    number = to_number(cell.text, cell.decimal)
    if number is None or re.match(r"[-+]?0\d", cell.text):
        return False
    return abs(number) <= _EXACT


def check_keep(keep: KeepSection, cell: Cell, marks: Marks) -> None:
    """Check a condition of the rows to keep.

    Raises: LeftOut: it is not met; RowError: it cannot be decided, because the cell is
        no number, or may be in a row that is not joined.
    """
    column, detail = cell.column, f"{cell.column} = {cell.text!r}{cell.where}"
    known = not marks.has(cell)
    if keep.known is not None and keep.known != known:
        raise LeftOut(f"{column} {'known' if known else 'unknown'}", detail)
    texts = listed(cell)
    is_listed = any(map(texts.intersection, map(listed, keep.within or ())))
    ranged = keep.min is not None or keep.max is not None
    if not known and (ranged or (keep.within is not None and not is_listed)):
        raise LeftOut(f"{column} unknown", detail)
    if known and ranged:
        number = Number(marks).value(cell)
        if keep.min is not None and number < keep.min:
            raise LeftOut(f"{column} below {keep.min:g}", detail)
        if keep.max is not None and number > keep.max:
            raise LeftOut(f"{column} above {keep.max:g}", detail)
    if known and keep.within is not None and not is_listed:
        raise LeftOut(f"{column} not in {', '.join(keep.within)}", detail)
    if any(map(texts.intersection, map(listed, keep.not_in))):
        raise LeftOut(f"{column} in {', '.join(keep.not_in)}", detail)
    if not known:
        cell.check_missing()


def unmet(keep: KeepSection, marks: Marks, cell: Cell) -> str:
    """The condition that a cell does not meet, "" if it meets all.

    Raises: RowError: as `check_keep`, if it cannot be decided.
    """
    try:
        check_keep(keep, cell, marks)
    except LeftOut as error:
        return error.kind
    return ""
