"""What a number of patients can show: widths of intervals, detectable differences.

Before training, from the number of patients of each class alone. These are normal
approximations for one test set; patients are independent of each other.
"""

import math
from collections.abc import Callable

import scipy.optimize
import scipy.stats


def auc_variance(auc: float, negative: int, positive: int) -> float:
    """Variance of the AUC of a test set (Hanley & McNeil 1982).

    (A (1 - A) + (m - 1) (Q1 - A^2) + (n - 1) (Q2 - A^2)) / (m n), where m patients are
    positive and n negative, Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A).

    Args:
        auc: true AUC, between 0 and 1.
        negative, positive: patients of each class, at least 1.

    Example:
        >>> auc_variance(0.5, 1, 1)  # one pair, right or wrong
        0.25
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc)
    total += (positive - 1) * (q1 - auc**2) + (negative - 1) * (q2 - auc**2)
    return total / (positive * negative)


def accuracy_variance(accuracy: float, patients: int) -> float:
    """Variance of the accuracy of a test set, p (1 - p) / n.

    Example:
        >>> accuracy_variance(0.5, 25)
        0.01
    """
    return accuracy * (1 - accuracy) / patients


def interval_width(variance: float, level: float = 0.95) -> float:
    """Width of the normal interval of a metric with this variance.

    Example:
        >>> round(interval_width(0.01), 3)  # 2 x 1.96 x 0.1
        0.392
    """
    return 2 * float(scipy.stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)


def detectable_difference(
    variance: Callable[[float], float],
    reference: float,
    correlation: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """The smallest gain over a reference that a paired two-sided test detects.

    The gain d solves d = (z_{1 - level / 2} + z_power) s(d), where s(d)^2 = v_0 + v_d -
    2 r sqrt(v_0 v_d) and v_0, v_d are the variances of the metrics of the two models on
    the same patients (Hanley & McNeil 1983, Obuchowski 1994).

    Args:
        variance: of the metric of one model, as a function of its true value.
        reference: true metric of the other model, below 1.
        correlation: r, of the two estimates; models of the same images have 0.3 to 0.8.
        power: chance to detect the gain.
        level: two-sided significance level.
    Returns: d; NaN if even a perfect model would not be detected.

    Example:
        >>> unit = lambda value: 0.01  # the same for any value
        >>> d = detectable_difference(unit, 0.5, 0.5)
        >>> round(d, 3)  # (1.96 + 0.84) x sqrt(0.01 + 0.01 - 0.01)
        0.28
    """
    z = _detected(power, level)

    def missing(gain: float) -> float:
        v, w = variance(reference), max(variance(reference + gain), 0.0)
        spread = max(v + w - 2 * correlation * math.sqrt(v * w), 0.0)
        return gain - z * math.sqrt(spread)

    largest = 1 - reference
    if missing(largest) < 0:
        return math.nan
    return float(scipy.optimize.brentq(missing, 0.0, largest))


def detectable_mean(n: int, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest mean of n paired differences that a two-sided test detects.

    Args:
        n: number of patients, at least 1.
        power, level: as for `detectable_difference`.
    Returns: (z_{1 - level / 2} + z_power) / sqrt(n), in std of the differences.

    Example:
        >>> round(detectable_mean(100), 2)  # (1.96 + 0.84) / 10
        0.28
    """
    return _detected(power, level) / math.sqrt(n)


def _detected(power: float, level: float) -> float:
    """The standard errors from 0 at which a test has the power."""
    return float(scipy.stats.norm.ppf(1 - level / 2) + scipy.stats.norm.ppf(power))
