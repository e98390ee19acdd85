"""Formulas of the metrics, computed exactly on gathered predictions.

Keras' streaming metrics ignore sample weights by default, approximate the AUC with 200
thresholds, and report 0 when no row is labelled. Here every metric is computed from the
whole list of labelled rows, so it can be computed again from `predictions.csv`.

A metric is a function of `WeightedRows` that returns one float64 for each weighting,
(R,), or NaN if the metric is not defined on the rows. It has one row in
`mdmt_tf.metrics.table`.

Example:
    The specificity of three rows, and of the same rows without the second.

    >>> task = WeightedRows.of("binary", [], np.zeros((0, 2))).task
    >>> chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> rows = WeightedRows(task, [0, 0, 1], chances, weights=[[1, 1, 1], [1, 0, 1]])
    >>> specificity(rows).tolist()
    [0.5, 1.0]
"""

import numpy as np

from mdmt_tf.metrics.rows import WeightedRows, mean, ratio

# A product of two variances of ranks from -1 to 1 below this is a rounding error.
_EQUAL_RANKS = 1e-24


def loss(rows: WeightedRows) -> np.ndarray:
    """Mean cross-entropy in nats, or the mean squared error: `Answer.row_loss`.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> loss(rows).round(3).tolist()
        [0.612]
    """
    return mean(rows.task.row_loss(rows.targets, rows.probabilities), rows.weights)


def accuracy(rows: WeightedRows) -> np.ndarray:
    """Fraction of the rows that are predicted correctly.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> accuracy(rows).round(3).tolist()  # 2 / 4
        [0.5]
    """
    return ratio(rows.hits.sum(axis=1), rows.total)


def f1(rows: WeightedRows) -> np.ndarray:
    """F1 of the positive (last) class of two classes, otherwise `f1_macro`.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> f1(rows).round(3).tolist()  # 2 / (2 + 2)
        [0.5]
    """
    return rows.f1s[:, 1] if rows.task.n_classes == 2 else f1_macro(rows)


def f1_macro(rows: WeightedRows) -> np.ndarray:
    """Mean of the F1 of the classes that are present or predicted.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> f1_macro(rows).round(3).tolist()  # (0.5 + 0.5) / 2
        [0.5]
    """
    seen = (rows.support + rows.predicted > 0).sum(axis=1)
    return ratio(np.nan_to_num(rows.f1s).sum(axis=1), seen)


def f1_weighted(rows: WeightedRows) -> np.ndarray:
    """Mean of the F1 of the classes, weighted by their rows.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> f1_weighted(rows).round(3).tolist()
        [0.5]
    """
    return ratio((rows.support * np.nan_to_num(rows.f1s)).sum(axis=1), rows.total)


def g_mean(rows: WeightedRows) -> np.ndarray:
    """Geometric mean of the recalls of the classes present.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> g_mean(rows).round(3).tolist()  # sqrt(1 / 3 * 1)
        [0.577]
    """
    present = rows.support > 0
    n_present = present.sum(axis=1)
    product = np.prod(np.where(present, rows.recalls, 1.0), axis=1)
    mean = product ** (1 / np.maximum(n_present, 1))
    return np.where(n_present > 0, mean, np.nan)


def g_mean_weighted(rows: WeightedRows) -> np.ndarray:
    """Geometric mean of the weighted sensitivity and the weighted specificity.

        sqrt(sum_c n_c r_c / n  *  sum_c n_c s_c / n)

    for n_c rows of class c, its recall r_c and its specificity s_c, the fraction of the
    other rows that are not predicted as c. The first factor is the accuracy. NaN if all
    rows are of one class.

    Source: `imblearn.metrics.geometric_mean_score(average="weighted")`, the G-mean of
        the code of Ruffini et al. 2024.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> # sqrt(2 / 4 * (3 * 1 + 1 * 1 / 3) / 4)
        >>> g_mean_weighted(rows).round(3).tolist()
        [0.645]
    """
    negatives = rows.total[:, None] - rows.support
    specificities = ratio(negatives - (rows.predicted - rows.hits), negatives)
    weighted = (rows.support * np.nan_to_num(specificities)).sum(axis=1)
    product = rows.hits.sum(axis=1) * weighted
    # With fractional weights in a single class, `negatives` is a rounding error.
    several = (rows.support > 0).sum(axis=1) > 1
    return np.sqrt(ratio(product, np.where(several, rows.total**2, 0.0)))


def balanced_accuracy(rows: WeightedRows) -> np.ndarray:
    """Arithmetic mean of the recalls of the classes present.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> balanced_accuracy(rows).round(3).tolist()  # (1 / 3 + 1) / 2
        [0.667]
    """
    n_present = (rows.support > 0).sum(axis=1)
    return ratio(np.nan_to_num(rows.recalls).sum(axis=1), n_present)


def mcc(rows: WeightedRows) -> np.ndarray:
    """Matthews correlation coefficient; for several classes R_K of Gorodkin.

        (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))

    for s rows, c of them predicted correctly, p_k with the predicted class k and t_k
    with the true class k. NaN if all rows have one true or one predicted class.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category
        correlation coefficient", Comput. Biol. Chem. 28, 367-374.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> mcc(rows).round(3).tolist()  # 1 / sqrt(3 * 1 * 3 * 1)
        [0.333]
    """
    total = rows.total
    covariance = rows.hits.sum(axis=1) * total - (rows.predicted * rows.support).sum(1)
    of_predicted = total**2 - (rows.predicted**2).sum(axis=1)
    of_true = total**2 - (rows.support**2).sum(axis=1)
    # With fractional weights in a single class, the denominator is a rounding error.
    several = ((rows.predicted > 0).sum(1) > 1) & ((rows.support > 0).sum(1) > 1)
    return ratio(covariance, np.where(several, np.sqrt(of_predicted * of_true), 0.0))


def auc(rows: WeightedRows) -> np.ndarray:
    """ROC area of the positive class, or the mean of one-versus-rest over all classes.

    P(a positive row scores above a negative one), where a tie counts half. NaN unless
    every class is present.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> auc(rows).round(3).tolist()
        [1.0]
    """
    areas = [ratio(*ranked.pairs_in_order()) for ranked in rows.ranked]
    return np.mean(areas, axis=0)


def pr_auc(rows: WeightedRows) -> np.ndarray:
    """Average precision, sum_n (R_n - R_(n - 1)) P_n over the scores from the highest.

    P_n and R_n are precision and recall at the n-th highest score. It is that of the
    positive class, or the mean of one-versus-rest over all classes. NaN unless every
    class is present.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> pr_auc(rows).round(3).tolist()
        [1.0]
    """
    areas = [ratio(*ranked.precisions()) for ranked in rows.ranked]
    return np.mean(areas, axis=0)


def brier(rows: WeightedRows) -> np.ndarray:
    """Brier score, mean of (p_1 - y)^2 or of sum_c (p_c - [y = c])^2.

    With two classes it is the first, which is half of Brier 1950 and from 0 to 1. With
    more classes it is the second, from 0 to 2.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> brier(rows).round(3).tolist()
        [0.225]
    """
    classes = rows.task.n_classes
    truth = rows.targets[:, None] == np.arange(classes)
    # A derived answer has its value beside the probabilities.
    squares = (rows.probabilities[:, :classes] - truth) ** 2
    each = squares[:, 1] if classes == 2 else squares.sum(axis=1)
    return mean(each, rows.weights)


# Like F1, the next four are NaN, not 0, without rows: a precision without a positive
# prediction is not a bad precision.


def recall(rows: WeightedRows) -> np.ndarray:
    """Sensitivity: fraction of the positive rows that are predicted positive.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> recall(rows).round(3).tolist()  # 1 / 1
        [1.0]
    """
    return rows.recalls[:, 1]


def specificity(rows: WeightedRows) -> np.ndarray:
    """Fraction of the negative rows that are predicted negative.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> specificity(rows).round(3).tolist()  # 1 / 3
        [0.333]
    """
    return rows.recalls[:, 0]


def precision(rows: WeightedRows) -> np.ndarray:
    """PPV: fraction of the rows predicted positive that are positive.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> precision(rows).round(3).tolist()  # 1 / 3
        [0.333]
    """
    return rows.precisions[:, 1]


def npv(rows: WeightedRows) -> np.ndarray:
    """NPV: fraction of the rows predicted negative that are negative.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> npv(rows).round(3).tolist()  # 1 / 1
        [1.0]
    """
    return rows.precisions[:, 0]


def mae(rows: WeightedRows) -> np.ndarray:
    """Mean absolute error, in classes or in units.

    Example:
        >>> rows = WeightedRows.of("regression", [10.0, 20.0], [[11.0], [23.0]])
        >>> mae(rows).round(3).tolist()
        [2.0]
    """
    return mean(np.abs(rows.errors), rows.weights)


def rmse(rows: WeightedRows) -> np.ndarray:
    """Root of the mean squared error, in classes or in units.

    Example:
        >>> rows = WeightedRows.of("regression", [10.0, 20.0], [[11.0], [23.0]])
        >>> rmse(rows).round(3).tolist()
        [2.236]
    """
    return np.sqrt(rows.squared_error)


def spearman(rows: WeightedRows) -> np.ndarray:
    """Rank correlation of predictions and targets; NaN if all of one are equal.

    Equal values share their mean rank. A weight of 2 is the same as two equal rows.

    Source: Spearman 1904; `scipy.stats.spearmanr` for equal weights.

    Example:
        >>> rows = WeightedRows.of("regression", [1.0, 2.0, 3.0], [[1.0], [4.0], [3.0]])
        >>> spearman(rows).round(3).tolist()  # 1 - 6 * 2 / (3 * 8)
        [0.5]
    """
    total = rows.weights.sum(axis=1)
    # Between -1 and 1, 0 in the mean.
    one, other = (
        ratio(2 * _middle_ranks(values, rows.weights), total[:, None]) - 1
        for values in (rows.predictions, rows.targets)
    )
    covariance, *variances = (
        ratio((rows.weights * product).sum(axis=1), total)
        for product in (one * other, one**2, other**2)
    )
    # Rounding of equal ranks is no variance.
    product = variances[0] * variances[1]
    return ratio(covariance, np.sqrt(np.where(product > _EQUAL_RANKS, product, 0.0)))


def _middle_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R, n): the weight of the rows with smaller values, and half of equal ones."""
    order = np.argsort(values, kind="stable")
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    mass = np.add.reduceat(weights.take(order, 1), starts, axis=1)
    return (np.cumsum(mass, axis=1) - mass / 2).take(group, 1)


def r2(rows: WeightedRows) -> np.ndarray:
    """1 - mean squared error / variance of the targets; NaN if all targets are equal.

    Example:
        >>> rows = WeightedRows.of("regression", [10.0, 20.0], [[11.0], [23.0]])
        >>> r2(rows).round(3).tolist()
        [0.8]
    """
    targets, weights = rows.targets, rows.weights
    centred = targets - mean(targets, weights)[:, None]
    variance = ratio((weights * centred**2).sum(axis=1), weights.sum(axis=1))
    # Equal targets have no variance, even if rounding of their mean gives some.
    low = np.where(weights > 0, targets, np.inf).min(axis=1, initial=np.inf)
    high = np.where(weights > 0, targets, -np.inf).max(axis=1, initial=-np.inf)
    return 1 - ratio(rows.squared_error, np.where(high > low, variance, 0.0))
