"""ROC and precision-recall curves, net benefit, and their bands."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from mdmt_tf.statistics.curves import (
    GRID,
    net_benefit_band,
    precision_recall_curve,
    roc_curve,
)
from mdmt_tf.statistics.interval import expanded_level


def rows_of(n, images=1):
    patients = [f"p{number // images}" for number in range(n)]
    return pd.DataFrame({"dataset": "ward", "patient_id": patients})


def made(n=200, seed=0, digits=2):
    generator = np.random.default_rng(seed)
    truth = generator.random(n) < 0.3
    score = np.round(np.clip(generator.normal(0.4 + 0.2 * truth, 0.2), 0, 1), digits)
    return rows_of(n), truth, score


@pytest.mark.parametrize("digits", [1, 6])
def test_curves_and_areas_are_those_of_scikit_learn(digits):
    rows, truth, score = made(digits=digits)
    roc = roc_curve(rows, truth, score, resamples=0)
    x, y, _ = sklearn_metrics.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose([roc.x, roc.y], [x, y])
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, score)
    )
    pr = precision_recall_curve(rows, truth, score, resamples=0)
    area = (np.diff(pr.x, prepend=0) * pr.y).sum()
    assert area == pytest.approx(sklearn_metrics.average_precision_score(truth, score))


def test_the_band_is_that_of_resampled_patients():
    """A patient is drawn with all rows: two equal rows give the band of one."""
    rows, truth, score = made(60)
    once = roc_curve(rows, truth, score, resamples=100)
    twice = roc_curve(
        rows.loc[np.repeat(rows.index, 2)].reset_index(drop=True),
        np.repeat(truth, 2),
        np.repeat(score, 2),
        resamples=100,
    )
    np.testing.assert_array_equal(once.band.low, twice.band.low)
    np.testing.assert_array_equal(once.band.high, twice.band.high)


@pytest.mark.parametrize("curve", [roc_curve, precision_recall_curve])
def test_the_band_contains_the_curve(curve):
    rows, truth, score = made()
    found = curve(rows, truth, score, resamples=200)
    if curve is roc_curve:
        own = np.interp(GRID, found.x, found.y)
    else:
        own = found.y[np.searchsorted(found.x, np.maximum(GRID, found.x[0]) - 1e-12)]
    inside = (found.band.low <= own) & (own <= found.band.high)
    widths = (found.band.high - found.band.low)[GRID > 0.2]
    assert inside.mean() > 0.95 and 0.1 < widths.mean() < 0.4


def test_the_sensitivity_of_perfect_scores_is_certain():
    rows, truth = rows_of(40), np.arange(40) % 2 == 0
    found = roc_curve(rows, truth, truth.astype(float), resamples=50)
    np.testing.assert_array_equal(found.band.low, np.ones(101))
    assert found.x.tolist() == [0, 0, 1] and found.y.tolist() == [0, 1, 1]
    pr = precision_recall_curve(rows, truth, truth.astype(float), resamples=50)
    np.testing.assert_array_equal(pr.band.low, np.ones(101))


@pytest.mark.parametrize("truth", [np.zeros(6, bool), np.ones(6, bool)])
def test_without_a_class_there_is_no_curve(truth):
    for curve in (roc_curve, precision_recall_curve):
        found = curve(rows_of(6), truth, np.linspace(0, 1, 6))
        assert len(found.x) == 0 and np.isnan(found.band.low).all()
        assert found.band.reason == "there are no rows of a class"


def test_few_patients_have_a_curve_without_band():
    truth = np.arange(40) < 20
    found = roc_curve(rows_of(40, images=5), truth, np.linspace(1, 0, 40))
    assert found.y[-1] == 1 and np.isnan(found.band.high).all()
    assert found.band.reason == "fewer than 5 patients of a class"


def test_the_band_of_the_net_benefit_is_that_of_a_mean():
    """At 0.5 everyone is treated: net benefit is 2 x prevalence - 1."""
    n = 400
    truth = np.arange(n) < 100
    found = net_benefit_band(rows_of(n), truth, np.ones(n), [0.5], resamples=4000)
    # The standard error of a fraction of 1 / 4, times 2 and the normal quantile.
    half = 1.96 * 2 * np.sqrt(0.25 * 0.75 / n)
    assert found.low[0] == pytest.approx(-0.5 - half, abs=0.01)
    assert found.high[0] == pytest.approx(-0.5 + half, abs=0.01)
    assert expanded_level(100) < 0.96


def test_the_net_benefit_of_treating_nobody_has_no_width():
    found = net_benefit_band(
        rows_of(40), np.arange(40) < 20, np.zeros(40), [0.2, 0.9], resamples=20
    )
    assert found.low.tolist() == found.high.tolist() == [0.0, 0.0]
