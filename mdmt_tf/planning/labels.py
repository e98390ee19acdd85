"""Labels and tasks from columns: classes and their order, or a number and its unit."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.config.declaration import RESERVED
from mdmt_tf.datasets._shared.table_rows import to_number
from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column

# More classes than this are no classes; a number with fewer values may be a grade.
MOST_CLASSES = 10
MOST_GRADES = 8
RARE = 5  # patients of a class: with fewer, it is put together with others
# Patients of the smallest class: with fewer, nothing can be said about a model.
FEWEST = 10
_UNITS = {"day": "days", "week": "weeks", "month": "months", "year": "years"}
_UNITS |= {u: u for u in ("mm", "cm", "ml", "cc", "hu", "kg", "percent", "mg")}
_UNITS |= {"los": "days", "stay": "days", "age": "years"}


@dataclasses.dataclass(frozen=True)
class Label:
    """A label that a model may predict.

    Attributes:
        name: key in the configuration.
        column: its column.
        kind: the kind of its task.
        classes: cell -> class, classes in their order; None for a number.
        unit: of a number.
        patients: class -> patients (each counted by its most frequent class).
        n_rows: rows where it is known.
        n_patients: patients of those rows.
        reason: why it is a label of this kind.
        sure: False if the user should look at it.
        against: why it is written as a comment; "" for a label that is used.
        range: smallest and largest number.
    """

    name: str
    column: str
    kind: str
    classes: dict[str, str] | None
    unit: str | None
    patients: dict[str, int]
    n_rows: int
    n_patients: int
    reason: str
    sure: bool = True
    against: str = ""
    range: tuple[float, float] | None = None
    quartiles: tuple[float, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.classes or {}).values()))

    @property
    def minority(self) -> int | None:
        """Patients of the smallest class; None for a number."""
        return min(self.patients.values()) if self.classes else None


def make_label(name: str, column: Column, patients: Sequence[str]) -> Label | str:
    """The label that a column holds, or why it holds none.

    Args:
        name: key in the configuration.
        patients: patient of each row.
    """
    if len(column.counts) < 2:
        return "all known values are the same"
    if column.is_date:
        return "dates"
    rows = [(c, p) for c, p in zip(column.or_empty, patients, strict=True) if c]
    n_patients = len({patient for _, patient in rows})
    facts = {"name": name, "column": column.name, "n_rows": len(rows)}
    facts["n_patients"] = n_patients
    texts = [cell for cell in column.counts if column.number_of(cell) is None]
    if texts and 2 * len(texts) < len(column.counts) and len(column.counts) > 2:
        return f"numbers, and text such as {texts[0]!r}"
    few = MOST_GRADES if column.numbers is not None else 3 * MOST_CLASSES
    if column.numbers is not None and not (
        column.is_whole and len(column.counts) <= few
    ):
        return _number(column, facts)
    if len(column.counts) > few or len(column.known) < 2 * len(column.counts):
        if column.numbers is not None:
            return _number(column, facts)
        return f"{len(column.counts)} different texts in {len(rows)} rows"
    mapping, kind, reason, sure = _classes(column)
    patients_of = _patients_by_class(rows, mapping)
    frequent = [name for name, n in patients_of.items() if n >= RARE]
    rare = [name for name in patients_of if name not in frequent]
    if kind == "categorical" and rare and len(frequent) >= 2:
        mapping = {c: m if m in frequent else "other" for c, m in mapping.items()}
        mapping = dict(sorted(mapping.items(), key=lambda pair: pair[1] == "other"))
        patients_of = _patients_by_class(rows, mapping)
        reason += f"; {len(rare)} rare ones (fewer than {RARE} patients) are together"
        sure = False
    if len(patients_of) > MOST_CLASSES:
        return f"{len(patients_of)} different texts"
    return Label(
        kind=kind,
        classes=mapping,
        unit=None,
        patients=patients_of,
        reason=reason,
        sure=sure,
        **facts,
    )


def _number(column: Column, facts: Mapping) -> Label:
    numbers = column.numbers
    named = (_UNITS.get(w, _UNITS.get(w[:-1])) for w in words.words_of(column.name))
    unit = next(filter(None, named), None)
    low, high = min(numbers), max(numbers)
    return Label(
        kind="regression",
        classes=None,
        unit=unit or "points",
        patients={},
        reason=f"{len(column.counts)} different numbers from {low:g} to {high:g}"
        + ("" if unit else "; the unit is not in the name"),
        range=(low, high),
        quartiles=tuple(float(q) for q in np.quantile(numbers, (0.25, 0.5, 0.75))),
        **facts,
    )


def _classes(column: Column) -> tuple[dict[str, str], str, str, bool]:
    """Cell -> class in the order of classes; the kind; the reason; whether it is sure.

    Spellings that differ in case only are one class.
    """
    spellings: dict[str, list[str]] = {}
    for cell, _ in column.counts.most_common():
        key = f"{number:g}" if (number := column.number_of(cell)) is not None else cell
        spellings.setdefault(key.casefold(), []).append(cell)
    keys = list(spellings)
    counts = {k: sum(column.counts[c] for c in spellings[k]) for k in keys}
    numbers = [to_number(key) for key in keys]
    shown = {key: key for key in keys}
    sure = True
    if len(keys) == 2 and sorted(keys) == ["0", "1"]:
        order, kind, reason = ["0", "1"], "binary", "0 and 1"
        shown = {"0": "no", "1": "yes"}
    elif None not in numbers:
        order = sorted(keys, key=float)
        kind = "binary" if len(keys) == 2 else "ordinal"
        reason = f"{len(keys)} whole numbers, a grade"
        sure = len(keys) > 2
    elif scale := next((s for s in words.SCALES if set(keys) <= set(s)), None):
        order = [key for key in scale if key in keys]
        kind = "binary" if len(keys) == 2 else "ordinal"
        reason = "words with an order"
    elif len(keys) == 2:
        order = sorted(keys, key=lambda key: (_sign(key), -counts[key]))
        kind = "binary"
        signs = {_sign(key) for key in keys}
        sure = len(signs) == 2
        reason = "two values" if sure else "two values; the rarer one is the positive"
    else:
        order, kind = sorted(keys), "categorical"
        reason = f"{len(keys)} different texts"
    if None in numbers:
        shown = {key: spellings[key][0] for key in keys}
    return {c: shown[key] for key in order for c in spellings[key]}, kind, reason, sure


def _sign(text: str) -> int:
    """-1 for a negative class, 1 for a positive one, 0 for neither."""
    found = words.words_of(text)
    if any(word in words.NEGATIVE for word in found):
        return -1
    return int(any(word in words.POSITIVE for word in found))


def _patients_by_class(rows, mapping) -> dict[str, int]:
    by_patient: dict[str, list[str]] = {}
    for cell, patient in rows:
        by_patient.setdefault(patient, []).append(mapping[cell])
    counts = dict.fromkeys(mapping.values(), 0)
    for classes in by_patient.values():
        counts[max(set(classes), key=classes.count)] += 1
    return counts


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
        is_outcome = words.has(name, words.OUTCOMES)
        if name in taken or column.is_time or words.has(name, words.BOOKKEEPING):
            continue
        if column.is_unique and (column.numbers is None or not is_outcome):
            continue
        if words.has(name, words.PATIENT) and not is_outcome:
            continue
        label = make_label(_free_name(name), column, patients)
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
            against = "its name is no outcome"
        elif other := _same_thing(label, found, columns):
            against = f"nearly the same as {other}, another reader?"
        found.append(dataclasses.replace(label, against=against))
    found.sort(key=lambda label: (bool(label.against), -_merit(label, sums)))
    if found and found[0].against:
        possible = [x for x in found if x.column not in parts]
        best = max(possible or found, key=lambda x: _merit(x, sums))
        found.remove(best)
        reason = f"{best.reason}; no name of a column is an outcome"
        best = dataclasses.replace(best, against="", reason=reason, sure=False)
        found.insert(0, best)
    return tuple(found)


def _free_name(column: str) -> str:
    name = words.key_name(column)
    return f"{name}_label" if name in RESERVED else name


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
