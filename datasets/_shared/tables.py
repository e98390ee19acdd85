"""Read a table of any format: CSV, TSV, XLSX, Parquet.

Cells stay text until someone wants a number. A reader that guesses types would lose the
leading zeros of scores and turn identifiers into floats.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from mdmt_tf.datasets._shared import parquet_tables, spreadsheets, table_text
from mdmt_tf.datasets._shared.decimals import find_signs
from mdmt_tf.datasets._shared.declared_cells import plain
from mdmt_tf.datasets._shared.percents import warn_of_percents
from mdmt_tf.datasets._shared.table_header import (
    check_formulas,
    check_header,
    check_widths,
    find_header,
    header_text,
    overlap,
    regularity,
    warn_of_similar,
    without_headers,
)
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.datasets._shared.table_text import Line
from mdmt_tf.errors import DataError
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
    path, columns = Path(path), [header_text(column) for column in columns]
    wanted = [*columns, *map(header_text, wanted)]
    limits.check_file_size(path, limit="max_table_bytes")
    start = _first_bytes(path)

    def has_header(lines: Iterable[Line]) -> float:
        if not wanted:
            return regularity([len(cells) for _, cells in lines])
        scores = [overlap(cells, columns, wanted) for _, cells in lines]
        return max(scores, default=0.0)

    for mark, reason in _OTHERS.items():
        if start.lstrip().lower().startswith(mark):
            raise DataError(
                f"{path}: expected CSV, TSV, XLSX or Parquet. It is {reason}."
            )
    delimiter = found = None
    if start.startswith(b"PK\x03\x04"):
        found = spreadsheets.read_sheet(path, sheet, has_header)
        lines, sheet = found.lines, found.name
    elif sheet is not None:
        raise DataError(
            f"{path}: sheet {sheet!r} is requested, but only .xlsx files have sheets."
        )
    elif start.startswith(b"PAR1"):
        lines = parquet_tables.read_lines(path)
    else:
        lines, delimiter = table_text.read_lines(path, has_header)
    filled = [line for line in lines if any(line[1])]
    if not filled:
        raise DataError(f"{path}: this table is empty")
    index = find_header(path, filled, columns, wanted, sheet)
    line, cells = filled[index]
    header = list(map(header_text, cells))
    rest = without_headers(path, header, filled[index + 1 :])
    read = [*wanted, *map(header_text, optional)]
    check_header(path, line, header, sheet, read)
    may_be_short = found is not None or start.startswith(b"PAR1")
    check_widths(path, header, rest, may_be_short)
    if found is not None:
        check_formulas(path, found, (line, header), read)
    warn_of_similar(path, header, optional)
    decimals = find_signs(path, header, rest, read, delimiter)
    warn_of_percents(path, header, rest, read)
    named = [(place, name) for place, name in enumerate(header) if name]
    rows = tuple(
        TableRow(
            path.name,
            number,
            {name: cells[place] for place, name in named if place < len(cells)},
            decimals,
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
            same = [
                plain(own.text(column), own.decimal_of(column)).casefold()
                for own in (first, row)
            ]
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
