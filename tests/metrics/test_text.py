"""Numbers as text: rounding never contradicts what is said of them."""

import math

import numpy as np
import pytest

from mdmt_tf.metrics.text import (
    p_text,
    shown,
    shown_alike,
    threshold_text,
    with_interval,
)


@pytest.mark.parametrize(
    "metric, values, expected",
    [
        # Both ends are above 0, or below.
        ("auc", (0.04, 0.00004, 0.08), ("+0.04000", "+0.00004", "+0.08000")),
        ("auc", (-0.04, -0.08, -0.0004), ("-0.0400", "-0.0800", "-0.0004")),
        ("auc", (0.0002, 0.0001, 0.0003), ("+0.0002", "+0.0001", "+0.0003")),
        ("accuracy", (0.04, 0.0003, 0.08), ("+4.00", "+0.03", "+8.00")),
        # One end is on either side.
        ("auc", (0.04, -0.0003, 0.08), ("+0.0400", "-0.0003", "+0.0800")),
        ("accuracy", (-0.0003, -0.04, 0.04), ("-0.03", "-4.00", "+4.00")),
        # Nothing is known of the side of a rounding error, or of 0.
        ("auc", (-1e-17, -0.04, 0.04), ("0.000", "-0.040", "+0.040")),
        ("accuracy", (0.0, -0.02, 0.02), ("0.0", "-2.0", "+2.0")),
        ("auc", (0.04, float("nan"), float("nan")), ("+0.040", "–", "–")),
    ],
)
def test_a_difference_keeps_its_side_of_0(metric, values, expected):
    assert shown_alike(metric, *values, sign="+") == expected


@pytest.mark.parametrize("metric", ["auc", "accuracy", "mae"])
def test_no_number_is_a_negative_zero_and_no_side_is_lost(metric):
    generator = np.random.default_rng(0)
    values = generator.normal(size=300) * 10.0 ** generator.integers(-7, 1, 300)
    for ends in values.reshape(-1, 3):
        texts = shown_alike(metric, *ends, sign="+")
        assert list(np.sign([*map(float, texts)])) == list(np.sign(ends))
        assert len({len(text.partition(".")[2]) for text in texts}) == 1
    assert shown(metric, -1e-12) == shown(metric, 0.0)


@pytest.mark.parametrize("metric", ["mae", "rmse", "loss"])
def test_metrics_in_the_unit_of_a_label_have_three_to_five_digits(metric):
    for value, text in (
        (0.0000123, "0.0000123"),
        (0.0456, "0.0456"),
        (0.5, "0.500"),
        (5.1234, "5.123"),
        (51.234, "51.234"),
        (512.34, "512.34"),
        (51234.5, "51234"),
        (5123456.7, "5123457"),
    ):
        assert shown(metric, value) == text


def test_a_value_and_its_interval_have_equally_many_decimals():
    assert with_interval("mae", 0.05, 0.012, 0.21) == "0.050 [0.012, 0.210]"
    assert with_interval("mae", 512.3, 98.76, 1020.2) == "512.3 [98.8, 1020.2]"
    assert with_interval("auc", 0.0123, 0.001, 0.02) == "0.012 [0.001, 0.020]"
    assert with_interval("recall", 0.5, 0.25, 1.0) == "50.0 [25.0, 100.0]"


@pytest.mark.parametrize("ends", [(math.nan, 0.9), (0.6, math.nan)])
def test_a_value_with_one_end_alone_has_no_interval(ends):
    assert with_interval("auc", 0.75, *ends) == "0.750"


@pytest.mark.parametrize("level", [0.05, 0.01])
def test_a_p_value_is_on_its_side_of_a_level(level):
    for p in level + np.array([-4e-4, -2e-5, -3e-7, 3e-7, 2e-5, 4e-4]):
        assert (float(p_text(p)) < level) == (p < level)
        assert float(p_text(p)) != level
    assert p_text(level) == f"{level:.3f}"


@pytest.mark.parametrize("seed", range(3))
def test_a_printed_threshold_decides_as_the_threshold(seed):
    """Scores are neighbours in float32; thresholds lie between two of them."""
    generator = np.random.default_rng(seed)
    for size in 10.0 ** -np.arange(1, 7):
        low = np.float32(generator.uniform(0.1, 1) * size)
        high = np.nextafter(low, np.float32(1))
        threshold = (float(low) + float(high)) / 2
        assert float(low) < float(threshold_text(threshold)) < float(high)


@pytest.mark.parametrize(
    "threshold, text",
    [(0.5, "0.500"), (0.97, "0.970"), (0.0002, "0.000200"), (0.12345, "0.12345")],
)
def test_a_short_threshold_has_three_digits_at_least(threshold, text):
    assert threshold_text(threshold) == text
