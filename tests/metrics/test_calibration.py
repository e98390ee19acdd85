"""Calibration metrics against other libraries, by hand, and where they do not exist."""

import math
import warnings

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from statsmodels.stats.proportion import proportion_confint

from mdmt_tf.metrics.calibration import equal_mass_bins
from mdmt_tf.metrics.computation import task_metrics, weighted_metrics
from mdmt_tf.metrics.rows import WeightedRows
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("no", "yes"))
THREE = make_task(name="grade", kind="categorical", classes=("a", "b", "c"))


def of_two(score):
    score = np.asarray(score, float)
    return np.stack([1 - score, score], axis=1)


def drawn(seed, n=200, temperature=1.0, shift=0.0):
    """Labels with the probabilities of a model; calibrated by default."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, n)
    labels = (generator.random(n) < 1 / (1 + np.exp(-logits))).astype(int)
    return labels, 1 / (1 + np.exp(-(temperature * logits + shift)))


@pytest.mark.parametrize("seed", range(5))
def test_without_ties_the_bins_are_those_of_scikit_learn(seed):
    labels, score = drawn(seed)
    observed, predicted = calibration_curve(
        labels, score, n_bins=10, strategy="quantile"
    )
    found = task_metrics(TWO, labels, of_two(score))["ece"]
    assert found == pytest.approx(np.abs(observed - predicted).mean(), abs=1e-12)


def test_the_error_of_several_classes_is_that_of_each_against_the_rest():
    generator = np.random.default_rng(0)
    chances = generator.dirichlet(np.ones(3), 90)
    labels = generator.integers(0, 3, 90)
    each = [
        task_metrics(TWO, (labels == c).astype(int), of_two(chances[:, c]))["ece"]
        for c in range(3)
    ]
    found = task_metrics(THREE, labels, chances)["ece"]
    assert found == pytest.approx(np.mean(each), abs=1e-12)


def test_by_hand():
    """Odds of 1 : 3 and 3 : 1 are observed where 1 : 9 and 9 : 1 are predicted."""
    score = np.repeat([0.1, 0.9], 4)
    labels = np.array([1, 0, 0, 0, 0, 1, 1, 1])
    found = task_metrics(TWO, labels, of_two(score))
    assert found["ece"] == pytest.approx(0.15)
    assert found["calibration_slope"] == pytest.approx(math.log(3) / math.log(9))
    assert found["calibration_intercept"] == pytest.approx(0, abs=1e-12)
    # The same labels, where the odds are predicted twice as high.
    twice = 2 * score / (1 - score) / (1 + 2 * score / (1 - score))
    found = task_metrics(TWO, labels, of_two(twice))
    assert found["calibration_slope"] == pytest.approx(math.log(3) / math.log(9))


def test_a_constant_shift_of_the_logits_is_the_intercept():
    # Within each of the two groups the shift is the same, so the maximum is exact.
    score, labels = np.full(10, 0.2), np.arange(10) < 5
    found = task_metrics(TWO, labels.astype(int), of_two(score))
    assert found["calibration_intercept"] == pytest.approx(-math.log(0.25))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_slope_and_intercept_of_many_rows_are_those_of_the_simulation(temperature):
    labels, score = drawn(1, 20_000, temperature)
    found = task_metrics(TWO, labels, of_two(score))
    assert found["calibration_slope"] == pytest.approx(1 / temperature, rel=0.05)
    labels, score = drawn(2, 20_000, shift=1.2)
    found = task_metrics(TWO, labels, of_two(score))
    assert found["calibration_intercept"] == pytest.approx(-1.2, abs=0.07)


@pytest.mark.parametrize(
    ("labels", "score"),
    [
        pytest.param([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], id="separated"),
        pytest.param([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4], id="the wrong way round"),
        pytest.param([0, 0, 1, 1], [0.1, 0.3, 0.3, 0.4], id="tied at the threshold"),
        pytest.param([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3], id="one score"),
        pytest.param([0, 0], [0.1, 0.3], id="one class"),
    ],
)
def test_there_is_no_slope(labels, score):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = task_metrics(TWO, np.array(labels), of_two(score))
    assert math.isnan(found["calibration_slope"])
    assert math.isnan(found["calibration_intercept"]) == (len(set(labels)) == 1)
    assert not math.isnan(found["ece"])


def test_weights_decide_whether_the_classes_overlap():
    labels, score = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    weights = [[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 0, 1, 0]]
    found = weighted_metrics(TWO, labels, of_two(score), np.array(weights, float))
    assert np.isnan(found["calibration_slope"]).tolist() == [False, True, True, True]


def test_nearly_separated_rows_have_a_finite_steep_slope():
    score = np.r_[np.linspace(0.01, 0.5, 50), np.linspace(0.499, 0.99, 50)]
    labels = np.arange(100) >= 50
    found = task_metrics(TWO, labels.astype(int), of_two(score))
    assert 20 < found["calibration_slope"] < 1e5


def test_certain_answers_count_as_nearly_certain():
    labels, score = drawn(3)
    sure = np.where(score > 0.9, 1.0, score)
    nearly = np.where(score > 0.9, 1 - 1e-6, score)
    found = [task_metrics(TWO, labels, of_two(s)) for s in (sure, nearly)]
    for name in ("calibration_slope", "calibration_intercept"):
        assert found[0][name] == pytest.approx(found[1][name], rel=1e-9)


def test_gaps_are_signed_and_their_sum_is_the_error_in_the_large():
    labels, score = drawn(5, 100)
    rows = WeightedRows(TWO, labels, of_two(score), np.ones((1, 100)))
    gaps = rows.calibration_gaps
    assert gaps.shape == (1, 10) and (gaps < 0).any() and (gaps > 0).any()
    assert gaps.sum() == pytest.approx(score.mean() - labels.mean())


def test_bins_are_those_of_the_calibration_error():
    target, score = drawn(seed=0)
    predicted, observed, low, high = equal_mass_bins(score, target == 1)
    ece = task_metrics(TWO, target, of_two(score))["ece"]
    assert np.abs(predicted - observed).mean() == pytest.approx(ece)
    expected = proportion_confint(observed * 20, 20, method="wilson")
    np.testing.assert_allclose([low, high], expected, atol=1e-6)


def test_tied_scores_are_in_one_bin():
    predicted, observed, *_ = equal_mass_bins(
        np.repeat([0.2, 0.7], 10), np.arange(20) % 2 == 0
    )
    assert predicted == pytest.approx([0.2, 0.7])
    assert observed == pytest.approx([0.5, 0.5])
