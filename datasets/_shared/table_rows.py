"""Rows of the tables of a dataset, and what their cells mean."""

import dataclasses
import math
import re
from collections.abc import Mapping

from mdmt_tf.errors import DataError

# Cells that mean "unknown", in lower case.
_UNKNOWN = frozenset({"", "nan", "na", "n/a", "none", "null", "?"})
_FLAGS = {"": -1, "0": 0, "no": 0, "false": 0, "1": 1, "yes": 1, "true": 1}


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
    """A row that does not meet a condition of the user; that is no fault.

    Attributes:
        kind: the condition.
    """


def to_number(cell: str, decimal: str = ".") -> float | None:
    """The finite number that a cell is; None if it is none.

    Example:
        >>> to_number("79,5", decimal=","), to_number("1.0"), to_number("79,5")
        (79.5, 1.0, None)
    """
    if decimal != ".":
        cell = cell.replace(decimal, ".") if "." not in cell else ""
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python takes 1_000 for a number.
    return value if math.isfinite(value) and "_" not in cell else None


@dataclasses.dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Attributes:
        file: name of the table, for messages.
        number: number of the row as in an editor or spreadsheet; the header is 1.
        cells: column name -> text, without surrounding blanks.
        decimal: the sign before the decimals of numbers, a point or a comma.
    """

    file: str
    number: int
    cells: Mapping[str, str]
    decimal: str = "."

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
            RowError: the cell is unknown.
        """
        cell = self.text(column)
        if not cell:
            raise RowError("bad value", f"{column} is empty")
        return cell

    def number_in(self, column: str) -> float:
        """The cell as a number, or NaN if unknown.

        Raises:
            RowError: the cell is neither a finite number nor unknown.
        """
        cell = self.text(column)
        if not cell:
            return math.nan
        value = to_number(cell, self.decimal)
        if value is None:
            raise RowError(
                "bad value", f"{column} = {cell!r}, expected a number or an empty cell"
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
                "bad value",
                f"{column} = {self.text(column)!r}, expected an integer from {low} to "
                f"{high} or an empty cell",
            )
        return int(value)

    def flag_in(self, column: str) -> int:
        """0 for 0, no or false; 1 for 1, yes or true; -1 if unknown.

        Raises:
            RowError: the cell is anything else.
        """
        cell = self.text(column)
        if cell.lower() not in _FLAGS:
            raise RowError("bad value", f"{column} = {cell!r}, expected 0, 1 or empty")
        return _FLAGS[cell.lower()]

    def years_in(self, column: str) -> float:
        """An age: 65 for "65", "065Y", "65-70" or "65+"; NaN for anything else.

        A bad age is not an error: it is not a label, and the image can be used.
        """
        match = re.match(r"\d+(\.\d+)?", self.text(column))
        return float(match[0]) if match else math.nan
