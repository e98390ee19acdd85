"""Interval of a sum of absolute values, which is biased upwards. No TensorFlow."""

import numpy as np

# Halvings of the interval in which a limit is searched, and the largest multiple of the
# observed parts.
_HALVINGS, _LARGEST = 16, 64.0


def inverted_interval(
    observed: np.ndarray, resampled: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Interval of theta = sum_j |gamma_j|, from estimates of the parts gamma_j.

    The estimate sum_j |g_j| is too large by the noise of each g_j, and a resample of it
    has that noise twice. A percentile interval therefore lies too high: for a
    calibrated model, it never holds the calibration error 0. Here the limits are found
    by inverting a test. The parts of the truth are taken as t g for an unknown t >= 0,
    and e_r = g_r - g is the noise of resample r. The interval has every theta = t sum_j
    |g_j| for which the estimate lies between the (1 - level) / 2 and the (1 + level) /
    2 quantile of sum_j |t g_j + e_rj|. It is extended to hold the estimate.

    Args:
        observed: (m,), g, the parts of the estimate.
        resampled: (R, m), g_r, those of the bootstrap resamples.
        level: nominal coverage.
    Returns: the lower and the upper limit; NaN if a part is NaN.
    Source: inversion of tests: Casella & Berger 2002, Statistical Inference, 9.2.1. The
        ray t g is an approximation; its coverage is measured in the tests.

    Example:
        Nothing but noise: 0 is in the interval.

        >>> noise = np.random.default_rng(0).normal(0, 0.01, (1000, 10))
        >>> observed = noise[0]
        >>> low, high = inverted_interval(observed, observed + noise)
        >>> low, bool(high >= np.abs(observed).sum())
        (0.0, True)
    """
    estimate = float(np.abs(observed).sum())
    if not np.isfinite(estimate) or not np.isfinite(resampled).all():
        return float("nan"), float("nan")
    noise = resampled - observed
    if not noise.any():
        # All resamples are the estimate, as for a single patient.
        return estimate, estimate
    low = estimate * _multiple(observed, noise, (1 + level) / 2)
    high = estimate * _multiple(observed, noise, (1 - level) / 2)
    return min(low, estimate), max(high, estimate)


def _multiple(observed: np.ndarray, noise: np.ndarray, quantile: float) -> float:
    """The t for which the estimate is this quantile of sums for the truth t g."""
    estimate = np.abs(observed).sum()

    def is_below(t: float) -> bool:
        return (
            np.quantile(np.abs(t * observed + noise).sum(axis=1), quantile) < estimate
        )

    low, high = 0.0, 1.0
    if not is_below(low):
        return 0.0
    while is_below(high) and high < _LARGEST:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
