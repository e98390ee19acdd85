"""A difference of two experiments with its variance, from paired test rows.

The variance has two components, of patients and of training sets.

Patients: V_p = sum_i psi_i^2 / (n (n - 1)) for the mean influence psi_i of patient i
over all fits, see `mdmt_tf.statistics.influence`.

Training sets: all backbones and seeds are fitted to the same patients, and share their
luck. No unbiased estimate of this variance exists (Bengio and Grandvalet 2004). As in
the corrected t-test of Nadeau and Bengio 2003, it is taken as a fraction of the other
component; only of the part that the fits share, and less with more patients, as fits to
more patients differ less:
    V = V_p + sqrt(10 / n) max(0, V_p - W / C)
with the variance W within patients of the C cross-validations. The 10 was chosen by
simulation of linear learners, see `tools/simulate_comparisons.py`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.statistics.influence import leave_one_out
from mdmt_tf.statistics.pairing import MODEL, Pair, Support
from mdmt_tf.tasks import Task

# With fewer patients, or fewer of a class that the metric treats apart, a variance
# between patients is not known well enough for any interval.
FEWEST_PATIENTS = 10
FEWEST_OF_CLASS = 5
# With so many patients, training sets would add as much variance as patients do.
_AS_UNCERTAIN = 10


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A difference, candidate - other, averaged over backbones, seeds and repeats.

    Attributes:
        value: the difference; NaN if a metric is not defined.
        variance: of the value over datasets; NaN if it is not estimable.
        freedom: degrees of freedom of the variance.
        reason: a sentence if the variance is not estimable.
    """

    value: float
    variance: float = float("nan")
    freedom: float = float("nan")
    reason: str | None = None


def estimate(
    pair: Pair, task: Task, metrics: Sequence[str], folds: int
) -> dict[str, Estimate]:
    """The difference in each metric, of experiments that can be paired.

    Args:
        pair: rows of both experiments.
        task: the predicted task.
        metrics: names of `METRICS` that the task has.
        folds: number of folds of one repeat.

    Example:
        >>> import pandas as pd
        >>> from mdmt_tf.statistics.pairing import paired
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": [f"p{i}" for i in range(12)]})
        >>> rows = rows.assign(image_id=rows["patient_id"], dataset="ward", task="age")
        >>> rows = rows.assign(backbone="resnet18", seed=0, fold=[0, 1] * 6)
        >>> rows = rows.assign(target=1.0, prediction=2.0)
        >>> pair = paired(rows, rows.assign(prediction=[2.0, 5.0] * 6), age, folds=2)
        >>> estimate(pair, age, ["mae"], folds=2)["mae"].value  # 1 - (1 + 4) / 2
        -1.5
    """
    models = [
        _of_models(rows, task, metrics, pair.patients)
        for rows in (pair.candidate, pair.other)
    ]
    support = Support(pair.candidate, task)
    return {name: _of_metric(name, *models, support, folds) for name in metrics}


def _of_models(rows, task, metrics, patients) -> dict:
    """{(backbone, seed): {repeat: metrics}}, see `leave_one_out`."""
    found: dict = {}
    for (*model, repeat), own in rows.groupby([*MODEL, "repeat"]):
        values = leave_one_out(task, own, metrics, patients)
        found.setdefault(tuple(model), {})[repeat] = values
    return found


def _of_metric(metric, candidate, other, support, folds) -> Estimate:
    """The difference in a metric, from the results of `_of_models`."""
    pairs = [
        (of_candidate[repeat][metric], of_other[repeat][metric])
        for of_candidate, of_other in _models(candidate, other)
        for repeat in of_candidate
    ]
    values = np.array([a.value - b.value for a, b in pairs])
    left_out = np.array([a.left_out - b.left_out for a, b in pairs])
    value = float(values.mean())
    reason = _not_estimable(metric, values, left_out, support, folds)
    if reason is not None:
        return Estimate(value, reason=reason)
    psi = influences(left_out)
    return Estimate(value, *variance_of_mean(psi, support.patients))


def _models(candidate: dict, other: dict) -> list[tuple[dict, dict]]:
    """Pairs of models; a single one is paired with each of the other experiment."""
    if len(other) == 1:
        return [(own, *other.values()) for own in candidate.values()]
    if len(candidate) == 1:
        return [(*candidate.values(), own) for own in other.values()]
    return [(candidate[model], other[model]) for model in candidate]


def influences(left_out: np.ndarray) -> np.ndarray:
    """(C, n) influences psi from a metric without each of n patients, (C, n).

    Example:
        >>> influences(np.array([[2.5, 1.5, 2.0]])).tolist()  # of 1, 3 and 2
        [[-1.0, 1.0, 0.0]]
    """
    patients = left_out.shape[1]
    return (patients - 1) * (left_out.mean(axis=1, keepdims=True) - left_out)


def variance_of_mean(influence: np.ndarray, effective: float) -> tuple[float, float]:
    """Variance of a difference averaged over fits, and its degrees of freedom.

    Args:
        influence: (C, n) of n patients in C cross-validations.
        effective: effective number of patients, n or less.
    Returns: V of the module, and the degrees of freedom of a variance of the mean
        influences psi, 2 / (sum psi^4 / (sum psi^2)^2 - 1 / n), between 1 and n - 1.
        They are n for a normal distribution and fewer if few patients decide.

    Example:
        >>> variance, freedom = variance_of_mean(np.array([[-1.0, 1.0] * 20]), 40)
        >>> round(variance, 5), freedom  # 40 / (40 * 39) * (1 + 1 / 2)
        (0.03846, 39.0)
    """
    fits, patients = influence.shape
    means = influence.mean(axis=0)
    squares = means**2
    scale = patients * (patients - 1)
    of_patients = squares.sum() / scale
    shared = of_patients
    if fits > 1:
        within = ((influence - means) ** 2).sum() / (fits - 1) / scale
        shared = max(0.0, of_patients - within / fits)
    fraction = np.sqrt(_AS_UNCERTAIN / effective)
    excess = (squares**2).sum() / squares.sum() ** 2 - 1 / patients
    freedom = 2 / excess if excess > 0 else np.inf
    freedom = float(np.clip(freedom, 1, patients - 1))
    return float(of_patients + fraction * shared), freedom


def _not_estimable(metric, values, left_out, support, folds) -> str | None:
    title = METRICS[metric].title
    if support.patients < FEWEST_PATIENTS:
        return (
            f"There are {support.patients:.3g} patients (effective number); "
            f"{FEWEST_PATIENTS} are needed."
        )
    if METRICS[metric].every_class and support.classes:
        name, patients = support.rarest()
        if patients < FEWEST_OF_CLASS:
            return (
                f"Class {name} has {patients:.3g} patients (effective number); "
                f"{FEWEST_OF_CLASS} are needed for {title}."
            )
    if np.isnan(values).any():
        return f"{title} is not defined for {np.isnan(values).sum()} of the pairs."
    if np.isnan(left_out).any():
        return f"{title} is not defined without one of the patients."
    if folds == 1 and len(values) == 1:
        return "There is one fit of each experiment, so their spread is not known."
    if np.ptp(left_out.mean(axis=0)) < 1e-12:
        return "No patient makes a difference, so their spread is not known."
    return None
