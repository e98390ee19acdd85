"""Metrics, differences, p-values and counts as text, with the digits that they need.

Digits are added where fewer would contradict what is said of a number: an end of an
interval keeps its side of 0, and a p-value its side of the levels of significance.
"""

import math
from collections.abc import Sequence

import numpy as np

from mdmt_tf.metrics.table import METRICS

# Text of a number that is not defined.
NO_NUMBER = "–"
# Of operating points, in per cent; they are no metrics of a task.
_FRACTIONS = ("sensitivity", "specificity", "ppv", "npv", "fraction_positive")
# What differs from 0 by less is a rounding error of the computation.
_NOTHING = 1e-9
# Levels of significance that a rounded p-value must not seem to reach, or to miss.
_LEVELS = (0.05, 0.01)


def means_text(name: str, components: Sequence[str]) -> str:
    """A sentence on the metrics of a task with several components; "" with one.

    Example:
        >>> means_text("signs", ["signs/edema", "signs/effusion"]).partition(";")[0]
        'signs: every metric is the mean over signs/edema, signs/effusion'
        >>> means_text("icu", ["icu"])
        ''
    """
    if len(components) < 2:
        return ""
    return (
        f"{name}: every metric is the mean over {', '.join(components)}; one that any "
        "of them does not have is undefined."
    )


def in_percent(metric: str) -> bool:
    """Whether a metric is shown in per cent.

    Example:
        >>> in_percent("recall"), in_percent("auc")
        (True, False)
    """
    return metric in _FRACTIONS or (metric in METRICS and METRICS[metric].percent)


def shown(metric: str, value: float, sign: str = "") -> str:
    """A metric as text, see `shown_alike`.

    Example:
        >>> shown("auc", 0.7312), shown("recall", 0.5), shown("mae", 0.00123)
        ('0.731', '50.0', '0.00123')
    """
    return shown_alike(metric, value, sign=sign)[0]


def shown_alike(metric: str, *values: float, sign: str = "") -> tuple[str, ...]:
    """Values of one metric as text with equally many decimals.

    One decimal in per cent, otherwise three decimals, or fewer where the largest value
    has more than five digits. Metrics in the unit of a label (`Metric.scaled`) have at
    least three digits that count.

    Args:
        metric: name of the metric.
        values: such as a value and the ends of its interval; NaN is `NO_NUMBER`.
        sign: "+" for differences. Then decimals are added until no value reads 0 that
            is not 0, so that each keeps its side of 0.

    Example:
        >>> shown_alike("auc", 0.75, 0.6512, 0.85)
        ('0.750', '0.651', '0.850')
        >>> shown_alike("auc", 0.04, -0.0002, 0.08, sign="+")
        ('+0.0400', '-0.0002', '+0.0800')
        >>> shown_alike("mae", 1234.567, 98.7)
        ('1234.6', '98.7')
    """
    scale = 100 if in_percent(metric) else 1
    numbers = [scale * value for value in values]
    decimals = _decimals(metric, numbers)
    real = [own for own in numbers if sign and abs(own) > _NOTHING]
    while any(float(f"{own:.{decimals}f}") == 0 for own in real):
        decimals += 1
    return tuple(_text(own, sign, decimals) for own in numbers)


def with_interval(metric: str, value: float, low: float, high: float) -> str:
    """A value with its interval in brackets, or alone where an end is NaN.

    Example:
        >>> with_interval("auc", 0.75, 0.6512, 0.85)
        '0.750 [0.651, 0.850]'
        >>> with_interval("auc", 0.75, float("nan"), float("nan"))
        '0.750'
    """
    text, *ends = shown_alike(metric, value, low, high)
    return (
        text if math.isnan(low) or math.isnan(high) else f"{text} [{', '.join(ends)}]"
    )


def _decimals(metric: str, numbers: list[float]) -> int:
    """How many decimals the largest number needs."""
    if in_percent(metric):
        return 1
    largest = max((abs(own) for own in numbers if math.isfinite(own)), default=0.0)
    if largest <= _NOTHING:
        return 3
    place = math.floor(math.log10(largest))
    is_scaled = metric in METRICS and METRICS[metric].scaled
    least = max(3, 2 - place) if is_scaled else 3
    return min(least, max(0, 4 - place))


def _text(number: float, sign: str, decimals: int) -> str:
    if math.isnan(number):
        return NO_NUMBER
    text = f"{number:{sign}.{decimals}f}"
    # Neither -0.0 nor +0.0: nothing is known of the side.
    return text.lstrip("+-") if float(text) == 0 else text


def threshold_text(threshold: float) -> str:
    """A threshold of a probability, so that it decides as printed.

    It has the nine digits that tell all numbers of float32 apart, without zeros at the
    end, and at least three digits.

    Example:
        >>> threshold_text(0.4971187545), threshold_text(0.5), threshold_text(2.5e-5)
        ('0.497118754', '0.500', '0.0000250')
    """
    if not threshold > 0:
        return shown("", threshold)
    text = np.format_float_positional(
        threshold, precision=9, unique=False, fractional=False, trim="-"
    )
    least = 2 - math.floor(math.log10(threshold))
    decimals = len(text.partition(".")[2])
    return f"{threshold:.{least}f}" if decimals < least else text


def p_text(p: float) -> str:
    """A p-value with three decimals, or as a power of ten where these would be 0.

    There are more decimals where three would be a level of significance itself.

    Example:
        >>> p_text(0.032), p_text(0.0498), p_text(0.00012), p_text(float("nan"))
        ('0.032', '0.0498', '1.2e-04', '–')
    """
    if math.isnan(p):
        return NO_NUMBER
    if p < 0.001:
        return f"{p:.1e}"
    decimals = 3
    while p not in _LEVELS and float(f"{p:.{decimals}f}") in _LEVELS:
        decimals += 1
    return f"{p:.{decimals}f}"


def p_in_words(p: float) -> str:
    """A p-value in a sentence.

    Example:
        >>> p_in_words(0.6), p_in_words(1e-9)
        ('p = 0.600', 'p < 0.001')
    """
    return f"p = {p_text(p)}" if p >= 0.001 else "p < 0.001"


def plural(number: int, word: str) -> str:
    """A number with its word.

    Example:
        >>> plural(1, "patient"), plural(1200, "image")
        ('1 patient', '1,200 images')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
