"""Warnings about tables that can be read, but may mean something else."""

import logging
import re
import unicodedata

from mdmt_tf.datasets._shared.declared_cells import Number, listed, plain, plain_id
from mdmt_tf.datasets._shared.declared_plan import Plan
from mdmt_tf.datasets._shared.table_rows import to_number
from mdmt_tf.errors import nearest

logger = logging.getLogger(__name__)


def warn(plan: Plan) -> None:
    """Warn of names that are alike, of slips in conditions, of marks among numbers."""
    _warn_of_similar_names(plan)
    _warn_of_conditions_without_rows(plan)
    _warn_of_marks_among_numbers(plan)


def _warn_of_similar_names(plan: Plan) -> None:
    """Warn of patients or sites that differ only in case, blanks or zeros."""
    columns = plan.declaration.columns
    for what, column in (("patient", columns.patient), ("site", columns.site)):
        if column is None:
            continue
        names: dict[str, str] = {}
        for cell in plan.tables.column_cells(column):
            name = plain_id(cell.text)
            other = names.setdefault(_letters(name), name)
            if other != name:
                logger.warning(
                    "%s: %s = %r is like %r, but another %s. Write them alike if "
                    "they are the same.",
                    cell.place,
                    column,
                    name,
                    other,
                    what,
                )
                break


def _warn_of_conditions_without_rows(plan: Plan) -> None:
    """Warn of cells in `in` and `not_in` that no row has, such as a slip."""
    for column, keep in plan.declaration.keep.items():
        texts = (*(keep.within or ()), *keep.not_in)
        if not texts:
            continue
        cells = plan.tables.column_cells(column)
        seen = {listed(plain(cell.text, cell.decimal)) for cell in cells}
        if missing := [text for text in texts if listed(text) not in seen]:
            logger.warning(
                "keep.%s: no cell of the column is %s.%s",
                column,
                " or ".join(map(repr, missing)),
                nearest(missing[0], sorted(seen)),
            )


def _warn_of_marks_among_numbers(plan: Plan) -> None:
    """Warn of numbers that mean unknown, but lie between the others."""
    for name, kind in plan.kinds.items():
        if not isinstance(kind, Number):
            continue
        cells = list(plan.tables.column_cells(plan.columns[name]))
        known, marked = [], []
        for cell in cells:
            number = to_number(cell.text, cell.decimal)
            if number is not None:
                (marked if kind.marks.has(cell) else known).append(number)
        between = [n for n in marked if known and min(known) <= n <= max(known)]
        if between:
            logger.warning(
                "%s: %d cells are %g, which `unknown` has, and other cells are "
                "from %g to %g. They are stored as unknown.",
                name,
                len(between),
                between[0],
                min(known),
                max(known),
            )


def _letters(name: str) -> str:
    """A name without differences in case, blanks and leading zeros."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"\s+", "", text))
