"""Tables in .xlsx files: the sheet, merged cells, formulas without values."""

import contextlib
import dataclasses
import decimal
import itertools
import numbers
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mdmt_tf import invisible
from mdmt_tf.datasets._shared import workbooks
from mdmt_tf.datasets._shared.decimals import Exact
from mdmt_tf.datasets._shared.percents import Percent, is_percent
from mdmt_tf.datasets._shared.table_text import SEARCHED, Line, check_cells
from mdmt_tf.errors import DataError, DataWarning, nearest

_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s+ref=["']([A-Z]+\d+:[A-Z]+\d+)["']""")
# Programs give this type to formulas that they have computed to a text, also "".
_COMPUTED = re.compile(
    rb"""<(?:\w+:)?c(?=[^>]*\st=["']str["'])[^>]*?\sr=["']([A-Z]+\d+)["']"""
)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_HIDDEN_ROW = re.compile(
    rb"""<(?:\w+:)?row\b(?=[^>]*\shidden=["'](?:1|true)["'])[^>]*?\sr=["'](\d+)["']"""
)
# A number format such as 0000 or 0000;-0000, which shows leading zeros.
_ZEROS = re.compile(r"(0{2,})(?:;.*)?")
_ZEROS_FORMAT = re.compile(rb"""formatCode=["']0{2,}[;"']""")
# Such as 0%, of which two have only a number.
_PERCENT_FORMAT = re.compile(
    rb"""numFmtId=["'](?:9|10)["']|formatCode=(?:"[^"]*%|'[^']*%)"""
)
# Written by programs that leave computing to the next program.
_TO_COMPUTE = re.compile(rb"""<(?:\w+:)?calcPr\b[^>]*\sfullCalcOnLoad=["'](?:1|true)""")
# From here on a number of a sheet has more digits than programs keep.
_FIRST_INEXACT = 10**15
# The header is looked for in the rows up to this one.
_LAST_SEARCHED = 1000


@dataclasses.dataclass(frozen=True)
class Sheet:
    """The cells of a sheet.

    Attributes:
        name: name of the sheet.
        lines: its rows that are not empty.
        unvalued: (row, column), from 1, of formulas without a value.
        to_compute: the same of those with a value that a program should compute again.
    """

    name: str
    lines: list[Line]
    unvalued: frozenset[tuple[int, int]] = frozenset()
    to_compute: frozenset[tuple[int, int]] = frozenset()


def read_sheet(
    path: Path, sheet: str | None, has_header: Callable[[Iterable[Line]], float]
) -> Sheet:
    """Cells of a sheet as text.

    Args:
        path: the file.
        sheet: name of the sheet; None: the first visible sheet whose first lines have
            the header best.
        has_header: how well lines have the header, from 0 to 1.
    Raises: DataError when the file cannot be read or has no such sheet.
    """
    import openpyxl  # slow to import, and few datasets have spreadsheets

    with _reading(path):
        data = workbooks.transitional(path)
        workbook = openpyxl.load_workbook(data, read_only=True, data_only=True)
        with contextlib.closing(workbook), zipfile.ZipFile(data) as archive:
            chosen = _choose(path, workbook, sheet, has_header)
            # The fast reader passes over merged cells and formulas.
            raw = archive.read(chosen._worksheet_path.lstrip("/"))
            has_formats = _has_formats(archive)
            lines = list(_lines(path, chosen, has_formats=has_formats))
            _warn_of_hidden_rows(path, chosen.title, raw)
            lines = _fill_merged(path, chosen.title, lines, raw)
            if not _FORMULA.search(raw):
                return Sheet(chosen.title, lines)
            formulas = _formulas(data, chosen.title, lines, raw)
            unvalued = frozenset(place for place, known in formulas if not known)
            to_compute = frozenset()
            if _TO_COMPUTE.search(workbooks.workbook_part(archive)):
                to_compute = frozenset(place for place, known in formulas if known)
            return Sheet(chosen.title, lines, unvalued, to_compute)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (DataError, DataWarning):
        raise
    # openpyxl passes on any exception of zipfile and of the XML parser.
    except Exception as error:
        raise DataError(f"{path}: this spreadsheet cannot be read: {error}") from error


def _choose(path: Path, workbook, name: str | None, has_header):
    names = [sheet.title for sheet in workbook.worksheets]
    if name is not None:
        if name not in names:
            raise DataError(
                f"{path}: there is no sheet {name!r}.{nearest(name, names)} Sheets: "
                f"{', '.join(names)}."
            )
        return workbook[name]
    scores = {}
    for sheet in workbook.worksheets:
        head = _lines(path, sheet, last=_LAST_SEARCHED)
        scores[sheet.title] = has_header(list(itertools.islice(head, SEARCHED)))
    if not scores:
        raise DataError(f"{path}: this spreadsheet has no sheet with cells.")
    visible = {
        sheet.title: scores[sheet.title]
        for sheet in workbook.worksheets
        if sheet.sheet_state == "visible"
    }
    hidden = max(scores, key=scores.get)
    if visible and scores[hidden] >= 0.5 > max(visible.values()):
        raise DataError(
            f"{path}: the columns are only in the sheet {hidden!r}, which is hidden. "
            "Show it, if it is meant, and save the file."
        )
    scores = visible or scores
    best = max(scores, key=scores.get)
    also = [title for title in scores if title != best and scores[title] >= 0.5]
    if also and scores[best] >= 0.5:
        others = ", ".join(map(repr, also))
        text = (
            f"{path.name}: sheet {best!r} is read, and {others} not, which would do, "
            "too. Put all rows into one sheet, or name the sheet."
        )
        warnings.warn(DataWarning(text, kind="several sheets"), stacklevel=2)
    return workbook[best]


def _lines(
    path: Path, sheet, *, has_formats: bool = False, last: int | None = None
) -> Iterator[Line]:
    """The rows that are not empty, up to number `last`."""
    # Programs may write a wrong dimension, such as A1 for all.
    sheet.reset_dimensions()
    text_of = _formatted if has_formats else _text
    count = 0
    rows = sheet.iter_rows(values_only=not has_formats, max_row=last)
    for number, cells in enumerate(rows, 1):
        if not cells:  # there may be a million before a stray one
            continue
        count += len(cells)
        check_cells(path, count)
        # Rows of a stray cell far to the right are nothing but empty cells.
        texts = ["" if c is None else text_of(c) for c in cells]
        if any(texts):
            yield number, texts


def _has_formats(archive: zipfile.ZipFile) -> bool:
    """Whether a number format of the workbook shows leading zeros or %."""
    if "xl/styles.xml" not in archive.namelist():
        return False
    styles = archive.read("xl/styles.xml")
    return any(form.search(styles) for form in (_ZEROS_FORMAT, _PERCENT_FORMAT))


def _formatted(cell: Any) -> str:
    """The text of a cell, and what only its number format says."""
    text = _shown(cell)
    form = getattr(cell, "number_format", None) or ""
    return Percent(text) if isinstance(text, Exact) and is_percent(form) else text


def _shown(cell: Any) -> str:
    """The text of a cell with the leading zeros that its format shows."""
    text = _text(cell.value)
    form = getattr(cell, "number_format", None) or ""
    zeros = _ZEROS.fullmatch(form)
    return text.zfill(len(zeros[1])) if zeros and text.isdecimal() else text


def _text(value: Any) -> str:
    """A value of a sheet as text. Programs keep 15 digits of a number."""
    if isinstance(value, int) and abs(value) >= _FIRST_INEXACT:
        return _rewritten(value)
    return cell_text(value, _FIRST_INEXACT)


def _rewritten(value: float) -> str:
    """A number as 1.23E+15, so that nobody takes it for a name of as many digits."""
    return Exact(f"{decimal.Decimal(value):E}")


def cell_text(value: Any, first_inexact: int = 2**53) -> str:
    """A value as text: 1.0 is "1", a missing one is "", a true one is "1".

    Numbers are `Exact`. Text has no blanks around it.

    Args:
        value: the value.
        first_inexact: whole numbers from here on have lost digits; they are as 1.2E+17.

    Example:
        >>> cell_text(12.0), cell_text(1.2345678901234567e17)
        ('12', '1.23456789012345664E+17')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        is_exact = abs(value) < first_inexact
        return Exact(int(value)) if is_exact else _rewritten(value)
    if isinstance(value, numbers.Number):  # also of decimal
        return Exact(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="backslashreplace")
    return invisible.strip(str(value))


def _formulas(
    data: Any, name: str, lines: list[Line], raw: bytes
) -> list[tuple[tuple[int, int], bool]]:
    """(row, column) of each formula, and whether it has a value."""
    import openpyxl

    values, found = dict(lines), []
    computed = {match[1].decode() for match in _COMPUTED.finditer(raw)}
    workbook = openpyxl.load_workbook(data, read_only=True, data_only=False)
    with contextlib.closing(workbook):
        sheet = workbook[name]
        sheet.reset_dimensions()
        for row in sheet.iter_rows():
            for cell in row:
                if getattr(cell, "data_type", "") != "f":
                    continue
                known = values.get(cell.row, [])[cell.column - 1 : cell.column]
                has_value = any(known) or cell.coordinate in computed
                found.append(((cell.row, cell.column), has_value))
    return found


def _warn_of_hidden_rows(path: Path, name: str, raw: bytes) -> None:
    if hidden := _HIDDEN_ROW.findall(raw):
        text = (
            f"{path.name}, sheet {name!r}: {len(hidden)} hidden rows are read, too; "
            f"the first is row {hidden[0].decode()}. Delete what should not be read."
        )
        warnings.warn(DataWarning(text, kind="hidden rows"), stacklevel=2)


def _fill_merged(path: Path, name: str, lines: list[Line], raw: bytes) -> list[Line]:
    """Give every row of a merged range the range's value, in its first column."""
    from openpyxl.utils import range_boundaries

    by_number = dict(lines)
    filled, wide = [], []
    for match in _MERGED.finditer(raw):
        ref = match[1].decode()
        left, top, right, bottom = range_boundaries(ref)
        value = "".join(by_number.get(top, [])[left - 1 : left])
        rows = [n for n in range(top, bottom + 1) if n in by_number]
        if not value:
            continue
        if right > left and any(
            any(cells[: left - 1]) or any(cells[right:])
            for cells in map(by_number.get, rows)
        ):
            wide.append(ref)  # no title over several columns
        for number in rows[1:]:
            cells = by_number[number]
            cells.extend([""] * (left - len(cells)))
            cells[left - 1] = value
        if rows[1:]:
            filled.append(ref)
    if filled:
        text = (
            f"{path.name}, sheet {name!r}: merged cells {_some(filled)}; every row of "
            "them has their value."
        )
        warnings.warn(DataWarning(text, kind="merged cells"), stacklevel=2)
    if wide:
        text = (
            f"{path.name}, sheet {name!r}: cells merged over several columns, "
            f"{_some(wide)}; the first of the columns has the value, and the others "
            "are empty."
        )
        warnings.warn(DataWarning(text, kind="merged cells"), stacklevel=2)
    return lines


def _some(refs: list[str]) -> str:
    return ", ".join(refs[:5]) + (", ..." if len(refs) > 5 else "")
