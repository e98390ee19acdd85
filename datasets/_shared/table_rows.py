"""Rows of the tables of a dataset: CSV files and spreadsheets.

Cells remain text until a builder requests a number. A reader that guesses types would
lose the leading zeros of Brixia scores and turn identifiers into floats.
"""

import csv
import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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


@dataclasses.dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Attributes:
        file: name of the table, for messages.
        number: number of the row as in an editor or spreadsheet; the header is 1.
        cells: column name -> text, without surrounding blanks.
    """

    file: str
    number: int
    cells: Mapping[str, str]

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
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
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


def read_csv(
    path: Path, *, columns: Sequence[str], delimiter: str = ","
) -> list[TableRow]:
    """Read a CSV file in UTF-8, with or without byte order mark.

    Args:
        path: the file.
        columns: names that the header must have; other columns are read too.
        delimiter: delimiter of the cells.
    Returns: the rows in order, without empty rows.
    Raises:
        DataError: the file is unreadable, or a column is missing.
    """
    try:
        # A byte of another encoding in one cell must not make the table unusable.
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            lines = [(reader.line_num, cells) for cells in reader]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: this table cannot be read: {error}") from error
    return _rows(path, lines, columns)


def read_spreadsheet(path: Path, *, columns: Sequence[str]) -> list[TableRow]:
    """Read the first sheet of an .xlsx file; otherwise like `read_csv`."""
    import openpyxl  # slow to import, and only one dataset has spreadsheets

    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = workbook.worksheets[0]
            lines = [
                (number, [_cell_text(value) for value in cells])
                for number, cells in enumerate(sheet.iter_rows(values_only=True), 1)
            ]
        finally:
            workbook.close()
    # openpyxl passes on any exception of zipfile and of the XML parser.
    except Exception as error:
        raise DataError(f"{path}: this spreadsheet cannot be read: {error}") from error
    return _rows(path, lines, columns)


def _cell_text(value: object) -> str:
    """A spreadsheet's value as text: 1.0 is "1", an empty cell is "", TRUE is "1"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _rows(
    path: Path, lines: Iterable[tuple[int, Sequence[str]]], columns: Sequence[str]
) -> list[TableRow]:
    """Rows from numbered lines; the first line with content is the header."""
    filled = [
        (number, [cell.strip() for cell in cells])
        for number, cells in lines
        if any(cell.strip() for cell in cells)
    ]
    if not filled:
        raise DataError(f"{path}: this table is empty")
    (_, header), *rest = filled
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(columns)}; without "
            f"{', '.join(missing)}. Received: {', '.join(header)}"
        )
    # Rows may be shorter or longer than the header: trailing delimiters, notes.
    return [
        TableRow(path.name, number, dict(zip(header, cells, strict=False)))
        for number, cells in rest
    ]
