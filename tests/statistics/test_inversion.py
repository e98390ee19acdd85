"""Intervals of sums of absolute values, by cases with a known answer."""

import math

import numpy as np
import pytest

from mdmt_tf.statistics.inversion import inverted_interval


def test_one_part_far_from_zero_has_the_interval_of_a_mean():
    """|t g + e| = t g + e, so the limits are g - q_hi(e) and g - q_lo(e)."""
    noise = np.random.default_rng(0).normal(0, 0.1, (4000, 1))
    low, high = inverted_interval(np.array([2.0]), 2.0 + noise, 0.9)
    expected = 2.0 - np.quantile(noise, [0.95, 0.05])
    assert [low, high] == pytest.approx(expected, abs=1e-4)
    # The sign of a part does not matter.
    mirrored = inverted_interval(np.array([-2.0]), -2.0 - noise, 0.9)
    assert mirrored == pytest.approx((low, high), abs=1e-12)


def test_zero_is_inside_unless_the_estimate_is_more_than_noise():
    generator = np.random.default_rng(1)
    noise = generator.normal(0, 0.1, (2000, 10))
    small, large = generator.normal(0, 0.1, 10), np.full(10, 0.3)
    assert inverted_interval(small, small + noise)[0] == 0.0
    assert inverted_interval(large, large + noise)[0] > 1.0


def test_the_estimate_is_always_inside():
    generator = np.random.default_rng(2)
    noise = generator.normal(0, 0.1, (500, 10))
    for scale in (0.0, 1e-6, 0.01, 0.1, 1.0):
        observed = scale * generator.normal(size=10)
        low, high = inverted_interval(observed, observed + noise)
        assert 0 <= low <= np.abs(observed).sum() <= high


def test_a_higher_level_is_wider():
    generator = np.random.default_rng(3)
    observed = generator.normal(0, 0.1, 10)
    resampled = observed + generator.normal(0, 0.05, (2000, 10))
    narrow = inverted_interval(observed, resampled, 0.8)
    wide = inverted_interval(observed, resampled, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_without_noise_the_limits_are_the_estimate():
    observed = np.array([0.1, -0.2])
    low, high = inverted_interval(observed, np.stack([observed] * 5))
    assert low == high == pytest.approx(0.3)


def test_a_part_that_is_not_defined_leaves_no_interval():
    observed, resampled = np.array([0.1, 0.2]), np.full((5, 2), 0.1)
    resampled[3, 1] = np.nan
    assert all(map(math.isnan, inverted_interval(observed, resampled)))
    observed[0] = np.nan
    assert all(map(math.isnan, inverted_interval(observed, np.full((5, 2), 0.1))))
