"""Widths and detectable differences against simulation and arithmetic."""

import math

import numpy as np
import pytest

from mdmt_tf.statistics.power import (
    accuracy_variance,
    auc_variance,
    detectable_difference,
    interval_width,
)


def test_the_variance_of_a_chance_auc_is_that_of_the_mann_whitney_test():
    # At A = 0.5, Q1 = Q2 = 1/3: (1/4 + (m + n - 2) / 12) / m n = (m + n + 1) / 12 m n.
    for m, n in ((1, 1), (10, 30), (25, 33)):
        assert auc_variance(0.5, m, n) == pytest.approx((m + n + 1) / (12 * m * n))


def test_the_variance_of_an_auc_is_that_of_simulated_scores():
    """Exponential scores, for which the formula of Hanley and McNeil is exact."""
    generator = np.random.default_rng(0)
    negative, positive, auc = 20, 15, 0.8
    # P(b > a) = s / (1 + s) for a of mean 1 and b of mean s.
    scale = auc / (1 - auc)
    a = generator.exponential(1.0, (4000, negative))
    b = generator.exponential(scale, (4000, positive))
    found = (b[:, :, None] > a[:, None, :]).mean((1, 2))
    assert found.mean() == pytest.approx(auc, abs=0.005)
    assert auc_variance(auc, negative, positive) == pytest.approx(found.var(), rel=0.08)


def test_the_detectable_difference_solves_its_equation():
    def variance(auc):
        return auc_variance(auc, 33, 25)

    d = detectable_difference(variance, 0.8, 0.5)
    v, w = variance(0.8), variance(0.8 + d)
    # 1.959964 + 0.841621, two-sided 5 % and 80 % power.
    expected = 2.801585 * math.sqrt(v + w - 2 * 0.5 * math.sqrt(v * w))
    assert d == pytest.approx(expected, rel=1e-5)


def test_more_patients_and_more_correlation_show_smaller_differences():
    found = [
        detectable_difference(lambda p, n=n: accuracy_variance(p, n), 0.75, r)
        for n, r in ((100, 0.5), (400, 0.5), (400, 0.8))
    ]
    assert found[0] > found[1] > found[2] > 0


def test_too_few_patients_detect_nothing():
    assert math.isnan(
        detectable_difference(lambda p: accuracy_variance(p, 5), 0.9, 0.0)
    )


def test_the_width_of_an_interval():
    assert interval_width(0.0025) == pytest.approx(2 * 1.959964 * 0.05)
