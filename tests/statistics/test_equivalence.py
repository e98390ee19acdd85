"""The correlated Bayesian t-test against its density."""

import math

import numpy as np
import pytest
from compared import AGE, DEATH, ages, fits
from scipy.integrate import quad

from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.equivalence import bayesian_t, fold_differences


def test_probabilities_are_integrals_of_the_posterior():
    values = np.random.default_rng(0).normal(0.02, 0.03, 50)
    found = bayesian_t(values, folds=5, rope=0.01)
    # Corani and Benavoli 2015, eq. 8, with rho = 1 / 5.
    scale = math.sqrt((1 / 50 + 0.2 / 0.8) * values.var(ddof=1))
    constant = math.gamma(25) / (math.gamma(24.5) * math.sqrt(49 * math.pi) * scale)

    def density(x):
        return constant * (1 + ((x - values.mean()) / scale) ** 2 / 49) ** -25

    assert found.less == pytest.approx(quad(density, -1, -0.01)[0], abs=1e-6)
    assert found.equivalent == pytest.approx(quad(density, -0.01, 0.01)[0], abs=1e-6)
    assert found.greater == pytest.approx(quad(density, 0.01, 1)[0], abs=1e-6)


def test_two_differences_are_enough():
    """One degree of freedom: the posterior is a Cauchy distribution."""
    found = bayesian_t([0.0, 0.2], folds=2, rope=0.0)
    # 1 / 2 + rho / (1 - rho) with rho = 1 / 2, and a variance of 0.02.
    scale = math.sqrt(1.5 * 0.02)
    assert found.less == pytest.approx(0.5 - math.atan(0.1 / scale) / math.pi)


def test_what_is_not_estimable():
    assert bayesian_t([0.1], folds=5, rope=0.0) is None
    assert bayesian_t([0.1, math.nan], folds=5, rope=0.0) is None
    assert bayesian_t([0.1, 0.1], folds=5, rope=0.0) is None
    for folds, rope in ((1, 0.0), (5, -0.1)):
        with pytest.raises(ValueError, match="folds >= 2 and rope >= 0"):
            bayesian_t([0.1, 0.2], folds=folds, rope=rope)


def test_differences_of_folds_are_means_over_models():
    models = (("a", 0), ("b", 0))
    a, b = (fits(seed, models=models, repeats=2) for seed in (0, 1))
    found = fold_differences(a, b, DEATH, "accuracy", folds=5)
    assert len(found) == 10
    means = [
        np.mean(
            [
                metrics_of_rows(own, DEATH)["accuracy"]
                for _, own in rows[rows["fold"] == 7].groupby("backbone")
            ]
        )
        for rows in (a, b)
    ]
    assert found[7] == pytest.approx(means[0] - means[1])
    rows = ages([1.0, 2.0])
    assert fold_differences(rows, rows[:1], AGE, "mae", folds=2) is None


def test_a_fold_without_a_class_has_no_difference_of_all_classes():
    a, b = (fits(seed) for seed in (0, 1))
    a, b = (r[~((r["fold"] == 3) & (r["target"] == 1))] for r in (a, b))
    found = fold_differences(a, b, DEATH, "balanced_accuracy", folds=5)
    assert np.isnan(found).tolist() == [False, False, False, True, False]
    found = fold_differences(a, b, DEATH, "accuracy", folds=5)
    assert not np.isnan(found).any()
