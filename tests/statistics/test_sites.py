"""Random effects over sites, by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
from compared import AGE, ages

from mdmt_tf.statistics.components import Estimate
from mdmt_tf.statistics.sites import across_sites, combined

SITES = np.repeat(["A", "B", "C", "D"], [12, 20, 15, 30])
INDEX = np.unique(SITES, return_inverse=True)[1]


def drawn(shift, seed):
    """Absolute errors of the patients of four sites."""
    generator = np.random.default_rng(seed)
    return 5 + generator.normal(size=len(SITES)) + np.array(shift)[INDEX]


def left_out(errors, site):
    """Test rows of leave-one-site-out: each site is a fold of its own."""
    fold = np.unique(site, return_inverse=True)[1]
    return ages(errors, site=site).assign(fold=fold)


def by_hand(errors):
    """Paule-Mandel and Hartung-Knapp; each site is one fold of its own."""
    groups = [errors[index == INDEX] for index in range(4)]
    means = np.array([own.mean() for own in groups])
    variances = np.array(
        [own.var(ddof=1) / len(own) * (1 + np.sqrt(10 / len(own))) for own in groups]
    )

    def excess(tau2):
        weights = 1 / (variances + tau2)
        mean = np.average(means, weights=weights)
        return (weights * (means - mean) ** 2).sum() - 3

    tau2 = scipy.optimize.brentq(excess, 0, 100) if excess(0) > 0 else 0.0
    weights = 1 / (variances + tau2)
    mean = np.average(means, weights=weights)
    q = (weights * (means - mean) ** 2).sum() / 3
    variance = 1 / weights.sum()
    of_knapp = scipy.stats.t.ppf(0.975, 3) * np.sqrt(q * variance)
    return mean, max(of_knapp, scipy.stats.norm.ppf(0.975) * np.sqrt(variance)), tau2


@pytest.mark.parametrize(
    "shift, seed", [([0, 2, -1, 3], 0), ([0, 0, 0, 0], 1)], ids=["unequal", "equal"]
)
def test_paule_mandel_and_hartung_knapp(shift, seed):
    errors = drawn(shift, seed)
    a, b = (left_out(own, SITES) for own in (errors, np.zeros(len(errors))))
    found = across_sites(a, b, AGE, "mae", folds=4)
    mean, half, tau2 = by_hand(errors)
    assert (tau2 > 0) == any(shift)
    assert found.value == pytest.approx(mean, rel=1e-4)
    assert found.high - found.value == pytest.approx(half, rel=1e-3)
    assert found.method == "random effects over 4 sites"


def test_sites_that_agree_have_the_interval_of_their_patients():
    sites = [Estimate(0.3, variance, 50.0) for variance in (0.04, 0.01, 0.04)]
    found = combined(sites)
    assert found.value == pytest.approx(0.3)
    assert found.variance == pytest.approx(1 / (25 + 100 + 25))
    assert found.freedom == np.inf


def test_small_sites_are_left_out_and_named():
    site = np.repeat(["A", "B", "C", "D"], [12, 12, 12, 6])
    errors = np.random.default_rng(0).normal(5, 1, 42)
    a, b = left_out(errors, site), left_out(np.zeros(42), site)
    found = across_sites(a, b, AGE, "mae", folds=4)
    assert found.method == "random effects over 3 sites, without D (not estimable)"
    assert found.sites == "3 of 4 sites, without D (not estimable)"
    assert (found.n_patients, found.n_fits) == (36, 3)  # not 42 of 4
    assert found.conclusion == "worse"
    two = [rows[rows["site"] != "C"].replace({"fold": {3: 2}}) for rows in (a, b)]
    found = across_sites(*two, AGE, "mae", folds=3)
    assert "2 sites with an estimable difference" in found.reason


def test_patients_and_fits_of_all_sites_count_where_all_are_known():
    errors = drawn([0, 2, -1, 3], 0)
    a, b = (left_out(own, SITES) for own in (errors, np.zeros(len(errors))))
    models = [a.assign(seed=seed) for seed in (0, 1)]
    found = across_sites(pd.concat(models), b, AGE, "mae", folds=4)
    assert (found.n_patients, found.n_fits, found.sites) == (len(errors), 4 * 2, "")


def test_of_two_sites_the_mean_is_given_without_an_interval():
    site = np.repeat(["A", "B"], 12)
    errors = np.where(site == "A", 3.0, 5.0) + np.tile([-0.5, 0.5], 12)
    a, b = left_out(errors, site), left_out(np.zeros(24), site)
    found = across_sites(a, b, AGE, "mae", folds=2)
    assert found.value == pytest.approx((3 + 5) / 2)
    assert "2 sites" in found.reason and np.isnan(found.low)


def test_experiments_that_cannot_be_paired_have_a_reason():
    rows = ages(np.ones(40), site="A")
    found = across_sites(rows, rows[:30], AGE, "mae", folds=2)
    assert "different test rows" in found.reason and np.isnan(found.value)


def test_a_group_of_sites_is_no_three_sites():
    # Six makers, left out in two groups: the luck of two pairs of fits is shared.
    maker = np.repeat(["A", "B", "C", "D", "E", "F"], 12)
    luck = np.repeat([2.0, -1.0], 36)
    errors = 5 + luck + np.random.default_rng(0).normal(0, 0.1, 72)
    a, b = ages(errors, site=maker), ages(np.full(72, 5.0), site=maker)
    a, b = (rows.assign(fold=np.repeat([0, 1], 36)) for rows in (a, b))
    found = across_sites(a, b, AGE, "mae", folds=2)
    assert "2 sites with an estimable difference" in found.reason
