"""The header of a table: which row it is, and whether it fits the rows below it."""

import collections
import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence

from mdmt_tf.datasets._shared.spreadsheets import Sheet
from mdmt_tf.datasets._shared.table_text import SEARCHED, Line
from mdmt_tf.errors import DataError, DataWarning, closest
from mdmt_tf.names import folded

# Names of columns that are as similar are probably the same.
_SIMILAR = 0.8
_JOINTS = str.maketrans("", "", " _-")


def header_text(cell: str) -> str:
    """The name of a column; one in two lines, as in spreadsheets, is in one."""
    return unicodedata.normalize("NFC", re.sub(r"\s*[\r\n]+\s*", " ", cell))


def overlap(cells: Sequence[str], columns, wanted) -> float:
    """How well a row is the header, from 0 to 1; at least 1/2 with all columns."""
    names = {header_text(cell) for cell in cells if cell}
    if not wanted:
        return float(bool(names))
    found = len(names.intersection(wanted)) / len(set(wanted))
    return (found + names.issuperset(columns)) / 2 if names else 0.0


def regularity(widths: Sequence[int]) -> float:
    """Fraction of the lines that are as wide as the widest; 0 for a single column."""
    widest = max(widths, default=0)
    return widths.count(widest) / len(widths) if widest > 1 else 0.0


def _fullest(lines: Sequence[Line]) -> int:
    """Index of the first line with nearly as many cells as the fullest: no title."""
    filled = [sum(map(bool, cells)) for _, cells in lines]
    return next(i for i, n in enumerate(filled) if n >= 0.7 * max(filled))


def find_header(path, filled: Sequence[Line], columns, wanted, sheet) -> int:
    """Index of the first row that is the header best."""
    if not wanted:
        return _fullest(filled[:SEARCHED])
    scores = [overlap(cells, columns, wanted) for _, cells in filled[:SEARCHED]]
    best = scores.index(max(scores))
    if scores[best] >= 0.5:
        return best
    number, cells = filled[best]
    names = [header_text(cell) for cell in cells if cell]
    missing = [column for column in columns if column not in names]
    place = f"{path}:{number}" if number > 1 else f"{path}"
    raise DataError(
        f"{place}{_in_sheet(sheet)}: expected the columns {', '.join(columns)}; "
        f"without {', '.join(missing)}.{_meant(missing, names)} Received: "
        f"{', '.join(names)}"
    )


def _in_sheet(sheet: str | None) -> str:
    return f", sheet {sheet!r}" if sheet is not None else ""


def check_header(
    path, line: int, header: Sequence[str], sheet, read: Sequence[str]
) -> None:
    """Refuse columns that are there twice; warn of those that nearly are."""
    counts = collections.Counter(name for name in header if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"{path}:{line}{_in_sheet(sheet)}: the column {twice[0]!r} is there "
            f"{counts[twice[0]]} times. Rename or remove all but one."
        )
    spellings = collections.defaultdict(list)
    for name in counts:
        spellings[_spelling(name)].append(name)
    for name in read:
        if name not in counts:
            continue
        twins = {
            twin: "which is the same name in another spelling"
            for twin in spellings[_spelling(name)]
            if twin not in read
        }
        if f"{name}.1" in counts:
            twins[f"{name}.1"] = "as pandas renames a column that is there twice"
        for twin, why in twins.items():
            text = (
                f"{path.name}:{line}: there are the columns {name!r}, which is read, "
                f"and {twin!r}, {why}. Look whether their values agree."
            )
            warnings.warn(DataWarning(text, kind="column twice"), stacklevel=3)


def _spelling(name: str) -> str:
    """The same text for names that differ in case, blanks, dashes or underscores."""
    return folded(name).translate(_JOINTS)


def without_headers(path, header: Sequence[str], rows: Sequence[Line]) -> list[Line]:
    """The rows that are not the header once more, as when two files are joined."""
    names = [name for name in header if name]
    again = [
        number for number, cells in rows if names == [n for n in cells if n] and names
    ]
    if again:
        text = f"{path.name}:{again[0]}: the header once more, which is no row."
        if len(again) > 1:
            text += f" So are {len(again) - 1} other lines."
        warnings.warn(DataWarning(text, kind="header once more"), stacklevel=3)
    return [row for row in rows if row[0] not in set(again)]


def check_widths(
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
            f"Received: {count}.{_others(wide)} Put cells with a delimiter or a "
            "decimal comma in quotes, or name the last column."
        )
    if may_be_short:
        return
    short = [row for row in rows if len(row[1]) < width]
    if short:
        number, cells = short[0]
        raise DataError(
            f"{path}:{number}: expected {width} cells, as in the header. Received: "
            f"{len(cells)}.{_others(short)} A cell is missing or the file is cut off; "
            "an empty cell needs its delimiter. Remove notes below the table."
        )

    long = [row for row in rows if len(row[1]) > max(len(header), width)]
    if 0 < len(long) < len(rows):
        number, cells = long[0]
        text = (
            f"{path.name}:{number}: {len(cells)} cells, the last of them empty, where "
            f"the header has {len(header)}.{_others(long)} Look whether a cell has an "
            "unquoted comma or semicolon."
        )
        warnings.warn(DataWarning(text, kind="row with more cells"), stacklevel=3)


def _others(rows: Sequence[Line]) -> str:
    return f" So have {len(rows) - 1} other rows." if len(rows) > 1 else ""


def check_formulas(path, sheet: Sheet, header: Line, read: Sequence[str]) -> None:
    """Refuse formulas without a value in columns that are read; warn of the others."""
    from openpyxl.utils import get_column_letter

    line, names = header

    def places(found: Iterable[tuple[int, int]]) -> list[tuple[int, int, str]]:
        """(row, column, name) of the cells below the header in named columns."""
        named = ((row, n, "".join(names[n - 1 : n])) for row, n in sorted(found))
        return [place for place in named if place[0] > line and place[2]]

    passed = set()
    for row, column, name in places(sheet.unvalued):
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
    if any(name in read or not read for *_, name in places(sheet.to_compute)):
        text = (
            f"{path.name}, sheet {sheet.name!r}: the program that wrote the file has "
            "not computed its formulas, whose values may be wrong. Open and save it "
            "in a spreadsheet program."
        )
        warnings.warn(DataWarning(text, kind="formulas not computed"), stacklevel=2)


def warn_of_similar(path, header: Sequence[str], optional: Sequence[str]) -> None:
    """Warn of columns that may be misspelt, and are not read."""
    known = [name for name in header if name not in optional]
    for name in optional:
        if name not in header and (close := closest(name, known, _SIMILAR)):
            text = (
                f"{path.name}: there is no column {name!r}, so it is unknown. Is "
                f"{close!r} meant? Then rename it."
            )
            warnings.warn(DataWarning(text, kind="similar column"), stacklevel=2)


def _meant(missing: Sequence[str], names: Sequence[str]) -> str:
    """The nearest names of columns, as in " Did you mean 'Image File', 'Sex'?"."""
    found = filter(None, (closest(name, names) for name in missing))
    text = ", ".join(map(repr, dict.fromkeys(found)))
    return f" Did you mean {text}?" if text else ""
