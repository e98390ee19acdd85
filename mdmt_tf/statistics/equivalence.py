"""The correlated Bayesian t-test with a region of practical equivalence."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.pairing import MODEL, paired
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Probabilities of the true mean difference; they sum to 1.

    Attributes:
        less: it is below the region of practical equivalence.
        equivalent: it is within the region.
        greater: it is above the region.
    """

    less: float
    equivalent: float
    greater: float


def bayesian_t(
    differences: Sequence[float], *, folds: int, rope: float
) -> Posterior | None:
    """The correlated Bayesian t-test of repeated cross-validation.

    With a flat prior, the posterior of the mean difference is Student's t with n - 1
    degrees of freedom, centred at the mean of the n differences, with the squared scale
        (1 / n + rho / (1 - rho)) s^2,   rho = n_test / (n_test + n_train) = 1 / folds
    of the correction of Nadeau and Bengio 2003.

    Args:
        differences: candidate - other, one for each fold of each repeat, averaged over
            backbones and seeds, see `fold_differences`.
        folds: number of folds of one repeat; at least 2.
        rope: half the width of the region of practical equivalence, in the metric's
            unit: differences from -rope to rope do not matter in practice.
    Returns: None if it is not estimable: with fewer than two differences, a NaN, or
        equal differences.
    Raises: ValueError for a single fold or a negative rope.
    Source: Corani and Benavoli 2015, "A Bayesian approach for comparing cross-validated
        algorithms on multiple data sets", Machine Learning 100, eq. 7-9.

    Example:
        >>> found = bayesian_t([0.05, 0.01, 0.03, 0.02, 0.04], folds=5, rope=0.01)
        >>> round(found.greater, 2), round(found.equivalent, 2)
        (0.93, 0.06)
    """
    if folds < 2 or rope < 0:
        raise ValueError(
            f"Expected folds >= 2 and rope >= 0. Received: {folds}, {rope}."
        )
    values = np.asarray(differences, np.float64)
    n = len(values)
    if n < 2 or np.isnan(values).any() or np.ptp(values) < 1e-12:
        return None
    rho = 1 / folds
    scale = np.sqrt((1 / n + rho / (1 - rho)) * values.var(ddof=1))
    posterior = scipy.stats.t(n - 1, values.mean(), scale)
    less, greater = float(posterior.cdf(-rope)), float(posterior.sf(rope))
    return Posterior(less, 1.0 - less - greater, greater)


def fold_differences(
    candidate_rows: pd.DataFrame,
    other_rows: pd.DataFrame,
    task: Task,
    metric: str,
    *,
    folds: int,
) -> np.ndarray | None:
    """Candidate - other in each fold of each repeat, averaged over backbones and seeds.

    Args: see `mdmt_tf.statistics.primary.compare_metrics`.
    Returns: (repeats * folds,), NaN where the metric is not defined; None if the
        experiments cannot be paired.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame({"patient_id": ["a", "b"], "image_id": ["1", "2"]})
        >>> rows = rows.assign(dataset="ward", task="age", target=1.0, prediction=2.0)
        >>> rows = rows.assign(backbone="resnet18", seed=0, fold=[0, 1])
        >>> worse = rows.assign(prediction=[3.0, 4.0])
        >>> fold_differences(rows, worse, age, "mae", folds=2).tolist()  # 1 - 2, 1 - 3
        [-1.0, -2.0]
    """
    pair = paired(candidate_rows, other_rows, task, folds)
    if pair.reason is not None:
        return None
    means = []
    for rows in (pair.candidate, pair.other):
        groups = rows.groupby([*MODEL, "fold"])
        keys = [key for key, _ in groups]
        values = []
        for _, own in groups:
            values.append(metrics_of_rows(own, task)[metric])
        index = pd.MultiIndex.from_tuples(keys, names=[*MODEL, "fold"])
        # A mean over fewer models than stated would be another one.
        table = pd.Series(values, index).unstack("fold")
        means.append(table.mean(axis=0, skipna=False).sort_index().to_numpy())
    return means[0] - means[1]
