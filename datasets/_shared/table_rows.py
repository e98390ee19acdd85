"""Rows of the tables of a dataset, and what their cells mean."""

import dataclasses
import math
import re
from collections.abc import Mapping

from mdmt_tf.config.declaration import TRUTH, UNKNOWN
from mdmt_tf.datasets._shared.decimals import Exact
from mdmt_tf.errors import DataError
from mdmt_tf.names import REWRITTEN, is_rewritten

# The kind of a `RowError` about a cell.
BAD_VALUE = "bad value"
# Cells that mean "unknown", in lower case.
_UNKNOWN = frozenset(UNKNOWN)
_FLAGS = {"no": 0, "yes": 1} | {word: int(number) for word, number in TRUTH.items()}
# What a formula without a result shows, such as #N/A and #DIV/0!.
_ERROR = re.compile(r"#(N/A|[A-Z]+(/0)?[!?])")
# Numbers are stored as float32.
_LARGEST = 3.4e38

_OLDEST_YEARS = 130
_DAYS = 365.25  # of a year
# What is after the number of an age -> years. M alone may also be a sex.
_UNITS = {
    1: r"y|yrs?|y\.?/?o\.?|years?( old)?|years? of age",
    1 / 12: r"mos?|mths?|months?( old)?",
    7 / _DAYS: r"w|wks?|weeks?( old)?",
    1 / _DAYS: r"d|days?( old)?",
}
_DICOM_UNITS = {"Y": 1, "M": 1 / 12, "W": 7 / _DAYS, "D": 1 / _DAYS}


class RowError(DataError):
    """One row or its image cannot be used; other rows are not affected.

    Attributes:
        kind: short description of the fault, the same for all such rows, for counting.
        detail: the fault in this row.
    """

    def __init__(self, kind: str, detail: str):
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class LeftOut(RowError):
    """A row that does not meet a condition of the user, its `kind`. It is no fault."""


def check_name(name: str, what: str) -> None:
    """Raise RowError for the name of a patient that a program has rewritten.

    Args:
        name: the name.
        what: what has it, for the message.
    """
    if is_rewritten(name):
        raise RowError("rewritten number", f"{what} = {name!r}. {REWRITTEN}")


def is_error(text: str) -> bool:
    """Whether a cell shows the error of a formula.

    Example:
        >>> is_error("#N/A"), is_error("#DIV/0!"), is_error("#3")
        (True, True, False)
    """
    return bool(_ERROR.fullmatch(text))


def to_number(cell: str, decimal: str = ".") -> float | None:
    """The finite number that a cell is, as float32 can store it; None if it is none.

    Example:
        >>> to_number("79,5", decimal=","), to_number("1.0"), to_number("79,5")
        (79.5, 1.0, None)
    """
    if decimal != ".":
        cell = cell.replace(decimal, ".") if "." not in cell else ""
    try:
        value = float(cell.replace("\u2212", "-"))  # the minus sign of typesetters
    except ValueError:
        return None
    # Python takes 1_000 for a number.
    return value if abs(value) <= _LARGEST and "_" not in cell else None


def to_years(cell: str, decimal: str = ".", ranges: bool = True) -> float | None:
    """The age that a cell is, in years; None if it is none.

    Args:
        cell: its text.
        decimal: the sign before decimals.
        ranges: whether 65-70 and 65+ are 65.

    Example:
        >>> to_years("65"), to_years("018M"), to_years("65-70"), to_years("1955-03-04")
        (65.0, 1.5, 65.0, None)
    """
    text, factor = cell, 1.0
    if match := re.fullmatch(r"(\d{3})([YMWD])", cell, re.IGNORECASE):
        text, factor = match[1], _DICOM_UNITS[match[2].upper()]
    elif match := re.fullmatch(r"(\d{1,3})\s*(?:\+|[-\u2013]\s*(\d{1,3}))", cell):
        is_range = match[2] is None or int(match[1]) < int(match[2])
        text = match[1] if ranges and is_range else ""
    else:
        for years, unit in _UNITS.items():
            pattern = rf"([\d.,]+)\s*({unit})"
            if match := re.fullmatch(pattern, cell, re.IGNORECASE):
                text, factor = match[1], years
    if re.fullmatch(r"\d{1,3},\d{1,2}", text):  # a decimal comma in any file
        text, decimal = text.replace(",", "."), "."
    value = to_number(text, decimal)
    if value is None or not 0 <= value * factor <= _OLDEST_YEARS:
        return None
    return value * factor


@dataclasses.dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Attributes:
        file: name of the table, for messages.
        number: number of the row as in an editor or spreadsheet; the header is 1.
        cells: column name -> text, without surrounding blanks.
        decimals: column -> the sign before the decimals of its numbers; those that are
            not there have a point.
    """

    file: str
    number: int
    cells: Mapping[str, str]
    decimals: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def decimal_of(self, column: str) -> str:
        """The sign before the decimals of a cell; `UNCLEAR` if it is not known."""
        if isinstance(self.cells.get(column), Exact):
            return "."
        return self.decimals.get(column, ".")

    @property
    def place(self) -> str:
        """Table and number of the row, e.g. `data.csv:12`."""
        return f"{self.file}:{self.number}"

    def text(self, column: str) -> str:
        """The cell, or "" if it is unknown or the table has no such column."""
        cell = self.cells.get(column, "")
        return "" if cell.lower() in _UNKNOWN else cell

    def required(self, column: str) -> str:
        """The cell, which must be known.

        Raises:
            RowError: the cell is unknown, or shows the error of a formula.
        """
        cell = self.words_in(column)
        if not cell:
            raise RowError(BAD_VALUE, f"{column} is empty")
        return cell

    def number_in(self, column: str) -> float:
        """The cell as a number, or NaN if unknown.

        Raises:
            RowError: the cell is neither a finite number nor unknown.
        """
        cell = self.text(column)
        if not cell:
            return math.nan
        value = to_number(cell, self.decimal_of(column))
        if value is None:
            raise RowError(
                BAD_VALUE, f"{column} = {cell!r}, expected a number or an empty cell"
            )
        return value

    def integer_in(self, column: str, low: int, high: int) -> int:
        """The cell as an integer from `low` to `high`, or -1 if unknown.

        Raises:
            RowError: the cell is anything else.
        """
        value = self.number_in(column)
        if math.isnan(value):
            return -1
        if value != int(value) or not low <= value <= high:
            raise RowError(
                BAD_VALUE,
                f"{column} = {self.text(column)!r}, expected an integer from {low} to "
                f"{high} or an empty cell",
            )
        return int(value)

    def flag_in(self, column: str) -> int:
        """0 for 0, no or false (in `TRUTH`); 1 for 1, yes or true; -1 if unknown.

        Raises:
            RowError: the cell is anything else.
        """
        cell = self.text(column)
        if not cell:
            return -1
        value = _FLAGS.get(cell.lower(), to_number(cell, self.decimal_of(column)))
        if value not in (0, 1):
            raise RowError(BAD_VALUE, f"{column} = {cell!r}, expected 0, 1 or empty")
        return int(value)

    def years_in(self, column: str) -> float:
        """An age in years: 65 for "65", "065Y", "65-70" or "65+"; NaN if unknown.

        Raises:
            RowError: the cell is anything else, such as a date of birth.
        """
        cell = self.text(column)
        if not cell:
            return math.nan
        years = to_years(cell, self.decimal_of(column))
        if years is None:
            raise RowError(
                BAD_VALUE,
                f"{column} = {cell!r}, expected years up to {_OLDEST_YEARS}, or a "
                "number with a unit such as 018M",
            )
        return years

    def words_in(self, column: str) -> str:
        """The cell as text, or "" if unknown.

        Raises:
            RowError: the cell shows the error of a formula.
        """
        cell = self.text(column)
        if is_error(cell):
            raise RowError(BAD_VALUE, f"{column} = {cell!r}, expected text")
        return cell
