"""Metrics of cross-validated fits, and what each patient contributes to them.

The metric of one cross-validation is that of all its test rows, pooled over the folds.
Areas under curves rank rows by their score, and the scores of two fits cannot be
compared, so they are over pairs of rows of the same fold, and are then summed.

The influence of a patient is (n - 1) times the change of the metric when the patient is
left out, with all images. For a mean over patients, it is the patient's value minus the
mean; for the AUC, it is close to the placements of DeLong et al. 1988.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.rows import Ranked, WeightedRows, ratio
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs.predictions import probabilities_of, rows_of_components
from mdmt_tf.tasks import Task

# Numbers in one block of weights, 32 MB.
_BLOCK = 4_000_000


@dataclasses.dataclass(frozen=True)
class Influences:
    """A metric of one cross-validation, and the same without each patient or fold.

    Attributes:
        value: of all patients, NaN if it is not defined.
        left_out: (n,), without each of the n patients.
        folds_left_out: (folds,), without each fold, in ascending order.
    """

    value: float
    left_out: np.ndarray
    folds_left_out: np.ndarray


def leave_one_out(
    task: Task, rows: pd.DataFrame, metrics: Sequence[str], patients: int
) -> dict[str, Influences]:
    """Metrics of the test rows of one cross-validation, without each patient in turn.

    Args:
        task: the predicted task.
        rows: labelled test rows of all folds, of one model: the columns of
            `predictions.csv`, with the columns `fold` and `patient`, the number of the
            patient from 0.
        metrics: names of `METRICS` that the task has.
        patients: n, the number of patients; those without rows change nothing.
    Returns: metric -> value and values without each patient. A task with several
        components has their means.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"fold": [0, 0, 1], "patient": [0, 1, 2]})
        >>> rows = rows.assign(target=[50.0, 60.0, 70.0], prediction=[51.0, 63.0, 72.0])
        >>> found = leave_one_out(age, rows, ["mae"], 3)["mae"]
        >>> found.value, found.left_out.tolist(), found.folds_left_out.tolist()
        (2.0, [2.5, 1.5, 2.0], [2.0, 2.0])
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for component, own in rows_of_components(rows, task):
        # Components may lack rows of a fold; each has the folds of all.
        folds = np.unique(rows["fold"])
        parts = _of_component(component, own, metrics, patients, folds)
        for name, values in parts.items():
            found[name].append(values)
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    last = 1 + patients
    return {
        name: Influences(float(values[0]), values[1:last], values[last:])
        for name, values in means.items()
    }


def _of_component(task, rows, metrics, patients, folds) -> dict[str, np.ndarray]:
    """Values of each metric: of all rows, without each patient, without each fold."""
    targets = rows["target"].to_numpy(np.float64)
    chances = probabilities_of(rows, task)
    patient, fold = rows["patient"].to_numpy(), rows["fold"].to_numpy()
    found = {}
    pooled = [name for name in metrics if name not in _AREAS]
    if pooled:
        blocks = _pooled(task, targets, chances, patient, pooled, patients)
        without = (folds[:, None] != fold).astype(np.float64)
        whole = WeightedRows(task, targets, chances, without)
        blocks.append({name: METRICS[name].of(whole) for name in pooled})
        found = {n: np.concatenate([b[n] for b in blocks]) for n in pooled}
    areas = [name for name in metrics if name in _AREAS]
    if areas:
        answers = (task, targets, chances, patient, fold)
        found |= _within_folds(answers, areas, patients, folds)
    return found


def _pooled(task, targets, chances, patient, metrics, patients) -> list[dict]:
    blocks = []
    size = max(1, _BLOCK // max(len(targets), 1))
    for start in range(-1, patients, size):
        left_out = np.arange(start, min(start + size, patients))
        weights = (left_out[:, None] != patient).astype(np.float64)
        rows = WeightedRows(task, targets, chances, weights)
        blocks.append({name: METRICS[name].of(rows) for name in metrics})
    return blocks


def _within_folds(answers, metrics, patients, folds) -> dict:
    task, targets, chances, patient, fold = answers
    # Sums over folds of numerator and denominator, for each class against the rest.
    classes = 1 if task.n_classes == 2 else task.n_classes
    size = 1 + patients + len(folds)
    sums = {name: np.zeros((classes, 2, size)) for name in metrics}
    for index_of_fold, number in enumerate(folds):
        of_fold = np.flatnonzero(fold == number)
        own, index = np.unique(patient[of_fold], return_inverse=True)
        weights = np.ones((1 + len(own), len(of_fold)))
        weights[1 + index, np.arange(len(of_fold))] = 0.0
        rows = WeightedRows(task, targets[of_fold], chances[of_fold], weights)
        for name in metrics:
            for place, ranked in enumerate(rows.ranked):
                parts = np.stack(_AREAS[name](ranked))
                parts = np.where(rows.lost, np.nan, parts)
                sums[name][place] += parts[:, :1]
                sums[name][place][:, 1 + own] += parts[:, 1:] - parts[:, :1]
                sums[name][place][:, 1 + patients + index_of_fold] -= parts[:, 0]
    return {
        name: np.mean([ratio(above, below) for above, below in of_classes], axis=0)
        for name, of_classes in sums.items()
    }


def _precisions(ranked: Ranked) -> tuple[np.ndarray, np.ndarray]:
    # In a fold of one class, any order is perfect.
    several = ranked.zeros.sum(axis=1) > 0
    above, below = ranked.precisions()
    return above * several, below * several


_Parts = Callable[[Ranked], tuple[np.ndarray, np.ndarray]]
_AREAS: dict[str, _Parts] = {
    "auc": Ranked.pairs_in_order,
    "pr_auc": _precisions,
}
