"""A difference of two experiments with its variance, from paired test rows.

The variance has components of patients, of training sets and of fits.

Patients: V_p = sum_i psi_i^2 / (n (n - 1)) for the mean influence psi_i of patient i
over all C cross-validations, see `mdmt_tf.statistics.influence`.

Training sets: all backbones and seeds are fitted to the same patients, and share their
luck. No unbiased estimate of this variance exists (Bengio and Grandvalet 2004). As in
the corrected t-test of Nadeau and Bengio 2003, it is taken as a fraction of the first
component; only of the part that the fits share, and less with more patients, as fits to
more patients differ less:
    V_t = sqrt(10 / n) max(0, V_p - W / C)
with the variance W within patients of the C cross-validations. The 10 was chosen by
simulation of linear learners, see `tools/simulate_comparisons.py`.

Fits: the luck of one fit is that of all patients of its fold, so that W is too small.
With the same variance W_f by folds instead of patients, from the metric without each
fold,
    V_f = max(0, W_f - W) / C

Folds: seeds and backbones that are trained on the same folds share the luck of each
fold. No variance between them shows it, and V_t may be too small for it. So the mean of
the models of a repeat has a variance B between its folds, with the luck of patients,
training sets and fits in it, and V_t + V_f is at least
    V_b = max(0, mean of B - V_p over the R repeats) / R
with the V_p of the repeat. If C = 1, this is all that is known of the luck of fits.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.statistics.influence import leave_one_out
from mdmt_tf.statistics.pairing import MODEL, Pair
from mdmt_tf.statistics.support import Support
from mdmt_tf.tasks import Task

# With fewer patients, or fewer of a class that the metric treats apart, a variance
# between patients is not known well enough for any interval.
FEWEST_TO_COMPARE = 10
FEWEST_OF_CLASS_TO_COMPARE = 5
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
    support = Support.of(pair.rows_of_one, task)
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
    repeats = len(pairs) // len(_models(candidate, other))
    values = np.array([a.value - b.value for a, b in pairs])
    left_out = np.array([a.left_out - b.left_out for a, b in pairs])
    of_folds = np.array([a.folds_left_out - b.folds_left_out for a, b in pairs])
    value = float(values.mean())
    reason = _not_estimable(metric, values, left_out, support, folds)
    if reason is not None:
        return Estimate(value, reason=reason)
    found = variance_of_mean(
        values, influences(left_out), of_folds, support.patients, repeats
    )
    return Estimate(value, *found)


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


def variance_of_mean(
    values: np.ndarray,
    influence: np.ndarray,
    folds_left_out: np.ndarray,
    effective: float,
    repeats: int = 1,
) -> tuple[float, float]:
    """Variance of a difference averaged over fits, and its degrees of freedom.

    Args:
        values: (C,), the difference of C cross-validations: the repeats of the first
            model, then those of the next.
        influence: (C, n) of n patients.
        folds_left_out: (C, folds), the difference without each fold.
        effective: effective number of patients, n or less.
        repeats: R, the number of cross-validations of each model.
    Returns: V_p + max(V_t + V_f, V_b) of the module, and the degrees of freedom by the
        rule of Satterthwaite 1946. V_p has 2 / (sum psi^4 / (sum psi^2)^2 - 1 / n),
        between 1 and n - 1: n for a normal distribution, and fewer if few patients
        decide. W_f has one for each fold of C - 1 cross-validations, and B has
        folds - 1 for each repeat.

    Example:
        >>> psi, without = np.array([[-1.0, 1.0] * 20]), np.zeros((1, 5))
        >>> variance, freedom = variance_of_mean(np.zeros(1), psi, without, 40)
        >>> round(variance, 5), freedom  # 40 / (40 * 39) * (1 + 1 / 2)
        (0.03846, 39.0)
    """
    fits, patients = influence.shape
    means = influence.mean(axis=0)
    of_patients = _of_patients(influence)
    scale = patients * (patients - 1)
    within = ((influence - means) ** 2).sum() / max(fits - 1, 1) / scale
    of_sets = max(0.0, of_patients - within / fits)
    of_sets *= np.sqrt(_AS_UNCERTAIN / effective)
    between_fits, freedom_of_fits = _between_fits(values, folds_left_out)
    of_fits = max(0.0, between_fits - within) / fits
    between_folds, freedom_of_folds = _between_folds(folds_left_out, repeats)
    excess = between_folds - np.mean(
        [_of_patients(p) for p in _split(influence, repeats)]
    )
    freedom = _freedom(means)
    # Each part of the sum with its degrees of freedom. V_t is in proportion to V_p, and
    # has those of V_p.
    base, added = of_patients + of_sets, (between_fits / fits, freedom_of_fits)
    total = base + of_fits
    if excess / repeats > total - of_patients:
        base, total = of_patients, of_patients + excess / repeats
        added = between_folds / repeats, freedom_of_folds
    elif not of_fits > 0:
        return float(base), freedom
    uncertain = base**2 / freedom + added[0] ** 2 / added[1]
    return float(total), float(np.clip(total**2 / uncertain, 1, freedom))


def _split(rows: np.ndarray, repeats: int) -> list[np.ndarray]:
    """The rows of each repeat."""
    return [rows[repeat::repeats] for repeat in range(repeats)]


def _of_patients(influence: np.ndarray) -> float:
    """V_p from influences (C, n)."""
    patients = influence.shape[1]
    return (influence.mean(axis=0) ** 2).sum() / (patients * (patients - 1))


def _freedom(psi: np.ndarray) -> float:
    """Degrees of freedom of the sum of squares of influences."""
    squares = psi**2
    excess = (squares**2).sum() / squares.sum() ** 2 - 1 / len(psi)
    freedom = 2 / excess if excess > 0 else np.inf
    return float(np.clip(freedom, 1, len(psi) - 1))


def _parts_of_folds(left_out: np.ndarray) -> np.ndarray | None:
    """What each fold adds to the deviation of the value, from (C, folds).

    Of a mean over folds of equal size, (its value - the mean) / folds. None if a metric
    needs every fold.
    """
    folds = left_out.shape[1]
    if folds == 1:
        return np.zeros_like(left_out)
    if np.isnan(left_out).any():
        return None
    return (folds - 1) / folds * (left_out.mean(axis=1, keepdims=True) - left_out)


def _between_fits(values: np.ndarray, left_out: np.ndarray) -> tuple[float, float]:
    """W_f and its degrees of freedom; 0 where there is one cross-validation."""
    fits, folds = left_out.shape
    parts = _parts_of_folds(left_out)
    if fits == 1 or parts is None:
        return 0.0, 1.0
    parts = parts - parts.mean(axis=0) + ((values - values.mean()) / folds)[:, None]
    return float((parts**2).sum() / (fits - 1)), folds * (fits - 1)


def _between_folds(left_out: np.ndarray, repeats: int) -> tuple[float, float]:
    """The mean of B over the repeats, and its degrees of freedom; 0 for one fold."""
    folds = left_out.shape[1]
    parts = _parts_of_folds(left_out)
    if folds == 1 or parts is None:
        return 0.0, 1.0
    of_repeats = [(p.mean(axis=0) ** 2).sum() for p in _split(parts, repeats)]
    return float(np.mean(of_repeats) * folds / (folds - 1)), repeats * (folds - 1)


def _not_estimable(metric, values, left_out, support, folds) -> str | None:
    title = METRICS[metric].title
    if support.patients < FEWEST_TO_COMPARE:
        return (
            f"There are {support.patients:.3g} patients (effective number); "
            f"{FEWEST_TO_COMPARE} are needed."
        )
    if METRICS[metric].every_class and support.classes:
        rarest = min(support.classes, key=lambda own: own.patients)
        if rarest.patients < FEWEST_OF_CLASS_TO_COMPARE:
            return (
                f"Class {rarest.name} has {rarest.patients:.3g} patients (effective "
                f"number); {FEWEST_OF_CLASS_TO_COMPARE} are needed for {title}."
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
