"""The sign before the decimals of numbers: a point or a comma, column by column.

1.250 may be 1250 or 1.25. A wrong guess makes a number a thousand times too small, so
every column has to show its sign, and another column cannot.
"""

import dataclasses
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf.errors import DataWarning

# The sign of a column that may have either. No cell has it, so that cells with a point
# or a comma are no numbers.
UNCLEAR = "?"

_PARTS = re.compile(r"[-+\u2212]?(\d+)((?:[.,]\d+)*)([eE][-+]?\d+)?")
_OTHER = {".": ",", ",": "."}
_WORDS = {".": "a point", ",": "a comma"}
# What a cell is that shows no sign: 950, and 1.250.
_WHOLE, _GROUPED = "whole", "grouped"

# The number of a line, and a cell in it.
Place = tuple[int, str]


class Exact(str):
    """The text of what a program has stored as a number: its decimals have a point."""

    __slots__ = ()


@dataclasses.dataclass
class _Column:
    """The numbers of a column, as far as they tell the sign before decimals.

    Attributes:
        name: name of the column.
        shows: sign -> the first cell by which decimals follow it.
        typed: the numbers that are text, each in the first line that has it; below one
            of `shows`, only those with the other sign.
        grouped: those with three digits behind one sign, such as 1.250.
        whole: those without a sign.
        exact: a stored number that is not as 1.250, "" for none.
    """

    name: str
    shows: dict[str, Place]
    typed: list[Place]
    grouped: list[Place]
    whole: list[str]
    exact: str

    def first_with(self, sign: str) -> Place | None:
        return next((place for place in self.typed if sign in place[1]), None)

    @property
    def is_unclear(self) -> bool:
        """Whether it has 950 and 1.250, and nothing that shows the sign.

        If all numbers have three decimals, or a whole one has four digits, the sign is
        that before decimals.
        """
        if self.shows or not self.grouped:
            return False
        # -1 stands for unknown, where no other number is below 0.
        is_signed = any(cell[0] in "-\u2212" for _, cell in self.grouped)
        whole = [c for c in self.whole if is_signed or c[0] not in "-\u2212"]
        is_long = any(len(cell.lstrip("-+\u2212")) > 3 for cell in whole)
        return bool(self.exact) or (bool(whole) and not is_long)


def find_signs(
    path: Path,
    header: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    read: Sequence[str],
    delimiter: str | None,
) -> dict[str, str]:
    """Columns whose decimals have no point -> a comma, or `UNCLEAR`.

    A column that shows no sign has a comma if others of the file have, and none has a
    point; but not between commas, or in spreadsheets, where 1,5 may be a list.

    Args:
        path: the table, for warnings.
        header: names of the columns.
        rows: number and cells of each row.
        read: columns of which warnings are given; empty: of all.
        delimiter: the delimiter of a text file, None for other formats.
    """
    columns = [_inspect(name, place, rows) for place, name in enumerate(header) if name]
    shown: dict[str, tuple[str, Place]] = {}
    for column in columns:
        for sign, place in column.shows.items():
            shown.setdefault(sign, (column.name, place))
    has_commas = delimiter not in (None, ",") and list(shown) == [","]
    found = {}
    for column in columns:
        is_read = not read or column.name in read
        if column.shows:
            sign = "." if "." in column.shows else ","
            reason = column.name, column.shows[sign]
        elif column.is_unclear:
            sign, reason = UNCLEAR, None
        else:
            sign, reason = "," if has_commas else ".", shown.get(",")
        if is_read and (text := _doubt(column, sign, reason)):
            warnings.warn(DataWarning(f"{path.name}:{text}", kind=_KIND), stacklevel=3)
        if sign != ".":
            found[column.name] = sign
    return found


def _inspect(name: str, place: int, rows: Iterable[tuple[int, Sequence[str]]]):
    first: dict[str, int] = {}  # text -> line
    exact = ""
    for line, cells in rows:
        if place < len(cells) and (cell := cells[place]):
            if isinstance(cell, Exact):
                exact = exact or (cell if _kind_of(cell) != _GROUPED else "")
            else:
                first.setdefault(cell, line)
    column = _Column(name, {}, [], [], [], exact)
    for cell, line in first.items():
        # Most cells show nothing new; tables may have a million.
        is_new = not column.shows or any(
            sign in cell for sign in _OTHER if sign not in column.shows
        )
        if not is_new or (kind := _kind_of(cell)) is None:
            continue
        column.typed.append((line, cell))
        if kind == _WHOLE:
            column.whole.append(cell)
        elif kind == _GROUPED:
            column.grouped.append((line, cell))
        else:
            column.shows.setdefault(kind, (line, cell))
    return column


def _kind_of(cell: str) -> str | None:
    """The sign before decimals that a number shows, or else what it is; None: none.

    Example:
        >>> [_kind_of(c) for c in ("2.5", "0,125", "1.250,5", "1.250.000", "950")]
        ['.', ',', ',', ',', 'whole']
        >>> [_kind_of(c) for c in ("1.250", "12.03.2020", "1,2,3")]
        ['grouped', None, None]
    """
    if not (cell[-1:].isdecimal() and (match := _PARTS.fullmatch(cell))):
        return None
    whole, rest, exponent = match.groups()
    if not rest:
        return None if exponent else _WHOLE
    *between, last = re.findall("[.,]", rest)
    *groups, decimals = re.split("[.,]", rest)[1:]
    may_be_grouped = len(whole) <= 3 and whole[0] != "0" and not exponent
    if not between:
        return _GROUPED if may_be_grouped and len(decimals) == 3 else last
    if len(set(between)) > 1 or not may_be_grouped or {*map(len, groups)} != {3}:
        return None
    if last not in between:
        return last
    return _OTHER[last] if len(decimals) == 3 else None


_KIND = "thousands or decimals"


def _doubt(column: _Column, sign: str, reason: tuple[str, Place] | None) -> str | None:
    """What to tell of cells that are no numbers with a sign, or may be others."""
    if sign == UNCLEAR:
        line, cell = column.grouped[0]
        other = next(iter(column.whole), column.exact)
        return (
            f"{line}: {column.name} = {cell!r} may be {re.sub('[.,]', '', cell)} or "
            f"{cell.replace(',', '.')}. The column has {other!r}, too, and no text "
            "that shows the sign before decimals. Text with a point or a comma is no "
            "number there. Write numbers without signs between thousands; or all of "
            "the column with three decimals; in a spreadsheet as numbers, not as text."
        )
    if reason is None:
        return None
    name, (line, cell) = reason
    shows = f"{name} = {cell!r} in line {line}"
    if sign == "." and not column.shows:
        if not (odd := column.first_with(".")):
            return None
        line, cell = odd
        return (
            f"{line}: {column.name} = {cell!r} is read with a decimal point. It may be "
            f"{cell.replace('.', '')}, because {shows} has a comma. Look at the "
            "column; write numbers without signs between thousands."
        )
    if not (odd := column.first_with(_OTHER[sign])):
        return None
    line, cell = odd
    return (
        f"{line}: {column.name} = {cell!r} is no number, because {shows} shows that "
        f"{_WORDS[sign]} is before decimals. Write all numbers of the column with "
        "this sign, and without signs between thousands."
    )
