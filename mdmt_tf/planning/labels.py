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
_UNITS = {u: f"{u}s" for u in ("minute", "hour", "day", "week", "month", "year")}
_UNITS |= {u: u for u in ("mm", "cm", "ml", "cc", "hu", "kg", "percent", "mg")}
# Where the name has none of these.
_USUAL = {"los": "days", "stay": "days", "age": "years"}
_TABLES = (_UNITS, _USUAL)


@dataclasses.dataclass(frozen=True)
class Label:
    """A label that a model may predict.

    Attributes:
        name: key in the configuration.
        column: its column.
        kind: the kind of its task.
        classes: cell -> class, classes in their order; None for a number.
        unit: of a number; None: its name does not say.
        patients: class -> patients, each counted by its most frequent class.
        n_rows: rows where it is known.
        n_patients: patients of those rows.
        reason: why it is a label of this kind.
        sure: False if the user should look at it.
        event: names of two classes, if the column is filled only where something
            happened; else None. `classes` then has the empty cell, too.
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
    event: tuple[str, str] | None = None

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


def make_event(column: Column, patients: Sequence[str]) -> Label:
    """The label that a column holds that is filled only where something happened.

    Args:
        patients: patient of each row.
    """
    names = ("no", "yes")
    classes = {"": names[0], **dict.fromkeys(column.counts, names[1])}
    rows = list(zip(column.or_empty, patients, strict=True))
    about = words.words_of(column.name)
    times = words.TIMES | words.DAYS | words.DIRECTIONS | {"of"}
    name = "_".join(word for word in about if word not in times) or column.name
    return Label(
        name=free_name(name),
        column=column.name,
        kind="binary",
        classes=classes,
        unit=None,
        patients=_patients_by_class(rows, classes),
        n_rows=len(rows),
        n_patients=len(set(patients)),
        reason=f"filled in {len(column.known)} of {len(rows)} rows, where it probably "
        "happened",
        sure=False,
        event=names,
    )


def _number(column: Column, facts: Mapping) -> Label:
    numbers = column.numbers
    about = words.words_of(column.name)
    # The unit of age_months is not the usual one of an age.
    named = [table.get(w, table.get(w[:-1])) for table in _TABLES for w in about]
    unit = next(filter(None, named), None)
    low, high = min(numbers), max(numbers)
    quartiles = np.quantile(numbers, (0.25, 0.5, 0.75))
    return Label(
        kind="regression",
        classes=None,
        unit=unit,
        patients={},
        reason=f"{len(column.counts)} different numbers from {low:g} to {high:g}"
        + ("" if unit else "; its unit is not in the name, add `unit`"),
        range=(low, high),
        # Four digits, to be read as cut points.
        quartiles=tuple(float(f"{q:.4g}") for q in quartiles),
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
    found = words.plain_words_of(text)
    if any(word in words.NEGATIVE for word in found):
        return -1
    return int(any(word in words.POSITIVE for word in found))


def _patients_by_class(rows, mapping) -> dict[str, int]:
    by_patient: dict[str, list[str]] = {}
    for cell, patient in rows:
        by_patient.setdefault(patient, []).append(mapping[cell])
    counts = dict.fromkeys(mapping.values(), 0)
    # Of equally frequent classes, the last: the positive one, or the higher grade.
    order = list(counts)[::-1]
    for classes in by_patient.values():
        counts[max(order, key=classes.count)] += 1
    return counts


def free_name(column: str) -> str:
    """A key for a label of this column that no other field has."""
    name = words.key_name(column)
    return f"{name}_label" if name in RESERVED else name
