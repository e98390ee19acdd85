"""Formulas of the metrics of ordered classes, see `mdmt_tf.metrics.formulas`.

Two of them are the least path through a matrix. A path leads from cell (1, 1) to (k, k)
by steps down, right or both, and its value is the sum of its cells.
"""

import numpy as np

from mdmt_tf.metrics.rows import WeightedRows, ratio

# Values of paths are of the order of 1. Less than this is a rounding error.
_ROUNDING = 1e-12


def kappa(rows: WeightedRows) -> np.ndarray:
    """1 - sum_ij (i - j)^2 O_ij / sum_ij (i - j)^2 E_ij with E_ij = O_i. O_.j / n.

    Kappa with quadratic weights, Cohen 1968. NaN if all true and predicted classes are
    the same single class: agreement by chance is perfect, too, so kappa is 0 / 0.

    Example:
        >>> chances = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
        >>> rows = WeightedRows.of("ordinal", [0, 1, 2], chances)
        >>> kappa(rows).tolist()
        [1.0]
    """
    index = np.arange(rows.task.n_classes)
    cost = (index[:, None] - index) ** 2
    chance = np.einsum("ri,rj,ij->r", rows.support, rows.predicted, cost)
    observed = (rows.counts * cost).sum(axis=(1, 2)) * rows.total
    return 1 - ratio(observed, chance)


def ordinal_index(rows: WeightedRows) -> np.ndarray:
    """Ordinal classification index of Cardoso and Sousa, 0 (perfect) to 1 (worst).

    The minimum over all paths from cell (1, 1) to (k, k) by steps down, right or both:
        1 - sum_path n_ij / (N + sum_ij n_ij |i - j|) + beta sum_path n_ij |i - j|
    with beta = 0.75 / (N (k - 1)), N = sum_ij n_ij and gamma = 1. A path off the
    diagonal collects rows whose order is preserved by errors in one direction, at a
    cost. NaN without rows.

    Source: Cardoso and Sousa 2011, "Measuring the performance of ordinal
        classification", IJPRAI 25(8), 1173-1195; beta and the steps as in the authors'
        OrdinalClassificationIndex.m.

    Example:
        >>> chances = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
        >>> rows = WeightedRows.of("ordinal", [0, 1, 2], chances)
        >>> ordinal_index(rows).tolist()
        [0.0]
    """
    counts, k = rows.counts, rows.task.n_classes
    index = np.arange(k)
    errors = counts * np.abs(index[:, None] - index)
    total = counts.sum(axis=(1, 2))
    scale = total + errors.sum(axis=(1, 2))
    beta = ratio(0.75 * np.ones(len(counts)), total * (k - 1))
    # Multiplied by `scale`: sums of whole numbers are exact, and a perfect result is 0.
    cost = (beta * scale)[:, None, None] * errors - counts
    least, _ = least_path(cost, cost)
    return 1 + ratio(least, scale)


def uniform_ordinal_index(rows: WeightedRows) -> np.ndarray:
    """Uniform ordinal classification index (UOC), 0 (perfect) to 1 (worst).

    The area under the following curve of beta, from 0 to 1. Its value is the minimum
    over the paths of `ordinal_index`:
        1 - sum_path r_ij / (K + sum_ij r_ij |i - j|) + beta / K sum_path r_ij |i - j|
    where r_ij is the fraction of the rows of class i that are predicted as j, and K is
    the number of classes present. So each class counts alike, and beta is not chosen.
    The curve is concave with straight pieces, and its area is exact. NaN without rows.

    Source: Silva, Pinto and Cardoso 2018, "A uniform performance index for ordinal
        classification with imbalanced classes", IJCNN; an absent class as in the
        authors' code.

    Example:
        All of three classes are predicted as the first: the curve is 1/2 + beta, then
        2/3 + beta / 3 from 1/4 on, and 5/6 from 1/2 on.

        >>> rows = WeightedRows.of("ordinal", [0, 1, 2], [[0.8, 0.1, 0.1]] * 3)
        >>> uniform_ordinal_index(rows).round(3).tolist()
        [0.771]
    """
    index = np.arange(rows.task.n_classes)
    fractions = np.nan_to_num(ratio(rows.counts, rows.support[:, :, None]))
    errors = fractions * np.abs(index[:, None] - index)
    present = (rows.support > 0).sum(axis=1)
    scale = present + errors.sum(axis=(1, 2))
    # Multiplied by `scale`: a perfect result is 0 without a rounding error.
    slopes = errors * ratio(scale, present)[:, None, None]
    return 1 + ratio(area_of_least_paths(-fractions, slopes), scale)


def area_of_least_paths(constants: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Integral of the least path over x from 0 to 1, exact up to rounding.

    Tangents at the two ends of an interval meet above the curve. If the curve reaches
    their meeting point, it consists of these tangents. Otherwise the interval is
    divided there.

    Args:
        constants, slopes: a and b of each cell, (R, k, k).
    Returns: (R,); NaN where a cell is NaN.

    Example:
        >>> constants, slopes = np.array([[[0.0, 0.5], [1.0, 0.0]]]), np.ones((1, 2, 2))
        >>> area_of_least_paths(constants, slopes).tolist()  # along the diagonal: 2 x
        [1.0]
    """
    count = len(constants)
    rows = np.flatnonzero(np.isfinite(constants + slopes).all(axis=(1, 2)))
    areas = np.full(count, np.nan)
    areas[rows] = 0.0

    def curve(rows, x):
        """The least path and its slope at one x of each row."""
        return least_path(
            constants[rows] + slopes[rows] * x[:, None, None], slopes[rows]
        )

    low, high = np.zeros(len(rows)), np.ones(len(rows))
    at_low, at_high = curve(rows, low), curve(rows, high)
    while len(rows):
        width, bend = high - low, at_low[1] - at_high[1]
        rise = at_high[0] - at_low[0] - at_high[1] * width
        # Without a bend the curve is a line, and any point divides it.
        step = np.divide(rise, bend, out=width / 2, where=bend > _ROUNDING)
        middle = low + np.clip(step, 0, width)
        tangent = at_low[0] + at_low[1] * (middle - low)
        at_middle = curve(rows, middle)
        reached = at_middle[0] >= tangent - _ROUNDING
        left = (at_low[0] + at_middle[0]) / 2 * (middle - low)
        right = (at_middle[0] + at_high[0]) / 2 * (high - middle)
        np.add.at(areas, rows[reached], (left + right)[reached])
        rest = ~reached
        rows = np.tile(rows[rest], 2)
        low, high = _joined(low, middle, rest), _joined(middle, high, rest)
        at_low, at_high = (
            tuple(_joined(a, b, rest) for a, b in zip(*ends, strict=True))
            for ends in ((at_low, at_middle), (at_middle, at_high))
        )
    return areas


def least_path(
    values: np.ndarray, carried: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least sum of `values` along a path, and the sum of `carried` along it.

    Args:
        values, carried: (R, k, k).
    Returns: two arrays (R,).

    Example:
        >>> values = np.array([[[1.0, 5.0], [2.0, 1.0]]])
        >>> [sums.tolist() for sums in least_path(values, -values)]
        [[2.0], [-2.0]]
    """
    count, k = values.shape[:2]
    sums = np.full((2, count, k + 1, k + 1), np.inf)
    sums[:, :, 0, 0] = 0.0
    for i, j in np.ndindex(k, k):
        before = np.stack(
            [sums[:, :, i, j], sums[:, :, i, j + 1], sums[:, :, i + 1, j]]
        )
        least = before[:, 0].argmin(axis=0)
        chosen = np.take_along_axis(before, least[None, None], axis=0)[0]
        own = np.stack([values[:, i, j], carried[:, i, j]])
        sums[:, :, i + 1, j + 1] = chosen + own
    return sums[0, :, k, k], sums[1, :, k, k]


def _joined(first: np.ndarray, second: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([first[rows], second[rows]])
