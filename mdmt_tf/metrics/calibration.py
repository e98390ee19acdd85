"""Formulas of the calibration metrics: ECE, and the logistic recalibration of Cox.

They are functions of `WeightedRows` like those of `formulas`. `equal_mass_bins` has the
bins of the ECE, for reliability diagrams.
"""

import numpy as np

from mdmt_tf.metrics.rows import BINS, Ranked, WeightedRows

# A probability closer to 0 or 1 counts as this close: a logit of at most 13.8.
_CERTAIN = 1e-6
# Newton's method: the longest step in units of the standardised logit, the step after
# which the next one would be a rounding error, and the most steps.
_LONGEST, _SHORTEST, _MOST = 3.0, 1e-7, 60
# Numbers in one block of weightings, so that its arrays stay in the cache.
_BLOCK = 16_384
_TRIANGLE = {1: [(0, 0)], 2: [(0, 0), (0, 1), (1, 1)]}


def ece(rows: WeightedRows) -> np.ndarray:
    """Expected calibration error, 0 (calibrated) to 1, in bins of equal mass.

        sum_b n_b / n |mean predicted probability - observed frequency|

    over 10 bins of the probability of the positive class, see
    `WeightedRows.calibration_gaps`. With several classes, the mean over the classes,
    each against the rest: the classwise error, which sees all probabilities and not
    only that of the most probable class.

    The estimate is biased upwards, since a difference that is only noise counts, too.
    With n rows, a calibrated model has about 0.8 sqrt(10 / n) sd(class); that is 0.13
    for 100 rows and classes of equal size. Compare values of equal n only. Its interval
    accounts for the bias, see `mdmt_tf.statistics.inversion`. Errors that cancel within
    a bin are not seen.

    Source: Naeini et al. 2015, AAAI 29, "Obtaining well calibrated probabilities using
        Bayesian binning"; bins of equal mass and the classwise form: Nixon et al. 2019,
        "Measuring calibration in deep learning"; Kumar et al. 2019, "Verified
        uncertainty calibration", NeurIPS 32 (marginal calibration error, bias).

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], chances)
        >>> ece(rows).round(3).tolist()  # (0.1 + 0.6 + 0.7 + 0.2) / 4
        [0.4]
    """
    return np.abs(rows.calibration_gaps).sum(axis=1)


def calibration_slope(rows: WeightedRows) -> np.ndarray:
    """b in logit P(y = 1) = a + b logit(p), by maximum likelihood; 1 is ideal.

    Below 1, the probabilities are too extreme; above 1, they are too close to each
    other. NaN where there is no finite maximum: if a class has no rows, if all scores
    are the same, or if a threshold separates the classes (ties at it included).

    Source: Cox 1958, "Two further applications of a model for binary regression",
        Biometrika 45, 562-565; Van Calster et al. 2016, "A calibration hierarchy for
        risk models", J. Clin. Epidemiol. 74, 167-176 (weak calibration).

    Example:
        The odds 1 : 3 and 3 : 1 are observed where 1 : 9 and 9 : 1 were predicted.

        >>> chances = [[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 4
        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1, 0, 1, 1, 1], chances)
        >>> calibration_slope(rows).round(3).tolist()  # ln 3 / ln 9
        [0.5]
    """
    (ranked,) = rows.ranked
    estimable = _overlaps(ranked)
    logits = _logits(ranked.scores)
    result = np.full(len(estimable), np.nan)
    if estimable.any():
        # Newton's method is stable for standardised logits.
        centre, spread = logits.mean(), logits.std()
        scaled = np.stack([np.ones_like(logits), (logits - centre) / spread])
        found = _maximum(rows, scaled, np.zeros_like(logits), estimable)
        result[estimable] = found[:, 1] / spread
    return result


def calibration_intercept(rows: WeightedRows) -> np.ndarray:
    """a in logit P(y = 1) = a + logit(p), by maximum likelihood; 0 is ideal.

    The slope is fixed at 1, so this is calibration in the large: below 0, the positive
    class is less frequent than predicted. NaN if a class has no rows.

    Source: see `calibration_slope`; mean calibration in Van Calster et al. 2016.

    Example:
        The odds 1 : 3 are observed where 1 : 1 was predicted.

        >>> rows = WeightedRows.of("binary", [0, 0, 0, 1], [[0.5, 0.5]] * 4)
        >>> calibration_intercept(rows).round(3).tolist()  # ln(1 / 3)
        [-1.099]
    """
    (ranked,) = rows.ranked
    estimable = _has_both(ranked)
    logits = _logits(ranked.scores)
    result = np.full(len(estimable), np.nan)
    if estimable.any():
        found = _maximum(rows, np.ones((1, len(logits))), logits, estimable)
        result[estimable] = found[:, 0]
    return result


def equal_mass_bins(
    score: np.ndarray, positive: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean score and observed frequency of the bins of the calibration error.

    Args:
        score: (n,), predicted probabilities.
        positive: (n,), the truth.
        bins: number of bins.
    Returns: four arrays (b,), ascending, for the bins with rows: mean score, observed
        frequency, and the ends of its 95 % interval of Wilson 1927.

    Example:
        >>> predicted, observed, _, _ = equal_mass_bins([0.2, 0.2, 0.7], [0, 1, 1])
        >>> predicted.tolist(), observed.tolist()
        ([0.2, 0.7], [0.5, 1.0])
    """
    ranks = _middle_ranks(score)
    place = np.minimum((bins * ranks / len(score)).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    count = count[filled]
    predicted = np.bincount(place, score, minlength=bins)[filled] / count
    observed = np.bincount(place, positive, minlength=bins)[filled] / count
    z = 1.959964
    centre = (observed + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = np.sqrt(observed * (1 - observed) / count + z**2 / (4 * count**2))
    half = z * spread / (1 + z**2 / count)
    return (
        predicted,
        observed,
        np.minimum(centre - half, observed),
        np.maximum(centre + half, observed),
    )


def _middle_ranks(score: np.ndarray) -> np.ndarray:
    """The number of smaller scores and half that of equal ones."""
    ordered = np.sort(score)
    smaller = np.searchsorted(ordered, score, "left")
    return (smaller + np.searchsorted(ordered, score, "right")) / 2


def _logits(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(scores, _CERTAIN, 1 - _CERTAIN)
    return np.log(scores) - np.log1p(-scores)


def _overlaps(ranked: Ranked) -> np.ndarray:
    """(R,): whether the scores of the two classes overlap, so that b is finite."""
    if not len(ranked.scores):
        return np.zeros(len(ranked.ones), bool)
    logits = _logits(ranked.scores)
    (low_one, high_one), (low_zero, high_zero) = (
        (logits[has.argmax(axis=1)], logits[::-1][has[:, ::-1].argmax(axis=1)])
        for has in (ranked.ones > 0, ranked.zeros > 0)
    )
    return _has_both(ranked) & (low_one < high_zero) & (low_zero < high_one)


def _has_both(ranked: Ranked) -> np.ndarray:
    """(R,): whether both classes have rows."""
    return (ranked.ones.sum(axis=1) > 0) & (ranked.zeros.sum(axis=1) > 0)


def _maximum(
    rows: WeightedRows, columns: np.ndarray, offset: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Maximum-likelihood coefficients of a logistic regression, by Newton's method.

    Args:
        rows: of two classes, with S distinct scores.
        columns: (1, S) or (2, S), the regressors; the first is 1.
        offset: (S,), added to the linear predictor.
        chosen: bool (R,), weightings to fit; each has a finite maximum.
    Returns: (chosen, columns); NaN where the method did not converge.
    """
    (ranked,) = rows.ranked
    mass, sums = _sums(ranked, columns)
    mass, sums = mass[chosen], sums[chosen]
    # The fit to all rows is close to that to a resample of them. It does not depend on
    # the weights, so neither does a fit depend on the other weightings.
    once = np.ones((1, len(rows.targets)))
    whole = WeightedRows(rows.task, rows.targets, rows.probabilities, once)
    origin = np.zeros(len(columns))
    start = _newton(*_sums(whole.ranked[0], columns), columns, offset, origin)
    start = np.nan_to_num(start[0])
    block = max(1, _BLOCK // len(offset))
    parts = [
        _newton(mass[i : i + block], sums[i : i + block], columns, offset, start)
        for i in range(0, len(mass), block)
    ]
    return np.concatenate(parts)


def _sums(ranked: Ranked, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of all rows, and sums of the regressors over the positive rows."""
    # einsum does not use threads, so the sums do not depend on their number.
    return ranked.ones + ranked.zeros, np.einsum("rs,cs->rc", ranked.ones, columns)


def _newton(mass, sums, columns, offset, start) -> np.ndarray:
    """The coefficients (R, columns) whose expected sums are `sums`.

    Args:
        mass: (R, S), weights of all rows.
        sums: (R, columns), sums of the regressors over the positive rows.
        columns, offset: see `_maximum`.
        start: (columns,).
    """
    # The upper triangle of the curvature: 11, or 11, 12, 22.
    products = np.stack([columns[i] * columns[j] for i, j in _TRIANGLE[len(columns)]])
    result = np.full(sums.shape, np.nan)
    active, current = np.arange(len(mass)), np.repeat(start[None], len(mass), axis=0)
    # All have the same chances in the first step.
    linear = (start @ columns + offset)[None]
    for _ in range(_MOST):
        chance = 1.0 / (1.0 + np.exp(-linear))
        expected = mass * chance
        gradient = sums - np.einsum("rs,cs->rc", expected, columns)
        expected *= 1.0 - chance
        step = _solved(np.einsum("rs,cs->rc", expected, products), gradient)
        length = np.abs(step).max(axis=1)
        step *= np.minimum(1.0, _LONGEST / np.maximum(length, _LONGEST))[:, None]
        current = current + step
        done = length <= _SHORTEST
        if done.any():
            result[active[done]] = current[done]
            active, current = active[~done], current[~done]
            mass, sums = mass[~done], sums[~done]
        if not len(active):
            break
        linear = np.einsum("rc,cs->rs", current, columns) + offset
    return result


def _solved(curvature: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """curvature^-1 gradient; a flat likelihood gives long steps.

    Args:
        curvature: (R, 1), or the upper triangle (R, 3) of 2 x 2.
        gradient: (R, 1) or (R, 2).
    """
    if gradient.shape[1] == 1:
        return gradient / np.maximum(curvature, _SHORTEST**2)
    (a, b, d), (u, v) = curvature.T, gradient.T
    determinant = np.maximum(a * d - b * b, _SHORTEST**2)
    return np.stack([d * u - b * v, a * v - b * u], axis=1) / determinant[:, None]
