"""Metrics of the patients of each site, sex, age band, projection, ... No TensorFlow.

A model may be good on average and bad on the patients of one scanner. Strata come from
the fields of a prepared dataset. Each is assessed by itself, with intervals, and says
when it is too small to be read.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from mdmt_tf.runs.predictions import labelled_rows, rows_of_components
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.tasks import Answer, Task, label_is_known
from mdmt_tf.tasks.labels import Table, label_fields

# Bounds of the age bands in years; a lower bound is inclusive.
AGE_BOUNDS = (40, 60, 80)
UNKNOWN = "unknown"

# The words in the names of fields that are shown first, in this order. Numbers in such
# a field are codes.
_FIRST = (
    ("site",),
    ("sex", "gender"),
    ("age",),
    ("projection", "view"),
    ("scanner", "manufacturer", "vendor", "device", "modality"),
)
_AGE = _FIRST.index(("age",))
# A text with more values describes single patients. Sites may be more.
_MOST_VALUES = 12
MOST_SITES = 40
# Names of images and patients.
_NAMES = ("image_id", "patient_id")

# A stratum is small with fewer patients, or with fewer patients of a class.
SMALL_STRATUM = 20
RARE_CLASS = 5


def stratum_fields(
    table: Table, leave_out: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The fields of a dataset that divide its images into few groups.

    These are texts with 2 to 12 values (a site: up to 40), ages as bands, and numbers
    that are codes of a sex, a projection or a scanner. Site, sex, age, projection and
    scanner come first, then the others by name.

    Args:
        table: fields of the dataset, see `mdmt_tf.tasks.labels`.
        leave_out: other fields, such as the labels.
    Returns: field -> text (n,), "unknown" where a value is not known.

    Example:
        >>> table = {
        ...     "image_id": np.array(["a", "b", "c"], object),
        ...     "age": np.array([39.0, 40.0, np.nan]),
        ...     "sex": np.array(["m", "f", "m"], object),
        ...     "crp": np.array([1.0, 2.0, 3.0]),
        ... }
        >>> {name: texts.tolist() for name, texts in stratum_fields(table).items()}
        {'sex': ['m', 'f', 'm'], 'age': ['<40', '40-59', 'unknown']}
    """
    ranked = []
    for name, values in table.items():
        if name in _NAMES or name in leave_out or values.ndim != 1:
            continue
        rank = _rank(name)
        texts = _texts(values, rank)
        if texts is None:
            continue
        distinct = len(set(texts.tolist()) - {UNKNOWN})
        most = MOST_SITES if rank == 0 else _MOST_VALUES
        if 2 <= distinct <= most:
            ranked.append((rank, name, texts))
    # Not in the order of the table, which is that of a record: TensorFlow writes the
    # fields of a record in no fixed order.
    return {name: texts for _, name, texts in sorted(ranked, key=lambda r: r[:2])}


def labels_of_dataset(
    dataset: str, answers: Iterable[Answer], declared: Collection[str] = ()
) -> set[str]:
    """The fields of a dataset that are labels, and so no strata and no shortcuts.

    These are the labels of all tasks, and those that the preparation declares. A
    declared one that no task has remains a field if its name is that of a site, sex,
    age, projection or scanner: a preparation stores it once, as a label or as a field,
    and it may be a shortcut whichever it is.

    Args:
        dataset: its name.
        answers: all tasks, and derived answers, of the configuration.
        declared: see `PreparedDataset.declared_labels`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> stay = make_task(name="stay", kind="regression", sources={"ward": "days"})
        >>> sorted(labels_of_dataset("ward", [stay], ["days", "died", "sex"]))
        ['days', 'died']
    """
    used = {field for answer in answers for field in label_fields(answer, dataset)}
    return used | {name for name in declared if _rank(name) == len(_FIRST)}


def age_band(years: float) -> str:
    """The band of an age: <40, 40-59, 60-79 or >=80.

    Example:
        >>> [age_band(years) for years in (39.9, 40, 59.9, 80)]
        ['<40', '40-59', '40-59', '>=80']
    """
    lower = [bound for bound in AGE_BOUNDS if years >= bound]
    if not lower:
        return f"<{AGE_BOUNDS[0]}"
    if len(lower) == len(AGE_BOUNDS):
        return f">={AGE_BOUNDS[-1]}"
    return f"{lower[-1]}-{AGE_BOUNDS[len(lower)] - 1}"


def assess_strata(
    table: pd.DataFrame,
    task: Task,
    fields: Mapping[str, Mapping[str, str]],
    *,
    unit: Literal["patient", "image"],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict[str, dict]]:
    """Metrics of a task for each value of each field, with intervals.

    Args:
        table: predictions of one dataset and split, in the columns of
            `predictions.csv`.
        task: the task to assess.
        fields: field -> image_id -> text.
        unit: what the metrics are by, the same for all strata. By patient, the images
            of a patient within the stratum are averaged, so that a patient with two
            projections counts in both.
        resamples, seed: see `assess`.
    Returns: {field: {value: {"n", "patients", "small", "metrics"}}}, values in their
        order, "unknown" last. `metrics` is that of `assess`; a metric of all classes is
        NaN where a class is missing. `small` says that there are fewer than 20
        patients, or fewer than 5 of a class. A value without labelled rows has n = 0
        and no metrics. `missing_classes` is added where there are any.

    Example:
        >>> import pandas as pd
        >>> from mdmt_tf.tasks import make_task
        >>> stay = make_task(name="stay", kind="regression")
        >>> table = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "stay",
        ...         "image_id": ["1", "2", "3"],
        ...         "patient_id": ["a", "b", "c"],
        ...         "target": [3.0, 5.0, 9.0],
        ...         "prediction": [4.0, 5.0, 6.0],
        ...     }
        ... )
        >>> views = {"view": {"1": "PA", "2": "PA", "3": "AP"}}
        >>> found = assess_strata(table, stay, views, unit="image", resamples=10)
        >>> {view: stratum["n"] for view, stratum in found["view"].items()}
        {'AP': 1, 'PA': 2}
        >>> found["view"]["PA"]["metrics"]["mae"]["value"]
        0.5
    """
    rows = labelled_rows(table, task)
    result = {}
    for field, text_of in fields.items():
        texts = rows["image_id"].map(text_of)
        strata = {}
        for value in sorted(set(text_of.values()), key=_order):
            own = rows[texts == value]
            strata[value] = _assess_one(own, task, unit, resamples, seed)
        result[field] = strata
    return result


def _assess_one(rows: pd.DataFrame, task: Task, unit: str, resamples, seed) -> dict:
    if rows.empty:
        return {"n": 0, "patients": 0, "small": True, "metrics": {}}
    found = assess(rows, [task], resamples=resamples, seed=seed)[task.name]
    chosen = found["by_patient" if unit == "patient" else "by_image"]
    return {
        "n": chosen["n"],
        "patients": chosen["patients"],
        "small": is_small(rows, task, chosen["patients"]),
        **{k: v for k, v in chosen.items() if k in ("missing_classes", "metrics")},
    }


def is_small(rows: pd.DataFrame, task: Task, patients: int) -> bool:
    """Whether labelled rows are too few to be read: fewer than 20 patients, or 5.

    Args:
        rows: labelled rows of a stratum, in the columns of `predictions.csv`.
        task: the task; 5 patients of each of its classes are needed.
        patients: number of patients of the rows.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> rows = pd.DataFrame({"task": "death", "dataset": "ward"}, range(40))
        >>> rows["patient_id"], rows["target"] = rows.index, rows.index % 2
        >>> is_small(rows, death, 40), is_small(rows[rows.index < 9], death, 9)
        (False, True)
    """
    if patients < SMALL_STRATUM:
        return True
    for component, own in rows_of_components(rows, task):
        for index in range(component.n_classes):
            of_class = own[own["target"] == index]
            found = of_class.drop_duplicates(["dataset", "patient_id"])
            if len(found) < RARE_CLASS:
                return True
    return False


def _rank(name: str) -> int:
    """Place of a field by the words of its name; the last for all others."""
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    for rank, known in enumerate(_FIRST):
        if set(words) & set(known):
            return rank
    return len(_FIRST)


def _texts(values: np.ndarray, rank: int) -> np.ndarray | None:
    """The values as texts; None if they are numbers that are no codes."""
    known = label_is_known(values)
    if values.dtype.kind in "OSU":
        found = [str(value).strip() for value in values]
        return np.array([text or UNKNOWN for text in found], object)
    numbers = values[known]
    if rank == _AGE:
        if not len(numbers) or numbers.min() < 0 or numbers.max() > 130:
            return None
        texts = [
            age_band(float(value)) if is_known else UNKNOWN
            for value, is_known in zip(values, known, strict=True)
        ]
        return np.array(texts, object)
    if rank == len(_FIRST) or np.any(numbers != np.round(numbers)):
        return None
    texts = [
        str(int(value)) if is_known else UNKNOWN
        for value, is_known in zip(values, known, strict=True)
    ]
    return np.array(texts, object)


def _order(value: str) -> tuple:
    """Ascending, numbers as numbers, bands by their bound, unknown last."""
    bands = [age_band(years) for years in (0, *AGE_BOUNDS)]
    if value in bands:
        return 0, bands.index(value), ""
    if value == UNKNOWN:
        return 3, 0, ""
    return (1, int(value), "") if value.isdecimal() else (2, 0, value)
