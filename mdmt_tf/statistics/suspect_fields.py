"""Fields that predict an outcome alone, before any image is read. No TensorFlow."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from mdmt_tf.statistics.draws import numbered_patients
from mdmt_tf.statistics.interval import NAN
from mdmt_tf.statistics.strata import UNKNOWN, labels_of_dataset, stratum_fields
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table, task_labels

# A field is suspect if it predicts two classes with this balanced accuracy.
SUSPECT = 0.7


def predictive_fields(
    rows: pd.DataFrame, task: Task, fields: Mapping[str, Mapping[str, str]]
) -> dict[str, float]:
    """Balanced accuracy with which each field alone predicts the outcome.

    The class of a value is the one to which most of its patients belong, in relation to
    the patients of the class, without the patient that is predicted. Each patient
    counts once, whatever its images.

    Args:
        rows: labelled rows in the columns of `predictions.csv`, of the training split:
            fields of test patients must not choose what a report looks at.
        task: with one label of two or more classes.
        fields: field -> image_id -> text; images without a text count as "unknown".
    Returns: field -> balanced accuracy; NaN where a class has no rows.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> icu = make_task(name="icu", kind="binary", classes=("no", "yes"))
        >>> rows = pd.DataFrame({"image_id": list("abcdef"), "dataset": "ward"})
        >>> rows = rows.assign(patient_id=rows["image_id"], target=[0, 0, 0, 1, 1, 1])
        >>> view = dict(zip("abcdef", ["PA", "PA", "PA", "AP", "AP", "AP"]))
        >>> predictive_fields(rows, icu, {"view": view, "none": {}})
        {'view': 1.0, 'none': 0.0}
    """
    _, patient = numbered_patients(rows)
    once = 1.0 / np.bincount(patient)[patient] if len(rows) else np.empty(0)
    labels = rows["target"].to_numpy().astype(np.int64)
    return {
        field: _balanced_accuracy(
            rows["image_id"].map(text_of).fillna(UNKNOWN).to_numpy(str),
            labels,
            patient,
            once,
            task.n_classes,
        )
        for field, text_of in fields.items()
    }


def suspect_fields(
    dataset: str,
    table: Table,
    task: Task,
    images: Collection[str],
    labels: Collection[str] = (),
) -> dict[str, float]:
    """The fields of a dataset that alone predict a task, by the patients of training.

    Args:
        dataset: name of the dataset, which feeds the task.
        table: its fields; those of `stratum_fields` are tried, but no labels.
        task: with one label of two or more classes.
        images: names of the images of the training split; others are not looked at.
        labels: the labels of the dataset, see `labels_of_dataset`; that of the task
            is one in any case.
    Returns: field -> balanced accuracy, the most predictive first, of the fields with
        0.7 or more; for k classes, with 1/k + 0.4 (1 - 1/k) or more.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> icu = make_task(
        ...     name="icu",
        ...     kind="binary",
        ...     classes=("no", "yes"),
        ...     sources={"ward": "icu"},
        ... )
        >>> ids = np.array(list("abcdefgh"), object)
        >>> table = {"image_id": ids, "patient_id": ids, "icu": np.arange(8) % 2}
        >>> table["view"] = np.array(["PA", "AP"] * 4, object)
        >>> table["sex"] = np.array(list("mmffmmff"), object)
        >>> suspect_fields("ward", table, icu, ids)
        {'view': 1.0}
    """
    encoded = task.encode(task_labels(dataset, table, task))
    names = np.array([str(name) for name in table["image_id"]], object)
    used = np.isin(names, list(images)) & (encoded >= 0)
    rows = pd.DataFrame({"image_id": names, "target": encoded, "dataset": dataset})
    rows["patient_id"] = [str(name) for name in table["patient_id"]]
    leave_out = {*labels, *labels_of_dataset(dataset, [task])}
    fields = {
        field: dict(zip(names, texts, strict=True))
        for field, texts in stratum_fields(table, leave_out=leave_out).items()
    }
    found = predictive_fields(rows[used], task, fields)
    chance = 1 / task.n_classes
    least = chance + (1 - chance) * (SUSPECT - 0.5) / 0.5
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    return {field: value for field, value in ranked if value >= least}


def _balanced_accuracy(texts, labels, patient, once, classes) -> float:
    """Of predictions by the value, each without the rows of its own patient."""
    values, value = np.unique(texts, return_inverse=True)
    totals = np.bincount(labels, once, classes)
    if not totals.all():
        return NAN
    counts = np.zeros((len(values), classes))
    np.add.at(counts, (value, labels), once)
    right = np.zeros(classes)
    for one in np.unique(patient):
        own = patient == one
        others, rest = counts.copy(), totals.copy()
        np.subtract.at(others, (value[own], labels[own]), once[own])
        rest -= np.bincount(labels[own], once[own], classes)
        rates = others[value[own]] / np.maximum(rest, 1e-9)
        # Where no other patient has the value, or classes are alike, there is no
        # prediction, which is wrong.
        best = rates.argmax(axis=1)
        is_known = rates.max(axis=1) > np.sort(rates, axis=1)[:, -2] + 1e-9
        hits = (best == labels[own]) & is_known
        right += np.bincount(labels[own], once[own] * hits, classes)
    return float((right / totals).mean())
