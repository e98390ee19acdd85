"""Numbers of spreadsheets that cells show with %, such as 0.45 as 45%."""

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf.datasets._shared.decimals import Exact
from mdmt_tf.datasets._shared.declared_cells import Cell
from mdmt_tf.datasets._shared.table_rows import to_number
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.tasks.units import are_same

# What a number format shows as it is: text in quotes, and single characters.
_LITERAL = re.compile(r'"[^"]*"|[\\_*].')


class Percent(Exact):
    """The text of a stored number that its cell shows a hundred times larger."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """What the cell shows, with all its decimals."""
        return f"{float(self) * 100:g}%"


def is_percent(number_format: str) -> bool:
    """Whether a number format shows numbers a hundred times larger.

    Example:
        >>> is_percent("0.0%"), is_percent('0"%"'), is_percent("General")
        (True, False, False)
    """
    return "%" in _LITERAL.sub("", number_format)


def warn_of_percents(
    path: Path,
    header: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    read: Sequence[str],
) -> None:
    """Warn of columns that show other numbers than are read.

    Args:
        path: the table.
        header: names of the columns.
        rows: number and cells of each row.
        read: columns of which warnings are given; empty: of all.
    """
    for place, name in enumerate(header):
        if not name or (read and name not in read):
            continue
        numbers = [(line, cells[place]) for line, cells in rows if cells[place:]]
        found = [(n, cell) for n, cell in numbers if isinstance(cell, Percent)]
        if not found:
            continue
        line, cell = found[0]
        count = f"{len(found)} {'cell shows' if len(found) == 1 else 'cells show'}"
        text = (
            f"{path.name}:{line}: {name}: {count} %, such as {cell.shown}, which is "
            f"read as {cell}. In a number of the unit percent, write {cell.shown[:-1]}."
        )
        warnings.warn(DataWarning(text, kind="cells that show %"), stacklevel=3)


def check_percents(name: str, unit: str | None, cells: Iterable[Cell]) -> None:
    """Check that the numbers of a label or a field are not a hundred times too small.

    Args:
        name: of the label or the field.
        unit: of its numbers, None if it is not stated.
        cells: its cells that are known.
    Raises: DataError for cells that show % where the unit is percent, or beside numbers
        that do not show it.
    """
    cells = list(cells)
    found = [cell for cell in cells if isinstance(cell.text, Percent)]
    if not found:
        return
    first = found[0]
    shows = f"{first.place} shows {first.text.shown}, which is read as {first.text}"
    remedy = (
        "In the spreadsheet, multiply the cells with % by 100 and give them the format "
        "of a number"
    )
    if unit is not None and are_same(unit, "percent"):
        raise DataError(
            f"{name}: expected numbers of the unit {unit}. Received fractions: "
            f"{first.column} of {shows}. {remedy}; or give the unit fraction."
        )
    # 0 is 0%.
    others = (cell for cell in cells if not isinstance(cell.text, Percent))
    if other := next((c for c in others if to_number(c.text, c.decimal)), None):
        raise DataError(
            f"{name}: expected cells that all show %, or none. {first.column} of "
            f"{shows}, and {other.place} has {other.text!r} without %. {remedy}; or "
            "give all cells the format %, if they are fractions."
        )
