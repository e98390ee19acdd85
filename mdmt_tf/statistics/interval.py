"""Intervals as values, and the simplest of them: percentiles. No TensorFlow."""

import dataclasses

import numpy as np

NAN = float("nan")

# Resamples of an interval, where a user chooses no other number.
RESAMPLES = 1000
# An interval is not reported when more than this fraction of resamples is undefined.
MOST_UNDEFINED = 0.05
# The bootstrap of fewer patients is too narrow at any level.
FEWEST_TO_RESAMPLE = 5


@dataclasses.dataclass(frozen=True)
class Interval:
    """An interval of a metric.

    Attributes:
        low, high: NaN where it is not estimable.
        undefined: fraction of the resamples in which a fold does not have the metric.
        reason: why it is not estimable, as in "fold 3 lacks a class in 40 % of the
            resamples"; "" where it is.
        undefined_by_fold: fraction of the resamples of each fold without the metric.
    """

    low: float
    high: float
    undefined: float
    reason: str = ""
    undefined_by_fold: tuple[float, ...] = dataclasses.field(default=(), repr=False)


def percentile_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """From the (1 - level) / 2 quantile of the values to the (1 + level) / 2 quantile.

    Args:
        values: a metric of each resample, (resamples,), NaN where it is undefined.
        level: nominal coverage.

    Example:
        >>> percentile_interval(np.arange(101.0), level=0.5)
        Interval(low=25.0, high=75.0, undefined=0.0, reason='')
    """
    known = values[~np.isnan(values)]
    undefined = float(np.isnan(values).mean())
    if undefined > MOST_UNDEFINED:
        reason = f"it is undefined in {100 * undefined:.0f} % of the resamples"
        return Interval(NAN, NAN, undefined, reason)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), undefined)


def expanded_level(patients: float, level: float = 0.95) -> float:
    """The nominal level at which a percentile interval of few patients has `level`.

    The percentile bootstrap of a mean is too narrow twice: its variance has 1 / n
    instead of 1 / (n - 1), and its quantiles are normal where Student's t has longer
    tails. The tail alpha / 2 is replaced with
        Phi(-sqrt(n / (n - 1)) t_{1 - alpha / 2, n - 1})

    Args:
        patients: n, the number of patients that are resampled, or the effective number;
            more than 1.
        level: the wanted coverage, 1 - alpha.
    Source: Hesterberg 2015, "What teachers should know about the bootstrap", The
        American Statistician 69(4), section 4.1.2 and its table of adjusted levels.

    Example:
        >>> round(expanded_level(20), 4), round(expanded_level(1000), 4)
        (0.9682, 0.9504)
    """
    import scipy.stats  # slow to import

    t = scipy.stats.t.ppf((1 + level) / 2, patients - 1)
    return float(1 - 2 * scipy.stats.norm.cdf(-t * np.sqrt(patients / (patients - 1))))
