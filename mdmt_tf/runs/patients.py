"""Predictions and metrics by patient: the mean over the images of each patient.

A patient is the pair of dataset and patient_id. The probability of a patient is the
mean probability of its images that are labelled for the task; of numbers, the mean
value. Images of one patient resemble each other, so metrics by image mostly show the
patients with many images.

The label of a patient is the label of all of its images. Where the images of a patient
contradict each other, the patient has no label: neither the mean, nor the last, nor the
most frequent label was given by anybody, and each of them would judge predictions for
one image by the state at the time of another. Such patients are counted and left out.
A label that follows the course of a disease, such as a severity score, contradicts
itself in many patients. Then the patients that remain are a selection, those who did
not change, and metrics by image come first, see `unit_of`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from mdmt_tf.metrics.computation import mean_of_components, weighted_metrics
from mdmt_tf.runs.predictions import (
    metrics_of_rows,
    probabilities_of,
    rows_of_components,
)
from mdmt_tf.tasks import Task

PATIENT = ["dataset", "patient_id"]

# A task is judged by patient unless more than this fraction of the patients with
# several images have contradicting labels.
_MOST_CONTRADICTORY = 0.05


def by_patient(
    rows: pd.DataFrame, task: Task, within: Sequence[str] = ()
) -> pd.DataFrame:
    """One row for each patient and component of a task.

    Args:
        rows: labelled rows of the task in the columns of `predictions.csv`, of one
            split.
        task: the predicted task.
        within: columns that are kept apart, such as those of the fit: one row for each
            patient and each of their values.
    Returns: the columns `within`, dataset, patient_id, task, images (labelled for the
        component), target, prediction and the columns of the probabilities. The target
        is NaN if the labels of the patient contradict each other. Patients are in the
        order of their names, whatever the order of the rows.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(name="death", kind="binary")
        >>> rows = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "patient_id": ["a", "a", "b"],
        ...         "target": [1.0, 1.0, 0.0],
        ...         "prediction": [0, 1, 0],
        ...         "p_0": [0.75, 0.0, 1.0],
        ...         "p_1": [0.25, 1.0, 0.0],
        ...     }
        ... )
        >>> by_patient(rows, death)[["patient_id", "images", "prediction", "p_1"]]
          patient_id  images  prediction    p_1
        0          a       2           1  0.625
        1          b       1           0  0.000
    """
    tables = [
        _of_component(own, component, [*within, *PATIENT])
        for component, own in rows_of_components(rows, task)
    ]
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def labelled(patients: pd.DataFrame) -> pd.DataFrame:
    """The rows of `by_patient` whose patient has a label."""
    return patients[patients["target"].notna()]


def unit_of(patients: pd.DataFrame) -> Literal["patient", "image"]:
    """What a task is judged by first.

    Args:
        patients: result of `by_patient`.
    Returns: "patient" if a patient has several images, and the labels of at most 5 %
        of such patients contradict each other; otherwise "image".
    """
    several = patients[patients["images"] > 1]
    contradictory = several["target"].isna()
    if len(several) and contradictory.mean() <= _MOST_CONTRADICTORY:
        return "patient"
    return "image"


def metrics_for_patients(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """All metrics of a task in which every patient counts once.

    Where the task is judged by patient, they are the metrics of `by_patient`. Otherwise
    they are metrics of the images, where each image counts 1 / (images of its patient).

    Args: see `by_patient`.
    Returns: n, the number of patients with a label, or of images; then the metrics.
    """
    patients = by_patient(rows, task)
    if unit_of(patients) == "patient":
        return metrics_of_rows(labelled(patients), task)
    found = []
    for component, own in rows_of_components(rows, task):
        images = own.groupby(PATIENT)["target"].transform("size").to_numpy(np.float64)
        chances = probabilities_of(own, component)
        targets = own["target"].to_numpy()
        found.append(weighted_metrics(component, targets, chances, 1 / images[None]))
    means = mean_of_components(found)
    return {"n": len(rows), **{name: float(own[0]) for name, own in means.items()}}


def _of_component(rows: pd.DataFrame, component: Task, keys: list) -> pd.DataFrame:
    columns = list(component.probability_columns)
    # Sums of floats depend on their order, so the rows are sorted.
    groups = rows.sort_values([*keys, "target", *columns]).groupby(keys)
    table = groups.size().rename("images").reset_index()
    table.insert(len(keys), "task", component.name)
    lowest, highest = groups["target"].min(), groups["target"].max()
    table["target"] = lowest.where(lowest == highest).to_numpy(np.float64)
    # The mean of equal numbers may differ from them by rounding, which breaks ties.
    ends = [getattr(groups[columns], end)().to_numpy(float) for end in ("min", "max")]
    means = np.clip(groups[columns].mean().to_numpy(np.float64), *ends)
    # Pandas leaves NaN out of means; a patient with a prediction that is no number has
    # none.
    lost = rows[columns].isna().groupby([rows[key] for key in keys]).any()
    means[lost.to_numpy()] = np.nan
    table["prediction"] = component.prediction(means)
    for index, column in enumerate(columns):
        table[column] = means[:, index]
    return table
