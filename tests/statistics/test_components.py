"""Components of the variance of a difference."""

import numpy as np
import pytest
from compared import AGE, DEATH, ages, fits

from mdmt_tf.statistics.components import (
    estimate,
    influences,
    variance_of_mean,
)
from mdmt_tf.statistics.pairing import paired

# The same without each of five folds: fits have no luck of their own.
NO_LUCK = np.zeros((1, 5))


def test_influences_of_a_mean_are_deviations_from_it():
    values = np.array([3.0, 5.0, 1.0, 7.0])
    left_out = np.array([[(values.sum() - v) / 3 for v in values]])
    assert influences(left_out)[0] == pytest.approx(values - values.mean())


def test_the_variance_of_patients_is_that_of_a_mean():
    # Both folds, every second patient, have the mean 3.
    errors = np.array([1.0, 2.0, 6.0, 0.0, 3.0, 9.0, 1.0, 2.0, 4.0, 2.0])
    pair = paired(ages(errors), ages(np.zeros(10)), AGE, 2)
    found = estimate(pair, AGE, ["mae"], 2)["mae"]
    assert found.value == pytest.approx(errors.mean())
    of_patients = errors.var(ddof=1) / 10
    # One fit of a fold: all of it is shared, and sqrt(10 / 10) = 1.
    assert found.variance == pytest.approx(2 * of_patients)


def variance_of(psi, effective, folds_left_out=None, values=None, repeats=1):
    fits = len(psi)
    values = np.zeros(fits) if values is None else values
    if folds_left_out is None:
        folds_left_out = np.repeat(NO_LUCK, fits, axis=0)
    return variance_of_mean(values, psi, folds_left_out, effective, repeats)


def test_noise_that_fits_do_not_share_adds_nothing():
    generator = np.random.default_rng(0)
    independent = generator.normal(size=(50, 1000))
    independent -= independent.mean(axis=1, keepdims=True)
    only, _ = variance_of(independent, np.inf)
    both, _ = variance_of(independent, 10)
    assert only == pytest.approx(1 / 50 / 1000, rel=0.1)
    assert both == pytest.approx(only, rel=0.1)
    shared = np.repeat(independent[:1], 50, axis=0)
    only, _ = variance_of(shared, np.inf)
    assert variance_of(shared, 40)[0] == pytest.approx(1.5 * only)


def test_luck_of_single_fits_is_the_variance_between_folds():
    psi = np.array([[-1.0, 1.0] * 50])
    of_patients = 100 / (100 * 99)
    of_folds = np.array([3.0, 1.0, 2.0, 0.0, 4.0])
    # A mean of five folds of equal size, without each of them.
    without = (of_folds.sum() - of_folds) / 4
    variance, freedom = variance_of(psi, 100, without[None])
    # Greater than that of training sets, which it replaces.
    assert variance == pytest.approx(of_folds.var(ddof=1) / 5)
    expected = variance**2 / (of_patients**2 / 99 + variance**2 / 4)
    assert freedom == pytest.approx(expected)
    # Luck that patients explain is not counted twice.
    little = variance_of(psi, 100, without[None] / 1000)[0]
    assert little == pytest.approx(of_patients * (1 + np.sqrt(0.1)))


def test_luck_of_many_fits_is_their_variance_by_fold():
    generator = np.random.default_rng(0)
    luck = generator.normal(size=(40, 5))
    luck -= luck.mean(axis=0)  # No luck of a fold that all of them share.
    values = luck.mean(axis=1)
    without = (luck.sum(axis=1, keepdims=True) - luck) / 4
    psi = np.repeat([[-1e-6, 1e-6] * 50], 40, axis=0)
    variance, freedom = variance_of(psi, 100, without, values)
    # 40 fits of five folds each have the variance 1.
    expected = luck.var(axis=0, ddof=1).mean() / 5 / 40
    assert variance == pytest.approx(expected, rel=1e-6)
    assert freedom == 99  # 39 * 5 of the fits, but not more than of the patients
    # A single fold has its deviation from the mean over models.
    one = variance_of(psi, 100, np.full((40, 1), np.nan), values)[0]
    assert one == pytest.approx(values.var(ddof=1) / 40, rel=1e-6)


def without_each_fold(of_folds):
    """Means of folds of equal size, without each of them."""
    folds = of_folds.shape[-1]
    return (of_folds.sum(axis=-1, keepdims=True) - of_folds) / (folds - 1)


def test_the_same_fits_twice_tell_nothing_new():
    generator = np.random.default_rng(0)
    psi = generator.normal(size=(1, 60))
    psi -= psi.mean()
    for size in (0.1, 3.0):
        without = without_each_fold(size * generator.normal(size=(1, 5)))
        once = variance_of(psi, 60, without)
        twice = variance_of(np.tile(psi, (2, 1)), 60, np.tile(without, (2, 1)))
        assert twice == pytest.approx(once)


def test_luck_of_folds_that_all_models_share_is_counted():
    generator = np.random.default_rng(0)
    models, repeats, folds = 3, 2, 5
    psi = np.tile([-1e-6, 1e-6] * 50, (models * repeats, 1))
    shared = generator.normal(size=(repeats, folds))
    luck = np.tile(shared, (models, 1)) + 1e-4 * generator.normal(size=(6, folds))
    values = luck.mean(axis=1)
    # By model, then by repeat: the order of the rows.
    of_repeats = luck.reshape(models, repeats, folds).mean(axis=0)
    expected = of_repeats.var(axis=1, ddof=1).mean() / folds / repeats
    found = variance_of(psi, 100, without_each_fold(luck), values, repeats)
    assert found == pytest.approx((expected, repeats * (folds - 1)), rel=1e-6)
    # The luck of one division into folds is that of a single repeat.
    own = slice(0, None, repeats)
    one = variance_of(psi[own], 100, without_each_fold(luck[own]), values[own])
    first = of_repeats[0].var(ddof=1) / folds
    assert one == pytest.approx((first, folds - 1), rel=1e-6)


def test_a_metric_that_needs_every_fold_has_no_luck():
    psi = np.array([[-1.0, 1.0] * 50])
    found = variance_of(psi, 100, np.array([[0.1, np.nan]]))
    assert found == variance_of(psi, 100)


def test_degrees_of_freedom():
    normal = np.random.default_rng(0).normal(size=(1, 2000))
    assert variance_of(normal, 2000)[1] == pytest.approx(1999, rel=0.1)
    few = np.zeros((1, 100))
    # Four patients decide: 2 / (1 / 4 - 1 / 100).
    few[0, :4] = [1, -1, 1, -1]
    assert variance_of(few, 100)[1] == pytest.approx(2 / 0.24)
    few[0, 2:] = 0
    assert variance_of(few, 100)[1] == pytest.approx(2 / 0.49)


def reason_of(a, b, task, metric, folds):
    return estimate(paired(a, b, task, folds), task, [metric], folds)[metric].reason


def test_reasons():
    a, b = fits(0), fits(1)
    assert reason_of(a, b, DEATH, "auc", 5) is None
    few = [rows[rows["patient_id"] < "p008"] for rows in (fits(0), fits(1))]
    assert "There are 8 patients" in reason_of(*few, DEATH, "accuracy", 5)
    rare = [r[(r["target"] == 0) | (r["patient_id"] < "p008")] for r in (a, b)]
    assert reason_of(*rare, DEATH, "accuracy", 5) is None
    assert "Class yes has 4 patients" in reason_of(*rare, DEATH, "auc", 5)
    assert "No patient makes a difference" in reason_of(a, a, DEATH, "auc", 5)
    single = [rows.assign(fold=0) for rows in (a, b)]
    assert "one fit of each" in reason_of(*single, DEATH, "accuracy", 1)
    negative = b.assign(prediction=0, p_0=0.9, p_1=0.1)
    assert "not defined" in reason_of(a, negative, DEATH, "precision", 5)
