"""Tables in .xlsx files: the sheet, merged cells, formulas without values."""

import contextlib
import logging
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mdmt_tf.datasets._shared.table_text import SEARCHED, Line, clean
from mdmt_tf.errors import DataError, nearest

logger = logging.getLogger(__name__)

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+\d+:[A-Z]+\d+)"')
# Programs give this type to formulas that they have computed to a text, also "".
_COMPUTED = re.compile(rb'<(?:\w+:)?c(?=[^>]*\st="str")[^>]*?\sr="([A-Z]+\d+)"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")


def read_lines(
    path: Path, sheet: str | None, has_header: Callable[[Iterable[Line]], float]
) -> tuple[list[Line], str]:
    """Cells of a sheet as text, and the name of the sheet.

    Args:
        path: the file.
        sheet: name of the sheet; None: the first visible sheet whose first lines have
            the header best.
        has_header: how well lines have the header, from 0 to 1.
    Raises: DataError when the file cannot be read, has no such sheet, or has a formula
        without a value.
    """
    import openpyxl  # slow to import, and few datasets have spreadsheets

    with _reading(path):
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    with contextlib.closing(workbook), _reading(path):
        chosen = _choose(path, workbook, sheet, has_header)
        raw = _source(path, chosen)
        lines = [line for line in _lines(chosen) if any(line[1])]
        if _FORMULA.search(raw):
            _refuse_formulas(path, chosen.title, lines, raw)
        return _fill_merged(path, chosen.title, lines, raw), chosen.title


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    # openpyxl passes on any exception of zipfile and of the XML parser.
    except Exception as error:
        raise DataError(f"{path}: this spreadsheet cannot be read: {error}") from error


def _choose(path: Path, workbook, name: str | None, has_header):
    names = workbook.sheetnames
    if name is not None:
        if name not in names:
            raise DataError(
                f"{path}: there is no sheet {name!r}.{nearest(name, names)} Sheets: "
                f"{', '.join(names)}."
            )
        return workbook[name]
    visible = [s for s in workbook.worksheets if s.sheet_state == "visible"]
    best, best_score = None, -1.0
    for sheet in visible or workbook.worksheets:
        head = []
        for line in _lines(sheet):
            if any(line[1]):
                head.append(line)
            if len(head) == SEARCHED:
                break
        score = has_header(head)
        if score > best_score:
            best, best_score = sheet, score
        if score == 1:
            break
    if best is None:
        raise DataError(f"{path}: this spreadsheet has no sheet with cells.")
    return best


def _lines(sheet) -> Iterator[Line]:
    # Programs may write a wrong dimension, such as A1 for all.
    sheet.reset_dimensions()
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        yield number, [clean(cell_text(value)) for value in cells]


def cell_text(value: Any) -> str:
    """A value as text: 1.0 is "1", a missing one is "", a true one is "1"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _source(path: Path, sheet) -> bytes:
    """The XML of a sheet. The fast reader passes over merged cells and formulas."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(sheet._worksheet_path.lstrip("/"))


def _refuse_formulas(path: Path, name: str, lines: list[Line], raw: bytes) -> None:
    """Raise for a formula whose value was never computed."""
    import openpyxl

    values = dict(lines)
    computed = {match[1].decode() for match in _COMPUTED.finditer(raw)}
    workbook = openpyxl.load_workbook(path, read_only=True, data_only=False)
    with contextlib.closing(workbook):
        sheet = workbook[name]
        sheet.reset_dimensions()
        for row in sheet.iter_rows():
            for cell in row:
                if getattr(cell, "data_type", "") != "f":
                    continue
                if cell.coordinate in computed:
                    continue
                known = values.get(cell.row, [])
                if not "".join(known[cell.column - 1 : cell.column]):
                    raise DataError(
                        f"{path}: cell {cell.coordinate} of sheet {name!r} holds a "
                        "formula without a value. Open and save the file in a "
                        "spreadsheet program, or replace the formula by its value."
                    )


def _fill_merged(path: Path, name: str, lines: list[Line], raw: bytes) -> list[Line]:
    """Give every cell of a merged range of several rows the range's value."""
    from openpyxl.utils import range_boundaries

    by_number = dict(lines)
    filled = []
    for match in _MERGED.finditer(raw):
        ref = match[1].decode()
        left, top, right, bottom = range_boundaries(ref)
        value = "".join(by_number.get(top, [])[left - 1 : left])
        rows = [n for n in range(top + 1, bottom + 1) if n in by_number]
        if not value or not rows:
            continue  # a title over several columns
        for number in rows:
            cells = by_number[number]
            cells.extend([""] * (right - len(cells)))
            cells[left - 1 : right] = [value] * (right - left + 1)
        filled.append(ref)
    if filled:
        logger.warning(
            "%s, sheet %r: merged cells %s; every row of them has their value.",
            path.name,
            name,
            ", ".join(filled[:5]) + (", ..." if len(filled) > 5 else ""),
        )
    return lines
