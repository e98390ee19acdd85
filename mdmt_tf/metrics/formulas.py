"""Formulas of the metrics, computed exactly on gathered predictions.

Keras' streaming metrics ignore sample weights unless told, approximate the AUC with 200
thresholds and report 0 where nothing was labelled. Here everything comes from the whole
list of labelled rows, so any metric can be computed again from `predictions.csv`.

A metric is a function of `WeightedRows` that returns one float64 for each weighting,
(R,), NaN where the metric is not defined on the rows. It has one row in
`mdmt_tf.metrics.table`.

Example:

>>> from mdmt_tf.tasks import make_task
>>> task = make_task(kind="binary", name="death", classes=("no", "yes"))
>>> chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
>>> rows = WeightedRows(task, [0, 0, 1], chances, weights=[[1, 1, 1], [1, 0, 1]])
>>> specificity(rows).tolist()  # of all rows, and without the second
[0.5, 1.0]
"""

import functools

import numpy as np

from mdmt_tf.tasks import Task


class WeightedRows:
    """Labelled rows of one task under R weightings, and what metrics share.

    A row of weight 2 counts as two equal rows, one of weight 0 as none, so that the
    bootstrap can count a row twice without copying it.

    Args:
        task: with a single answer an image, its own only component.
        targets: (n,) class indices, or values; labelled rows only.
        probabilities: (n, n_classes), or (n, 1) values.
        weights: (R, n), not negative; a row of it is one resample.
    """

    def __init__(
        self,
        task: Task,
        targets: np.ndarray,
        probabilities: np.ndarray,
        weights: np.ndarray,
    ):
        self.task = task
        self.probabilities = np.asarray(probabilities, np.float64)
        self.weights = np.asarray(weights, np.float64)
        self.predictions = task.prediction(self.probabilities)
        self.targets = np.asarray(targets).astype(self.predictions.dtype)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """(R, k, k): the weight of the rows of class i that were predicted as j."""
        k = self.task.n_classes
        cell = self.targets * k + self.predictions
        # Sums of whole numbers are exact, in whichever order the matmul takes them.
        cells = (cell[:, None] == np.arange(k**2)).astype(np.float64)
        return (self.weights @ cells).reshape(len(self.weights), k, k)

    @functools.cached_property
    def hits(self) -> np.ndarray:
        """(R, k): the weight of the rows of each class that were predicted right."""
        return np.diagonal(self.counts, axis1=1, axis2=2)

    @functools.cached_property
    def support(self) -> np.ndarray:
        """(R, k): the weight of the rows of each true class."""
        return self.counts.sum(axis=2)

    @functools.cached_property
    def called(self) -> np.ndarray:
        """(R, k): the weight of the rows of each predicted class."""
        return self.counts.sum(axis=1)

    @functools.cached_property
    def total(self) -> np.ndarray:
        """(R,): the weight of all rows."""
        return self.support.sum(axis=1)

    @functools.cached_property
    def recalls(self) -> np.ndarray:
        """(R, k): recall of each class; NaN where it has no row."""
        return _ratio(self.hits, self.support)

    @functools.cached_property
    def precisions(self) -> np.ndarray:
        """(R, k): precision of each class; NaN where it was never predicted."""
        return _ratio(self.hits, self.called)

    @functools.cached_property
    def f1s(self) -> np.ndarray:
        """(R, k): F1 of each class; NaN where it is neither present nor predicted."""
        return _ratio(2 * self.hits, self.support + self.called)

    @functools.cached_property
    def ranked(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of the positive class, or of each of several against the rest: the weight of
        its rows and of all others at each score, from the lowest to the highest.

        Two arrays (R, scores) each; rows of the same score are tied. No column where a
        score is NaN, which has no rank.
        """
        k = self.task.n_classes
        return [
            _rank(self.targets == index, self.probabilities[:, index], self.weights)
            for index in ([1] if k == 2 else range(k))
        ]

    @functools.cached_property
    def squared_error(self) -> np.ndarray:
        """(R,): the mean squared error."""
        return _mean(self.errors**2, self.weights)

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """(n,): prediction minus target, in classes or in units."""
        return self.predictions - self.targets


def loss(rows: WeightedRows) -> np.ndarray:
    """Mean cross-entropy of the true class in nats, or the mean squared error."""
    return _mean(rows.task.row_loss(rows.targets, rows.probabilities), rows.weights)


def accuracy(rows: WeightedRows) -> np.ndarray:
    """Fraction of the rows that are predicted right."""
    return _ratio(rows.hits.sum(axis=1), rows.total)


def f1(rows: WeightedRows) -> np.ndarray:
    """F1 of the positive (last) class when there are two, else `f1_macro`."""
    return rows.f1s[:, 1] if rows.task.n_classes == 2 else f1_macro(rows)


def f1_macro(rows: WeightedRows) -> np.ndarray:
    """Mean of the F1 of the classes that are present or predicted."""
    seen = (rows.support + rows.called > 0).sum(axis=1)
    return _ratio(np.nan_to_num(rows.f1s).sum(axis=1), seen)


def f1_weighted(rows: WeightedRows) -> np.ndarray:
    """Mean of the F1 of the classes, weighted by their rows."""
    return _ratio((rows.support * np.nan_to_num(rows.f1s)).sum(axis=1), rows.total)


def g_mean(rows: WeightedRows) -> np.ndarray:
    """Geometric mean of the recalls of the classes present."""
    present = rows.support > 0
    n_present = present.sum(axis=1)
    product = np.prod(np.where(present, rows.recalls, 1.0), axis=1)
    mean = product ** (1 / np.maximum(n_present, 1))
    return np.where(n_present > 0, mean, np.nan)


def balanced_accuracy(rows: WeightedRows) -> np.ndarray:
    """Arithmetic mean of the recalls of the classes present."""
    n_present = (rows.support > 0).sum(axis=1)
    return _ratio(np.nan_to_num(rows.recalls).sum(axis=1), n_present)


def mcc(rows: WeightedRows) -> np.ndarray:
    """Matthews correlation coefficient, of several classes R_K of Gorodkin.

        (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))

    of s rows, c of them predicted right, p_k of predicted and t_k of true class k. NaN
    where all rows are of one class, or are predicted as one.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category
        correlation coefficient", Comput. Biol. Chem. 28, 367-374.
    """
    total = rows.total
    covariance = rows.hits.sum(axis=1) * total - (rows.called * rows.support).sum(1)
    of_called = total**2 - (rows.called**2).sum(axis=1)
    of_true = total**2 - (rows.support**2).sum(axis=1)
    # Not a rest of rounding where weights are fractions and one class has them all.
    several = ((rows.called > 0).sum(1) > 1) & ((rows.support > 0).sum(1) > 1)
    return _ratio(covariance, np.where(several, np.sqrt(of_called * of_true), 0.0))


def auc(rows: WeightedRows) -> np.ndarray:
    """ROC area of the positive class, or the mean of one-versus-rest over all classes.

    P(a positive row scores above a negative one), a tie counting half. NaN unless every
    class is present.
    """
    areas = []
    for ones, zeros in rows.ranked:
        below = np.cumsum(zeros, axis=1) - zeros / 2
        pairs = ones.sum(axis=1) * zeros.sum(axis=1)
        areas.append(_ratio((ones * below).sum(axis=1), pairs))
    return np.mean(areas, axis=0)


def pr_auc(rows: WeightedRows) -> np.ndarray:
    """Average precision, sum_n (R_n - R_(n - 1)) P_n over the scores from the highest.

    P_n and R_n are precision and recall of the rows that score so high. Of the positive
    class, or the mean of one-versus-rest over all classes; NaN unless each is present.
    """
    areas = []
    for ones, zeros in rows.ranked:
        above, all_above = (
            np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
            for values in (ones, ones + zeros)
        )
        precisions = np.nan_to_num(_ratio(above, all_above))
        areas.append(_ratio((ones * precisions).sum(axis=1), ones.sum(axis=1)))
    return np.mean(areas, axis=0)


def brier(rows: WeightedRows) -> np.ndarray:
    """Mean of (p_1 - y)^2 when there are two classes (Brier 1950 halved, 0 to 1), else
    of sum_c (p_c - [y = c])^2 (0 to 2)."""
    truth = rows.targets[:, None] == np.arange(rows.task.n_classes)
    squares = (rows.probabilities - truth) ** 2
    each = squares[:, 1] if rows.task.n_classes == 2 else squares.sum(axis=1)
    return _mean(each, rows.weights)


# Like F1, none of the next four is 0 for want of rows: a precision without a positive
# prediction is no bad precision.


def recall(rows: WeightedRows) -> np.ndarray:
    """Sensitivity: fraction of the positive rows that are predicted positive."""
    return rows.recalls[:, 1]


def specificity(rows: WeightedRows) -> np.ndarray:
    """Fraction of the negative rows that are predicted negative."""
    return rows.recalls[:, 0]


def precision(rows: WeightedRows) -> np.ndarray:
    """PPV: fraction of the rows predicted positive that are positive."""
    return rows.precisions[:, 1]


def npv(rows: WeightedRows) -> np.ndarray:
    """NPV: fraction of the rows predicted negative that are negative."""
    return rows.precisions[:, 0]


def kappa(rows: WeightedRows) -> np.ndarray:
    """1 - sum_ij (i - j)^2 O_ij / sum_ij (i - j)^2 E_ij with E_ij = O_i. O_.j / n.

    Quadratic weights, Cohen 1968. NaN where truth and predictions are all of one and
    the same class: then chance agrees as well, and 0 / 0 is left.
    """
    index = np.arange(rows.task.n_classes)
    cost = (index[:, None] - index) ** 2
    chance = np.einsum("ri,rj,ij->r", rows.support, rows.called, cost)
    observed = (rows.counts * cost).sum(axis=(1, 2)) * rows.total
    return 1 - _ratio(observed, chance)


def ordinal_index(rows: WeightedRows) -> np.ndarray:
    """Ordinal classification index of Cardoso and Sousa, 0 (perfect) to 1 (worst).

    The least, over all paths from cell (1, 1) to (k, k) by steps down, right or both of
        1 - sum_path n_ij / (N + sum_ij n_ij |i - j|) + beta sum_path n_ij |i - j|
    with beta = 0.75 / (N (k - 1)), N = sum_ij n_ij and gamma = 1: a path beside the
    diagonal collects what errors in one direction leave in order, and pays for it.
    NaN without rows.

    Source: Cardoso and Sousa 2011, "Measuring the performance of ordinal
        classification", IJPRAI 25(8), 1173-1195; beta and the steps as in the authors'
        OrdinalClassificationIndex.m.
    """
    counts, k = rows.counts, rows.task.n_classes
    index = np.arange(k)
    errors = counts * np.abs(index[:, None] - index)
    total = counts.sum(axis=(1, 2))
    scale = total + errors.sum(axis=(1, 2))
    beta = _ratio(0.75 * np.ones(len(counts)), total * (k - 1))
    # Times `scale`, so that whole numbers are summed and a perfect result is 0 exactly.
    cost = (beta * scale)[:, None, None] * errors - counts
    least = np.full((len(counts), k + 1, k + 1), np.inf)
    least[:, 0, 0] = 0.0
    for i, j in np.ndindex(k, k):
        before = np.minimum(least[:, i, j + 1], least[:, i + 1, j])
        least[:, i + 1, j + 1] = np.minimum(before, least[:, i, j]) + cost[:, i, j]
    return 1 + _ratio(least[:, k, k], scale)


def mae(rows: WeightedRows) -> np.ndarray:
    """Mean absolute error, in classes or in units."""
    return _mean(np.abs(rows.errors), rows.weights)


def rmse(rows: WeightedRows) -> np.ndarray:
    """Root of the mean squared error, in classes or in units."""
    return np.sqrt(rows.squared_error)


def r2(rows: WeightedRows) -> np.ndarray:
    """1 - mean squared error / variance of the targets; NaN where these are equal."""
    targets, weights = rows.targets, rows.weights
    centred = targets - _mean(targets, weights)[:, None]
    variance = _ratio((weights * centred**2).sum(axis=1), weights.sum(axis=1))
    # Targets that are all equal have no spread, whatever rounding of their mean says.
    low = np.where(weights > 0, targets, np.inf).min(axis=1, initial=np.inf)
    high = np.where(weights > 0, targets, -np.inf).max(axis=1, initial=-np.inf)
    return 1 - _ratio(rows.squared_error, np.where(high > low, variance, 0.0))


def confusion_matrix(
    task: Task, targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Counts (n_classes, n_classes): row the true class, column the predicted one.

    Example:

    >>> from mdmt_tf.tasks import make_task
    >>> task = make_task(kind="binary", name="death", classes=("no", "yes"))
    >>> confusion_matrix(task, [0, 1, 1], [0, 0, 1]).tolist()
    [[1, 0], [1, 1]]
    """
    counts = np.zeros((task.n_classes, task.n_classes), np.int64)
    np.add.at(counts, (np.asarray(targets, int), np.asarray(predictions, int)), 1)
    return counts


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below; NaN where `below` is not positive."""
    above, below = np.broadcast_arrays(above, below)
    result = np.full(above.shape, np.nan)
    return np.divide(above, below, out=result, where=below > 0)


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i w_ri v_i / sum_i w_ri, (R,)."""
    # No matmul: numpy's pairwise sum does not depend on threads.
    return _ratio((weights * values).sum(axis=1), weights.sum(axis=1))


def _rank(positive, scores, weights) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the positive and of the other rows at each distinct score."""
    if len(scores) == 0 or np.isnan(scores).any():
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    order = np.argsort(scores, kind="stable")
    scores, positive, ordered = scores[order], positive[order], weights.take(order, 1)
    starts = np.flatnonzero(np.r_[True, scores[1:] > scores[:-1]])
    ones = np.add.reduceat(ordered * positive, starts, axis=1)
    zeros = np.add.reduceat(ordered * ~positive, starts, axis=1)
    return ones, zeros
