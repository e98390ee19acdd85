"""Read a table of any format: CSV, TSV, XLSX, Parquet.

Cells stay text until someone wants a number. A reader that guesses types would lose the
leading zeros of scores and turn identifiers into floats.
"""

import collections
import dataclasses
import difflib
import re
import unicodedata
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from mdmt_tf.datasets._shared import spreadsheets, table_text
from mdmt_tf.datasets._shared.declared_cells import plain
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.datasets._shared.table_text import SEARCHED, Line
from mdmt_tf.errors import DataError, DataWarning, nearest
from mdmt_tf.imaging import limits

# First bytes, in lower case and without blanks before them -> why the file is none of
# the formats.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls), or one with a password; save it as "
    ".xlsx without",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"bzh": "compressed by bzip2; unpack it",
    b"\xfd7zxz": "compressed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"rar!": "a RAR archive; unpack it",
    b"%pdf": "a PDF; export the table as CSV or XLSX",
    b"{\\rtf": "a document (RTF); export the table as CSV or XLSX",
    b"<": "a web page or XML, which some programs name .xls; save it as .xlsx",
    b"sqlite format 3": "a database; export the table as CSV",
}
# Names of columns that are as similar are probably the same.
_SIMILAR = 0.8


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        path: the file.
        columns: names of the columns, in order.
        rows: the rows in order, without empty ones.
        sheet: name of the sheet; None for formats without sheets.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    sheet: str | None = None


def read_table(
    path: Path,
    *,
    columns: Sequence[str],
    wanted: Sequence[str] = (),
    optional: Sequence[str] = (),
    sheet: str | None = None,
) -> Table:
    """Read a table; format, delimiter, encoding and decimal comma come from the file.

    The header is the first row that has the columns; titles above it do not count.
    Without columns to look for, it is the first row with nearly all cells filled.

    Args:
        path: CSV, TSV or other delimited text, XLSX, or Parquet.
        columns: names that the header must have; other columns are read too.
        wanted: names by which the header is found, too, but which may be missing.
        optional: names of further columns that will be read; a warning tells one that
            is missing if the header has one of a similar name.
        sheet: for XLSX, the name of the sheet; None: the first visible sheet with the
            columns.
    Raises: DataError for a file that cannot be read, a missing column, a column named
        twice, a row with more cells than the header or with fewer, a quote that is
        never closed and, in one of the columns named here, a formula without a value.
        The message has the file, the line or cell, and what to do.
    """
    path, columns = Path(path), [_header_text(column) for column in columns]
    wanted = [*columns, *map(_header_text, wanted)]
    limits.check_file_size(path, limit="max_table_bytes")
    start = _first_bytes(path)

    def has_header(lines: Iterable[Line]) -> float:
        if not wanted:
            return _regularity([len(cells) for _, cells in lines])
        scores = [_overlap(cells, columns, wanted) for _, cells in lines]
        return max(scores, default=0.0)

    for mark, reason in _OTHERS.items():
        if start.lstrip().lower().startswith(mark):
            raise DataError(
                f"{path}: expected CSV, TSV, XLSX or Parquet. It is {reason}."
            )
    decimal, found = ".", None
    if start.startswith(b"PK\x03\x04"):
        found = spreadsheets.read_sheet(path, sheet, has_header)
        lines, sheet = found.lines, found.name
    elif sheet is not None:
        raise DataError(
            f"{path}: sheet {sheet!r} is requested, but only .xlsx files have sheets."
        )
    elif start.startswith(b"PAR1"):
        lines = _parquet_lines(path)
    else:
        lines, delimiter = table_text.read_lines(path, has_header)
        if table_text.has_decimal_comma(lines, delimiter):
            decimal = ","
    filled = [line for line in lines if any(line[1])]
    if not filled:
        raise DataError(f"{path}: this table is empty")
    index = _find_header(path, filled, columns, wanted, sheet)
    line, header = filled[index][0], list(map(_header_text, filled[index][1]))
    rest = filled[index + 1 :]
    _check_header(path, line, header, sheet)
    may_be_short = found is not None or start.startswith(b"PAR1")
    _check_widths(path, header, rest, may_be_short)
    if found is not None:
        read = [*wanted, *map(_header_text, optional)]
        _check_formulas(path, found, (line, header), read)
    _warn_of_similar(path, header, optional)
    named = [(place, name) for place, name in enumerate(header) if name]
    rows = tuple(
        TableRow(
            path.name,
            number,
            {name: cells[place] for place, name in named if place < len(cells)},
            decimal,
        )
        for number, cells in rest
    )
    return Table(path, tuple(name for _, name in named), rows, sheet)


def rows_by_key(
    path: Path,
    rows: Iterable[TableRow],
    key_of: Callable[[TableRow], Hashable],
    columns: Sequence[str],
) -> dict[Hashable, TableRow]:
    """One row per key; rows of one key complete each other, and those of none are not
    there.

    Args:
        path: the table, for messages.
        rows: its rows.
        key_of: the key of a row, such as the name of an image; "" for none.
        columns: those that are used; other columns may differ.
    Raises: DataError when two rows of a key differ in one of the columns.
    """
    found: dict[Hashable, TableRow] = {}
    for row in rows:
        if not (key := key_of(row)):
            continue
        first = found.setdefault(key, row)
        cells = dict(first.cells)
        for column in columns:
            one, other = first.text(column), row.text(column)
            same = [plain(text, row.decimal).casefold() for text in (one, other)]
            if all(same) and same[0] != same[1]:
                raise DataError(
                    f"{path}:{row.number}: {column} of {key!r} is {other!r}, but "
                    f"{one!r} in line {first.number}. Keep the row that is right."
                )
            cells[column] = one or other
        found[key] = dataclasses.replace(first, cells=cells)
    return found


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: this table cannot be read: {reason}") from error


def _parquet_lines(path: Path) -> list[Line]:
    """Cells of a Parquet file as text; its first row has the number 1."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path}: Parquet files need pyarrow. Install it with "
            "`python -m pip install 'mdmt_tf[parquet]'`, or save the table as CSV."
        ) from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: this table cannot be read: {error}") from error
    columns = [column.to_pylist() for column in table.columns]
    lines: list[Line] = [(0, list(table.column_names))]
    for number, values in enumerate(zip(*columns, strict=True), 1):
        cells = [spreadsheets.cell_text(value) for value in values]
        lines.append((number, [table_text.clean(cell) for cell in cells]))
    return lines


def _header_text(cell: str) -> str:
    """The name of a column; one in two lines, as in spreadsheets, is in one."""
    return unicodedata.normalize("NFC", re.sub(r"\s*[\r\n]+\s*", " ", cell))


def _overlap(cells: Sequence[str], columns, wanted) -> float:
    """How well a row is the header, from 0 to 1; at least 1/2 with all columns."""
    names = {_header_text(cell) for cell in cells if cell}
    if not wanted:
        return float(bool(names))
    found = len(names.intersection(wanted)) / len(set(wanted))
    return (found + names.issuperset(columns)) / 2 if names else 0.0


def _regularity(widths: Sequence[int]) -> float:
    """Fraction of the lines that are as wide as the widest; 0 for a single column."""
    widest = max(widths, default=0)
    return widths.count(widest) / len(widths) if widest > 1 else 0.0


def _fullest(lines: Sequence[Line]) -> int:
    """Index of the first line with nearly as many cells as the fullest: no title."""
    filled = [sum(map(bool, cells)) for _, cells in lines]
    return next(i for i, n in enumerate(filled) if n >= 0.7 * max(filled))


def _find_header(path, filled: Sequence[Line], columns, wanted, sheet) -> int:
    """Index of the first row that is the header best."""
    if not wanted:
        return _fullest(filled[:SEARCHED])
    scores = [_overlap(cells, columns, wanted) for _, cells in filled[:SEARCHED]]
    best = scores.index(max(scores))
    if scores[best] >= 0.5:
        return best
    number, cells = filled[best]
    names = [_header_text(cell) for cell in cells if cell]
    missing = [column for column in columns if column not in names]
    place = f"{path}:{number}" if number > 1 else f"{path}"
    raise DataError(
        f"{place}{_in_sheet(sheet)}: expected the columns {', '.join(columns)}; "
        f"without {', '.join(missing)}.{nearest(missing[0], names)} Received: "
        f"{', '.join(names)}"
    )


def _in_sheet(sheet: str | None) -> str:
    return f", sheet {sheet!r}" if sheet is not None else ""


def _check_header(path, line: int, header: Sequence[str], sheet) -> None:
    counts = collections.Counter(name for name in header if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"{path}:{line}{_in_sheet(sheet)}: the column {twice[0]!r} is there "
            f"{counts[twice[0]]} times. Rename or remove all but one."
        )


def _check_widths(
    path, header: Sequence[str], rows: Sequence[Line], may_be_short: bool
) -> None:
    """Refuse rows with other numbers of cells than the header, whose cells are shifted.

    Args:
        may_be_short: whether cells at the end of a row are missing if they are empty.
    """
    width = max((n for n, name in enumerate(header, 1) if name), default=0)
    wide = [(number, cells) for number, cells in rows if any(cells[width:])]
    if wide:
        number, cells = wide[0]
        count = max(place for place, cell in enumerate(cells, 1) if cell)
        raise DataError(
            f"{path}:{number}: expected at most {width} cells, as in the header. "
            f"Received: {count}, the last is {cells[count - 1]!r}.{_others(wide)} Put "
            "cells with a delimiter or a decimal comma in quotes, or name the last "
            "column."
        )
    short = [] if may_be_short else [row for row in rows if len(row[1]) < width]
    if short:
        number, cells = short[0]
        raise DataError(
            f"{path}:{number}: expected {width} cells, as in the header. Received: "
            f"{len(cells)}, the last is {cells[-1][:60]!r}.{_others(short)} A cell is "
            "missing or the file is cut off; an empty cell needs its delimiter. Remove "
            "notes below the table."
        )


def _others(rows: Sequence[Line]) -> str:
    return f" So have {len(rows) - 1} other rows." if len(rows) > 1 else ""


def _check_formulas(
    path, sheet: spreadsheets.Sheet, header: Line, read: Sequence[str]
) -> None:
    """Refuse formulas without a value in columns that are read; warn of the others."""
    from openpyxl.utils import get_column_letter

    line, names = header
    passed = set()
    for row, column in sorted(sheet.unvalued):
        name = names[column - 1] if column <= len(names) else ""
        if row <= line or not name:
            continue
        if read and name not in read:
            passed.add(name)
            continue
        raise DataError(
            f"{path}: cell {get_column_letter(column)}{row} of sheet {sheet.name!r} "
            "holds a formula without a value. Open and save the file in a "
            "spreadsheet program, or replace the formula by its value."
        )
    if passed:
        text = (
            f"{path.name}, sheet {sheet.name!r}: formulas without values in the "
            f"columns {', '.join(sorted(passed))}, which are not read."
        )
        warnings.warn(DataWarning(text, kind="formulas without values"), stacklevel=2)
    if sheet.has_formulas:
        text = (
            f"{path.name}, sheet {sheet.name!r}: the program that wrote the file has "
            "not computed its formulas, whose values may be wrong. Open and save it "
            "in a spreadsheet program."
        )
        warnings.warn(DataWarning(text, kind="formulas not computed"), stacklevel=2)


def _warn_of_similar(path, header: Sequence[str], optional: Sequence[str]) -> None:
    """Warn of columns that may be misspelt, and are not read."""
    folded = {name.casefold(): name for name in header if name not in optional}
    for name in optional:
        if name in header:
            continue
        close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=_SIMILAR)
        if close:
            text = (
                f"{path.name}: there is no column {name!r}, so it is unknown. Is "
                f"{folded[close[0]]!r} meant? Then rename it."
            )
            warnings.warn(DataWarning(text, kind="similar column"), stacklevel=2)
