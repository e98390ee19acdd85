"""Metrics of one run with intervals, by patient and by image. No TensorFlow."""

from collections.abc import Sequence

import pandas as pd

from mdmt_tf.runs.patients import PATIENT, by_patient, labelled, unit_of
from mdmt_tf.runs.predictions import labelled_rows, metrics_of_rows
from mdmt_tf.statistics.interval import RESAMPLES, Interval
from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.statistics.support import Support
from mdmt_tf.tasks import Task

# The splits of a run that the model was not fitted to.
JUDGED_SPLITS = ("validation", "test")


def assess(
    table: pd.DataFrame,
    tasks: Sequence[Task],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict]:
    """Metrics of each task with 95 % intervals, by patient and by image.

    Both intervals come from resampling patients, so the images of a patient stay
    together, see `bootstrap_intervals`. They cover other patients like these with the
    same fitted model. They are expanded for few patients; of a metric that treats the
    classes apart, for the patients of the rarest class. Where patients have unequal
    numbers of images, the effective number of patients counts, see
    `effective_patients`.

    Args:
        table: predictions of one split, in the columns of `predictions.csv`. Rows
            without a label do not count.
        tasks: tasks to assess.
        resamples: number of bootstrap resamples.
        seed: seed of the draws.
    Returns: {task: {"unit", "by_patient", "by_image"}}, plain values.
        unit: "patient" or "image", what the task is judged by first, see `unit_of`.
        by_patient: n, the number of labels of patients; patients; contradictory, the
            number of patients that are left out because their labels differ; metrics.
        by_image: n, the number of labels of images; patients; metrics, the values of
            `metrics.json`.
        metrics: {name: {"value", "low", "high"}}. The ends are NaN where an interval is
            not estimable; "reason" then says why, see `bootstrap_intervals`.
            "undefined", the fraction of resamples without the metric, is added when it
            is not 0. A resample that lacks a class does not define the metrics of all
            classes, see `Metric.needs_all`.
        missing_classes: names of the classes without a label, added to by_patient and
            by_image when there are any. Metrics of all classes are then NaN.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> table = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "death",
        ...         "patient_id": ["a", "a", "b", "c", "d", "e", "f"],
        ...         "target": [1, 1, 1, 1, 0, 0, 0],
        ...         "prediction": [0, 1, 1, 0, 0, 0, 0],
        ...         "p_0": [0.6, 0.2, 0.4, 0.7, 0.9, 0.8, 0.7],
        ...         "p_1": [0.4, 0.8, 0.6, 0.3, 0.1, 0.2, 0.3],
        ...     }
        ... )
        >>> found = assess(table, [death])["death"]
        >>> found["unit"], found["by_patient"]["n"], found["by_image"]["n"]
        ('patient', 6, 7)
        >>> round(found["by_patient"]["metrics"]["accuracy"]["value"], 3)
        0.833
    """
    return {
        task.name: _of_task(labelled_rows(table, task), task, resamples, seed)
        for task in tasks
    }


def assess_splits(
    table: pd.DataFrame, tasks: Sequence[Task], **options
) -> dict[str, dict]:
    """{split: result of `assess`} of `JUDGED_SPLITS`, as in `assessment.json`.

    Args:
        table: predictions of a run, as in `predictions.csv`.
        tasks: tasks of the run.
        options: see `assess`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> table = pd.DataFrame(
        ...     {
        ...         "split": ["train", "test"],
        ...         "dataset": "ward",
        ...         "task": "age",
        ...         "patient_id": ["a", "b"],
        ...         "target": [50.0, 60.0],
        ...         "prediction": [51.0, 63.0],
        ...     }
        ... )
        >>> found = assess_splits(table, [age])
        >>> list(found), found["test"]["age"]["by_image"]["metrics"]["mae"]["value"]
        (['test'], 3.0)
    """
    return {
        split: assess(rows, tasks, **options)
        for split in JUDGED_SPLITS
        if len(rows := table[table["split"] == split])
    }


def _of_task(rows: pd.DataFrame, task: Task, resamples: int, seed: int) -> dict:
    patients = by_patient(rows, task)
    contradictory = patients.loc[patients["target"].isna(), PATIENT]
    of_image = _metrics(rows, task, resamples, seed)
    of_patient = of_image
    if len(patients) != len(rows):
        of_patient = _metrics(labelled(patients), task, resamples, seed)
    counts = {
        "n": of_patient["n"],
        "patients": of_patient["patients"],
        "contradictory": len(contradictory.drop_duplicates()),
    }
    return {
        "unit": unit_of(patients),
        "by_patient": counts | of_patient,
        "by_image": of_image,
    }


def _metrics(rows: pd.DataFrame, task: Task, resamples: int, seed: int) -> dict:
    """Counts, and metrics with intervals, of labelled rows."""
    values = metrics_of_rows(rows, task)
    patients = len(rows[PATIENT].drop_duplicates())
    result = {"n": values.pop("n"), "patients": patients}
    missing = Support.of(rows, task).missing
    if missing:
        result["missing_classes"] = list(missing)
    intervals = bootstrap_intervals(task, [rows], resamples=resamples, seed=seed)
    result["metrics"] = {
        name: entry(value, intervals[name]) for name, value in values.items()
    }
    return result


def entry(value: float, interval: Interval) -> dict[str, float]:
    """A value with its interval as plain values, see `assess`.

    Example:
        >>> entry(0.5, Interval(low=0.4, high=0.7, undefined=0.0))
        {'value': 0.5, 'low': 0.4, 'high': 0.7}
    """
    result = {"value": value, "low": float("nan"), "high": float("nan")}
    # Resamples that all agree know nothing about other patients.
    if interval.low < interval.high:
        result |= {"low": interval.low, "high": interval.high}
    if interval.undefined > 0:
        result["undefined"] = interval.undefined
    if interval.reason:
        result["reason"] = interval.reason
    return result
