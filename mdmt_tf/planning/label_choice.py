"""Which columns of a table are labels, and which of these to use first."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import FEWEST, Label, free_name, make_event, make_label

_NO_OUTCOME = "its name is no outcome"
_FINDINGS = 4  # flags in a row, such as findings of a report


def guess_labels(
    columns: Mapping[str, Column], taken: Sequence[str], patients: Sequence[str]
) -> tuple[Label, ...]:
    """Labels that a table seems to hold, those to use first.

    Used are the columns whose names are outcomes, as far as the data can support them;
    without such, the best of the others. Parts of a sum are left to the sum.

    Args:
        taken: columns that are something else.
        patients: patient of each row.
    """
    found: list[Label] = []
    sums = find_sums(columns)
    parts = {part: total for total, names in sums.items() for part in names}
    for name, column in columns.items():
        # A column that is a field has its name.
        if free_name(name) in taken:
            continue
        is_outcome = words.has(name, words.OUTCOMES)
        if name in taken or column.is_time or words.has(name, words.BOOKKEEPING):
            continue
        if column.is_unique and (column.numbers is None or not is_outcome):
            continue
        if words.has(name, words.PATIENT) and not is_outcome:
            continue
        label = make_label(free_name(name), column, patients)
        if isinstance(label, str):
            continue
        against = ""
        if name in parts:
            against = f"a part of the sum {parts[name]}"
        elif label.minority is not None and label.minority < FEWEST:
            against = f"{label.minority} patients in its smallest class"
        elif label.n_rows < 0.2 * len(column.cells) or label.n_patients < FEWEST:
            against = f"known in {label.n_rows} of {len(column.cells)} rows"
        elif not is_outcome and name not in sums:
            against = _NO_OUTCOME
        elif other := _same_thing(label, found, columns):
            against = f"nearly the same as {other}, another reader?"
        found.append(dataclasses.replace(label, against=against))
    found = _with_neighbours(found, list(columns))
    found += _events(columns, taken, patients, found)
    found.sort(key=lambda label: (bool(label.against), -_merit(label, sums)))
    if found and found[0].against:
        possible = [x for x in found if x.column not in parts]
        best = max(possible or found, key=lambda x: _merit(x, sums))
        found.remove(best)
        reason = f"{best.reason}; the best there is, although {best.against}"
        best = dataclasses.replace(best, against="", reason=reason, sure=False)
        found.insert(0, best)
    return tuple(found)


def _with_neighbours(found: Sequence[Label], names: Sequence[str]) -> list[Label]:
    """Use flags that stand in a row with flags whose names are outcomes: findings."""
    flags = {x.column: x for x in found if x.class_names == ("no", "yes")}
    runs: list[list[Label]] = [[]]
    for name in names:
        if name in flags:
            runs[-1].append(flags[name])
        elif runs[-1]:
            runs.append([])
    promoted = set()
    for run in runs:
        if len(run) >= _FINDINGS and sum(not label.against for label in run) >= 2:
            promoted |= {x.column for x in run if x.against == _NO_OUTCOME}
    return [
        dataclasses.replace(x, against="", reason=f"{x.reason}; beside other findings")
        if x.column in promoted
        else x
        for x in found
    ]


def _events(columns, taken, patients, others: Sequence[Label]) -> list[Label]:
    """Dates of outcomes that some rows lack, used if no other column tells them."""
    events = [
        make_event(columns[name], patients)
        for name, _ in find_events(columns)
        if name not in taken
    ]
    names = {label.name for label in others}
    told = any(not label.against for label in others)
    used, found = None, []
    for label in sorted(events, key=lambda x: -x.minority):
        against = ""
        if label.minority < FEWEST:
            against = f"{label.minority} patients in its smallest class"
        elif told or used:
            against = f"an event; {used or 'other columns'} may tell the outcome"
        used = used or (None if against else label.column)
        if label.name not in names:
            names.add(label.name)
            found.append(dataclasses.replace(label, against=against))
    return found


def find_events(columns: Mapping[str, Column]) -> list[tuple[str, int]]:
    """Dates and offsets of outcomes that some rows lack: it did not happen there.

    Returns: (column, rows in which it happened) of each.
    """
    return [
        (name, len(column.known))
        for name, column in columns.items()
        if column.is_time
        and words.has(name, words.OUTCOMES)
        and 0 < len(column.known) < len(column.cells)
    ]


def _merit(label: Label, sums: Mapping) -> float:
    """Outcomes of the study first, then what is known and balanced."""
    chief = words.has(label.column, words.CHIEF) or label.column in sums
    outcome = words.has(label.column, words.OUTCOMES)
    least = label.minority if label.minority is not None else label.n_patients / 4
    return 4 * chief + 2 * outcome + min(1.0, least / 50)


def _same_thing(label: Label, found: Sequence[Label], columns) -> str | None:
    """An earlier number that nearly equals this one, row by row."""
    if label.classes is not None:
        return None
    own = _numbers(columns[label.column])
    for other in found:
        if other.classes is not None or other.against:
            continue
        theirs = _numbers(columns[other.column])
        both = ~np.isnan(own) & ~np.isnan(theirs)
        if both.sum() > 10 and label.range and other.range:
            alike = np.corrcoef(own[both], theirs[both])[0, 1] > 0.85
            scale = label.range[1] - label.range[0]
            apart = abs(scale - (other.range[1] - other.range[0]))
            if alike and apart <= 0.2 * scale:
                return other.column
    return None


def _numbers(column: Column) -> np.ndarray:
    """The number of each row, NaN where it is unknown."""
    cells = map(column.number_of, column.or_empty)
    return np.array([np.nan if value is None else value for value in cells])


def find_sums(columns: Mapping[str, Column]) -> dict[str, tuple[str, ...]]:
    """Columns that are the sum of three or more neighbours: a score and its items.

    Example:
        >>> rows = {"a": "012", "b": "110", "c": "201", "total": "323"}
        >>> find_sums({k: Column(k, tuple(v)) for k, v in rows.items()})
        {'total': ('a', 'b', 'c')}
    """
    names = list(columns)
    values = {
        name: _numbers(column)
        for name, column in columns.items()
        if column.numbers is not None
    }
    found: dict[str, tuple[str, ...]] = {}
    for at, name in enumerate(names):
        if name not in values:
            continue
        for step in (-1, 1):
            total, parts = 0.0, []
            for other in names[at + step :: step] if at + step >= 0 else ():
                if other not in values or other in found:
                    break
                total, parts = total + values[other], [*parts, other]
                known = ~np.isnan(total) & ~np.isnan(values[name])
                some = known.sum() > 2 and np.any(values[name][known] != 0)
                equal = np.allclose(total[known], values[name][known], atol=1e-6)
                if len(parts) >= 3 and some and equal:
                    found[name] = tuple(sorted(parts, key=names.index))
                    break
    return found
