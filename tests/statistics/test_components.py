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


def test_influences_of_a_mean_are_deviations_from_it():
    values = np.array([3.0, 5.0, 1.0, 7.0])
    left_out = np.array([[(values.sum() - v) / 3 for v in values]])
    assert influences(left_out)[0] == pytest.approx(values - values.mean())


def test_the_variance_of_patients_is_that_of_a_mean():
    errors = np.array([1.0, 2.0, 6.0, 0.0, 3.0, 9.0, 1.0, 2.0, 5.0, 1.0])
    pair = paired(ages(errors), ages(np.zeros(10)), AGE, 2)
    found = estimate(pair, AGE, ["mae"], 2)["mae"]
    assert found.value == pytest.approx(errors.mean())
    of_patients = errors.var(ddof=1) / 10
    # One fit of a fold: all of it is shared, and sqrt(10 / 10) = 1.
    assert found.variance == pytest.approx(2 * of_patients)


def test_noise_that_fits_do_not_share_adds_nothing():
    generator = np.random.default_rng(0)
    independent = generator.normal(size=(50, 1000))
    independent -= independent.mean(axis=1, keepdims=True)
    only, _ = variance_of_mean(independent, np.inf)
    both, _ = variance_of_mean(independent, 10)
    assert only == pytest.approx(1 / 50 / 1000, rel=0.1)
    assert both == pytest.approx(only, rel=0.1)
    shared = np.repeat(independent[:1], 50, axis=0)
    only, _ = variance_of_mean(shared, np.inf)
    assert variance_of_mean(shared, 40)[0] == pytest.approx(1.5 * only)


def test_degrees_of_freedom():
    normal = np.random.default_rng(0).normal(size=(1, 2000))
    assert variance_of_mean(normal, 2000)[1] == pytest.approx(1999, rel=0.1)
    few = np.zeros((1, 100))
    # Four patients decide: 2 / (1 / 4 - 1 / 100).
    few[0, :4] = [1, -1, 1, -1]
    assert variance_of_mean(few, 100)[1] == pytest.approx(2 / 0.24)
    few[0, 2:] = 0
    assert variance_of_mean(few, 100)[1] == pytest.approx(2 / 0.49)


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
