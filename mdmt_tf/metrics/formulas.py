"""Metrics, computed exactly on gathered predictions.

Keras' streaming metrics ignore sample weights unless told, approximate the AUC with 200
thresholds and report 0 where nothing was labelled. Here everything comes from the whole
list of labelled rows, so any metric can be computed again from `predictions.csv`.
NaN stands for "not defined on these rows".

`weighted_metrics` is the one place of the formulas; rows carry weights, so that the
bootstrap can count a row twice without copying it.
"""

import numpy as np

from mdmt_tf.tasks import Kind, Task

# Below the smallest normal float32 a probability is rounding; bounds the loss of one
# row by 87.3.
_SMALLEST = float(np.finfo(np.float32).tiny)

# Any other metric is better when it is greater.
LOWER_IS_BETTER = ("loss", "brier", "mae", "rmse", "ordinal_index")


def task_metrics(
    task: Task, targets: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """All metrics of one task.

    Args:
        task: decides what is computed.
        targets: (n,) class indices, or values for regression; labelled rows only.
        probabilities: (n, n_classes), or (n, 1) values for regression.
    Returns: n, the rows counted (int), then the metrics of `weighted_metrics` with
        every row counted once; without rows all of them are NaN.
    """
    n = len(targets)
    metrics = weighted_metrics(task, targets, probabilities, np.ones((1, n)))
    return {"n": n, **{name: float(values[0]) for name, values in metrics.items()}}


def weighted_metrics(
    task: Task, targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """All metrics of one task under many weightings of the same rows.

    A row of weight 2 counts as two equal rows, one of weight 0 as none.

    Args:
        task: decides what is computed.
        targets: (n,) class indices, or values for regression; labelled rows only.
        probabilities: (n, n_classes), or (n, 1) values for regression.
        weights: (R, n), not negative; a row of it is one resample.
    Returns: name -> float64 (R,), NaN where a metric is not defined.
        loss: cross-entropy of the true class in nats, or the mean squared error.
        Classes: accuracy; f1, of the positive (last) class when there are two, else
        the mean over classes (macro); f1_macro; f1_weighted, the mean of the F1 of
        the classes weighted by their rows; g_mean, the geometric mean of the recalls;
        balanced_accuracy, their arithmetic mean, both over the classes present in
        `targets`; auc, of the positive class, or the mean of one-versus-rest over all
        classes, NaN unless every class is present; brier, the mean of (p_1 - y)^2
        when there are two classes (Brier 1950 halved, 0 to 1), else of
        sum_c (p_c - [y = c])^2 (0 to 2). Two classes: recall (sensitivity) and
        specificity, the shares of the positive and of the negative rows that are so
        called; precision and npv, the shares of those called positive, or negative,
        that are so. Ordered classes (ordinal, or from cut points): kappa, Cohen's with
        quadratic weights; ordinal_index, see `_ordinal_index`. Ordinal also mae and
        rmse, in classes. Regression: mae, rmse, r2.
    """
    targets = np.asarray(targets)
    probabilities = np.asarray(probabilities, np.float64)
    weights = np.asarray(weights, np.float64)
    predictions = task.to_prediction(probabilities)
    if task.kind is Kind.REGRESSION:
        return _regression(targets.astype(np.float64), predictions, weights)
    targets = targets.astype(np.int64)
    counts = _confusion_counts(task.n_classes, targets, predictions, weights)
    result = {
        "loss": _mean(_cross_entropy(targets, probabilities), weights),
        **_from_counts(counts),
        "auc": _auc(targets, probabilities, weights),
        "brier": _mean(_brier(targets, probabilities), weights),
    }
    if task.n_classes == 2:
        result |= _of_two_classes(counts)
    if task.kind is Kind.ORDINAL or task.cut_points:
        result["kappa"] = _quadratic_kappa(counts)
        result["ordinal_index"] = _ordinal_index(counts)
    if task.kind is Kind.ORDINAL:
        errors = predictions - targets
        result["mae"] = _mean(np.abs(errors), weights)
        result["rmse"] = np.sqrt(_mean(errors**2, weights))
    return result


def confusion_matrix(
    task: Task, targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Counts (n_classes, n_classes): row the true class, column the predicted one."""
    counts = np.zeros((task.n_classes, task.n_classes), np.int64)
    np.add.at(counts, (np.asarray(targets, int), np.asarray(predictions, int)), 1)
    return counts


def improves(metric: str, value: float, best: float) -> bool:
    """Whether `value` is better than `best`; NaN never is, anything beats NaN."""
    if np.isnan(value):
        return False
    if np.isnan(best):
        return True
    return value < best if metric in LOWER_IS_BETTER else value > best


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below; NaN where `below` is not positive."""
    above, below = np.broadcast_arrays(above, below)
    result = np.full(above.shape, np.nan)
    return np.divide(above, below, out=result, where=below > 0)


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i w_ri v_i / sum_i w_ri, (R,)."""
    # No matmul: numpy's pairwise sum does not depend on threads.
    return _ratio((weights * values).sum(axis=1), weights.sum(axis=1))


def _cross_entropy(targets, probabilities) -> np.ndarray:
    chosen = probabilities[np.arange(len(targets)), targets]
    return -np.log(np.maximum(chosen, _SMALLEST))


def _brier(targets, probabilities) -> np.ndarray:
    truth = targets[:, None] == np.arange(probabilities.shape[1])
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] - truth[:, 1]) ** 2
    return ((probabilities - truth) ** 2).sum(axis=1)


def _confusion_counts(n_classes, targets, predictions, weights) -> np.ndarray:
    """(R, k, k): the weight of the rows of true class i that were called j."""
    cell = targets * n_classes + predictions
    # Sums of whole numbers are exact, in whichever order the matmul takes them.
    counts = weights @ (cell[:, None] == np.arange(n_classes**2)).astype(np.float64)
    return counts.reshape(len(weights), n_classes, n_classes)


def _from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of the confusion counts (R, k, k)."""
    hits = np.diagonal(counts, axis1=1, axis2=2)
    support, called = counts.sum(axis=2), counts.sum(axis=1)
    total = support.sum(axis=1)
    present = support > 0
    n_present = present.sum(axis=1)
    recalls = _ratio(hits, support)
    # A class neither present nor predicted has no F1; it takes no part in the mean.
    f1 = _ratio(2 * hits, support + called)
    f1_or_0 = np.nan_to_num(f1)
    f1_macro = _ratio(f1_or_0.sum(axis=1), (support + called > 0).sum(axis=1))
    product = np.prod(np.where(present, recalls, 1.0), axis=1)
    g_mean = product ** (1 / np.maximum(n_present, 1))
    return {
        "accuracy": _ratio(hits.sum(axis=1), total),
        "f1": f1[:, 1] if counts.shape[1] == 2 else f1_macro,
        "f1_macro": f1_macro,
        "f1_weighted": _ratio((support * f1_or_0).sum(axis=1), total),
        "g_mean": np.where(n_present > 0, g_mean, np.nan),
        "balanced_accuracy": _ratio(np.nan_to_num(recalls).sum(axis=1), n_present),
    }


def _of_two_classes(counts: np.ndarray) -> dict[str, np.ndarray]:
    """What the cells (R, 2, 2) say of either class; NaN where it is not there.

    Like F1, none of them is 0 for want of rows: a precision without a positive call is
    no bad precision.
    """
    hits = np.diagonal(counts, axis1=1, axis2=2)
    of_true = _ratio(hits, counts.sum(axis=2))
    of_called = _ratio(hits, counts.sum(axis=1))
    return {
        "recall": of_true[:, 1],
        "specificity": of_true[:, 0],
        "precision": of_called[:, 1],
        "npv": of_called[:, 0],
    }


def _quadratic_kappa(counts: np.ndarray) -> np.ndarray:
    """1 - sum_ij (i - j)^2 O_ij / sum_ij (i - j)^2 E_ij with E_ij = O_i. O_.j / n.

    Cohen 1968. NaN where truth and predictions are all of one and the same class:
    then chance agrees as well, and 0 / 0 is left.
    """
    index = np.arange(counts.shape[1])
    cost = (index[:, None] - index) ** 2
    support, called = counts.sum(axis=2), counts.sum(axis=1)
    chance = np.einsum("ri,rj,ij->r", support, called, cost)
    observed = (counts * cost).sum(axis=(1, 2)) * support.sum(axis=1)
    return 1 - _ratio(observed, chance)


def _ordinal_index(counts: np.ndarray) -> np.ndarray:
    """Ordinal classification index of Cardoso and Sousa, 0 (perfect) to 1 (worst).

    The least, over all paths from cell (1, 1) to (k, k) by steps down, right or both of
        1 - sum_path n_ij / (N + sum_ij n_ij |i - j|) + beta sum_path n_ij |i - j|
    with beta = 0.75 / (N (k - 1)), N = sum_ij n_ij and gamma = 1: a path beside the
    diagonal collects what errors in one direction leave in order, and pays for it.

    Args:
        counts: (R, k, k), row the true class, column the predicted one.
    Returns: (R,); NaN without rows.
    Source: Cardoso and Sousa 2011, "Measuring the performance of ordinal
        classification", IJPRAI 25(8), 1173-1195; beta and the steps as in the authors'
        OrdinalClassificationIndex.m.
    """
    k = counts.shape[1]
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


def _auc(targets, probabilities, weights) -> np.ndarray:
    n_classes = probabilities.shape[1]
    areas = [
        _area(targets == index, probabilities[:, index], weights)
        for index in ([1] if n_classes == 2 else range(n_classes))
    ]
    return np.mean(areas, axis=0)


def _area(positive, scores, weights) -> np.ndarray:
    """P(a positive row scores above a negative one), a tie counting half, (R,).

    NaN without weight on either side, and where a score is NaN, which has no rank.
    """
    if len(scores) == 0 or np.isnan(scores).any():
        return np.full(len(weights), np.nan)
    order = np.argsort(scores, kind="stable")
    scores, positive, ordered = scores[order], positive[order], weights.take(order, 1)
    # One column for each score: rows of the same score are tied.
    starts = np.flatnonzero(np.r_[True, scores[1:] > scores[:-1]])
    ones = np.add.reduceat(ordered * positive, starts, axis=1)
    zeros = np.add.reduceat(ordered * ~positive, starts, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    return _ratio((ones * below).sum(axis=1), ones.sum(axis=1) * zeros.sum(axis=1))


def _regression(targets, predictions, weights) -> dict[str, np.ndarray]:
    errors = predictions - targets
    squared = _mean(errors**2, weights)
    centred = targets - _mean(targets, weights)[:, None]
    variance = _ratio((weights * centred**2).sum(axis=1), weights.sum(axis=1))
    # Targets that are all equal have no spread, whatever rounding of their mean says.
    low = np.where(weights > 0, targets, np.inf).min(axis=1, initial=np.inf)
    high = np.where(weights > 0, targets, -np.inf).max(axis=1, initial=-np.inf)
    return {
        "loss": squared,
        "mae": _mean(np.abs(errors), weights),
        "rmse": np.sqrt(squared),
        "r2": 1 - _ratio(squared, np.where(high > low, variance, 0.0)),
    }
