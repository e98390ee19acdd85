"""The primary comparison: value, interval, conclusion."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from compared import AGE, DEATH, ages, fits
from one_metric import compare

from mdmt_tf.metrics.table import names_of
from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.primary import Difference, compare_metrics
from mdmt_tf.tasks import make_task

MODELS = (("a", 0), ("a", 1), ("b", 0))


def test_value_is_averaged_over_models_and_repeats():
    a, b = (fits(seed, models=MODELS, repeats=2) for seed in (0, 1))
    found = compare(a, b, DEATH, "balanced_accuracy", folds=5)
    of_models = [
        [
            metrics_of_rows(own, DEATH)["balanced_accuracy"]
            for _, own in rows.assign(repeat=rows["fold"] // 5).groupby(
                ["backbone", "seed", "repeat"]
            )
        ]
        for rows in (a, b)
    ]
    assert found.value == pytest.approx(np.mean(of_models[0]) - np.mean(of_models[1]))
    assert (found.n_patients, found.n_fits, found.unit) == (30, 30, "image")


def test_interval_and_p_agree():
    # Both folds, every second patient, have the mean 3.
    errors = np.array([1.0, 2.0, 6.0, 0.0, 3.0, 9.0, 1.0, 2.0, 4.0, 2.0] * 4)
    found = compare(ages(errors), ages(np.zeros(40)), AGE, "mae", folds=2)
    error = math.sqrt(errors.var(ddof=1) / 40 * (1 + math.sqrt(10 / 40)))
    psi = errors - errors.mean()
    freedom = 2 / ((psi**4).sum() / (psi**2).sum() ** 2 - 1 / 40)
    t = scipy.stats.t(min(freedom, 39))
    assert found.high - found.value == pytest.approx(t.ppf(0.975) * error)
    assert found.value - found.low == pytest.approx(t.ppf(0.975) * error)
    assert found.p == pytest.approx(2 * t.sf(errors.mean() / error))
    assert found.conclusion == "worse"


def test_exchanging_the_experiments_changes_the_sign_only():
    a, b = fits(0, images=2, models=MODELS), fits(1, images=2, models=MODELS)
    for metric in ("auc", "brier"):
        one = compare(a, b, DEATH, metric, folds=5)
        two = compare(b, a, DEATH, metric, folds=5)
        assert (one.value, one.low) == pytest.approx((-two.value, -two.high))
        assert one.p == pytest.approx(two.p)


def test_order_of_rows_does_not_matter():
    a, b = fits(0, images=2, models=MODELS), fits(1, images=2, models=MODELS)
    found = compare(a, b, DEATH, "auc", folds=5)
    shuffled = compare(
        a.sample(frac=1, random_state=0),
        b.sample(frac=1, random_state=1),
        DEATH,
        "auc",
        folds=5,
    )
    assert found == shuffled


def test_every_metric_has_an_interval():
    a, b = fits(0, patients=60, models=MODELS), fits(1, patients=60, models=MODELS)
    found = compare_metrics(a, b, DEATH, names_of(DEATH), folds=5)
    assert all(own.low < own.value < own.high for own in found.values())
    score = make_task(name="score", kind="ordinal", classes=("0", "1", "2"))
    generator = np.random.default_rng(0)
    ordinal = [
        rows.assign(
            task="score",
            target=np.arange(len(rows)) % 3.0,
            **dict(zip(("p_0", "p_1", "p_2"), chances.T, strict=True)),
        )
        for rows in (a[:60], b[:60])
        for chances in [generator.dirichlet(np.ones(3), 60)]
    ]
    found = compare_metrics(*ordinal, score, names_of(score), folds=5)
    assert all(own.low < own.value < own.high for own in found.values())
    errors = generator.normal(size=40)
    numbers = [ages(errors).assign(target=range(40)), ages(-errors[::-1])]
    numbers[1]["target"] = numbers[0]["target"]
    found = compare_metrics(*numbers, AGE, names_of(AGE), folds=2)
    assert all(own.low < own.value < own.high for own in found.values())


def test_a_task_with_several_labels_is_compared_by_their_mean():
    pair = make_task(name="findings", kind="multilabel", classes=("x", "y"))
    arms = []
    for seed in (0, 1):
        tables = [
            fits(seed + 2 * i).assign(task=c.name)
            for i, c in enumerate(pair.components)
        ]
        arms.append(tables)
    a, b = (pd.concat(tables, ignore_index=True) for tables in arms)
    found = compare(a, b, pair, "accuracy", folds=5)
    each = [
        compare(x, y, component, "accuracy", folds=5).value
        for x, y, component in zip(*arms, pair.components, strict=True)
    ]
    assert found.value == pytest.approx(np.mean(each))
    assert found.n_patients == 30


def test_a_baseline_is_compared_with_each_model():
    a, baseline = fits(0, models=MODELS), fits(1).assign(backbone=None)
    found = compare(a, baseline, DEATH, "accuracy", folds=5)
    values = [
        compare(own, baseline, DEATH, "accuracy", folds=5).value
        for _, own in a.groupby(["backbone", "seed"])
    ]
    assert found.value == pytest.approx(np.mean(values)) and found.n_fits == 15


@pytest.mark.parametrize(
    "metric, low, high, conclusion",
    [
        ("auc", 0.1, 0.2, "better"),
        ("auc", -0.2, -0.1, "worse"),
        ("brier", 0.1, 0.2, "worse"),
        ("brier", -0.2, -0.1, "better"),
        ("auc", 0.0, 0.2, "undecided"),
        ("calibration_slope", 0.1, 0.2, "higher"),
        ("calibration_slope", -0.2, -0.1, "lower"),
    ],
)
def test_conclusion(metric, low, high, conclusion):
    middle = (low + high) / 2
    found = Difference(metric, "patient", middle, low, high, 0.01, 50, 5, "method")
    assert found.conclusion == conclusion


def test_what_is_not_estimable_has_a_reason_and_no_interval():
    rows = fits(0)
    found = compare(rows, rows[rows["fold"] > 0], DEATH, "auc", folds=5)
    assert found.conclusion == "not estimable" and "4 of 5 folds" in found.reason
    assert math.isnan(found.low) and math.isnan(found.p) and math.isnan(found.value)


def test_metrics_of_other_tasks_are_refused():
    rows = ages(np.ones(12))
    with pytest.raises(
        ValueError, match="'age' has no metric 'auc'. Its metrics: loss"
    ):
        compare(rows, rows, AGE, "auc", folds=2)
