"""Warnings about tables that can be read, but may mean something else."""

import collections

from mdmt_tf.datasets._shared.declared_cells import EventLabel, Number, listed
from mdmt_tf.datasets._shared.declared_plan import Plan
from mdmt_tf.datasets._shared.number_codes import find_codes
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError, to_number
from mdmt_tf.errors import brief, nearest

_SHOWN = 20


def warn(plan: Plan, rejections: Rejections) -> None:
    """Warn of slips in conditions, of events, of marks and codes in numbers."""
    _warn_of_conditions_without_rows(plan, rejections)
    _warn_of_text_in_events(plan, rejections)
    _warn_of_images_without_a_row(plan, rejections)
    _warn_of_marks_among_numbers(plan, rejections)
    _warn_of_codes_among_numbers(plan, rejections)


def _warn_of_conditions_without_rows(plan: Plan, rejections: Rejections) -> None:
    """Warn of cells in `in` and `not_in` that no row has, such as a slip."""
    for column, keep in plan.declaration.keep.items():
        texts = (*(keep.within or ()), *keep.not_in)
        if not texts:
            continue
        cells = plan.tables.column_cells(column)
        seen = set().union(*map(listed, cells))
        if missing := [text for text in texts if seen.isdisjoint(listed(text))]:
            words = " or ".join(map(repr, missing))
            hint = nearest(missing[0], sorted(seen))
            detail = f"keep.{column}: no cell of the column is {words}.{hint}"
            rejections.warn("", "", "condition without rows", detail)


def _warn_of_text_in_events(plan: Plan, rejections: Rejections) -> None:
    """List each text in columns of events that does not say whether it happened."""
    for name, kind in plan.kinds.items():
        if not isinstance(kind, EventLabel):
            continue
        places: dict[str, str] = {}
        for cell in plan.tables.column_cells(plan.columns[name]):
            try:
                kind.value(cell)
            except RowError:
                places.setdefault(cell.text, cell.place)
        if places:
            texts = [f"{brief(text)} ({place})" for text, place in places.items()]
            more = len(texts) - _SHOWN
            shown = ", ".join(texts[:_SHOWN]) + (f" and {more} more" * (more > 0))
            detail = f"{name}: {shown}. Expected {kind.expected}. {kind.remedy}"
            rejections.warn("", "", "text that tells no event", detail)


def _warn_of_images_without_a_row(plan: Plan, rejections: Rejections) -> None:
    """Name the row because of which an event is unknown where there is no row."""
    for name, cell in plan.without_event.items():
        if cell is None or not (count := plan.tables.rows_without(cell.column)):
            continue
        text = repr(cell.text) if cell.text else "empty"
        detail = (
            f"{name}: {cell.column} is {text} in {cell.place}, so the table has those "
            f"without the event, too, and it is unknown for {count} "
            f"{'image' if count == 1 else 'images'} without a row there"
        )
        rejections.warn("", cell.place, "an event without rows", detail)


def _warn_of_marks_among_numbers(plan: Plan, rejections: Rejections) -> None:
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
            count = f"{name}: {len(between)} cells are {between[0]:g}"
            detail = (
                f"{count}, which `unknown` has, and "
                f"other cells are from {min(known):g} to {max(known):g}. They are "
                "stored as unknown."
            )
            rejections.warn("", "", "unknown among numbers", detail)


def _warn_of_codes_among_numbers(plan: Plan, rejections: Rejections) -> None:
    """Warn of numbers that may mean unknown, but that no mark has."""
    for name, kind in plan.kinds.items():
        if not isinstance(kind, (EventLabel, Number)):
            continue
        column, numbers = plan.columns[name], collections.Counter()
        for cell in plan.tables.column_cells(column):
            number = to_number(cell.text, cell.decimal)
            if number is not None and not kind.marks.has(cell):
                numbers[number] += 1
        for code in find_codes(column, numbers):
            count = numbers[code.number]
            detail = (
                f"{name}: {count} {'cell is' if count == 1 else 'cells are'} "
                f"{code.number:g}, and the others lie between {code.low:g} and "
                f"{code.high:g}. It counts as a value; add it to `unknown` if it "
                "means that."
            )
            rejections.warn("", "", "a code among numbers", detail)
