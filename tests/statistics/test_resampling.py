"""Intervals by resampling patients: against copied rows and simulated truth."""

import math
import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.statistics import draws
from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.tasks import make_task

TWO = make_task(name="prognosis", kind="categorical", classes=("mild", "severe"))
AGE = make_task(name="age", kind="regression")
NAN = float("nan")

# Of the simulated patients: distance of the classes, and spread of a score between
# patients and between the images of one patient.
DISTANCE, BETWEEN, WITHIN = 1.5, 0.9, 0.44


def simulated_folds(generator, folds=5, patients=40, images=3):
    """Folds of patients with 1 to `images` images, half of the patients severe.

    The score of an image is +- DISTANCE / 2 by class, plus a term of its patient, plus
    one of its own; its sign is the prediction.
    """
    tables = []
    for _ in range(folds):
        of = np.repeat(np.arange(patients), generator.integers(1, images + 1, patients))
        target = generator.permutation(np.arange(patients) % 2)[of]
        score = DISTANCE * (target - 0.5) + generator.normal(0, BETWEEN, patients)[of]
        score += generator.normal(0, WITHIN, len(of))
        severe = 1 / (1 + np.exp(-score))
        tables.append(
            pd.DataFrame(
                {
                    "dataset": "phantoms",
                    "patient_id": of,
                    "target": target,
                    "prediction": (score > 0).astype(int),
                    "p_0": 1 - severe,
                    "p_1": severe,
                }
            )
        )
    return tables


def metric_means(task, folds):
    """NaN if a fold lacks a class, or does not define the metric."""
    each = [
        task_metrics(
            task, rows["target"].to_numpy(), rows[["p_0", "p_1"]].to_numpy(np.float64)
        )
        for rows in folds
    ]
    means = {name: np.mean([one[name] for one in each]) for name in each[0]}
    whole = all(rows["target"].nunique() == task.n_classes for rows in folds)
    return {
        name: NAN if METRICS[name].every_class and not whole else mean
        for name, mean in means.items()
        if name != "n"
    }


def ends(interval):
    return [interval.low, interval.high]


# --- Intervals


def copied(folds, seed, resamples, patients):
    """Metrics of resamples, and how often each patient is drawn, from copied rows."""
    # As documented: a stream for each fold, patients in the order of their names.
    draws = [
        np.random.default_rng([seed, fold]).integers(0, patients, (resamples, patients))
        for fold in range(len(folds))
    ]
    values, counts = [], []
    for resample in range(resamples):
        drawn = []
        for rows, picks in zip(folds, draws, strict=True):
            names = sorted(rows["patient_id"].unique(), key=str)
            parts = [rows[rows["patient_id"] == names[p]] for p in picks[resample]]
            drawn.append(pd.concat(parts))
        each = [metric_means(TWO, [rows]) for rows in drawn]
        values.append(each)
        times = [np.bincount(own[resample], minlength=patients) for own in draws]
        counts.append(np.concatenate(times))
    return values, np.array(counts)


def test_equals_a_bootstrap_that_copies_rows():
    """Expanded and corrected as the docstring says, with loops instead of arrays."""
    folds = simulated_folds(np.random.default_rng(0), folds=2, patients=12)
    folds[1]["patient_id"] += 12
    options = {"resamples": 60, "seed": 3, "level": 0.8}
    values, counts = copied(folds, 3, 60, 12)
    observed = metric_means(TWO, folds)
    for name in ("accuracy", "loss", "auc", "g_mean", "balanced_accuracy"):
        of_fold = np.array([[fold[name] for fold in each] for each in values])
        means = of_fold.mean(axis=1)
        numbers = []
        for rows in folds:
            groups = [rows]
            if METRICS[name].every_class:
                groups = [rows[rows["target"] == c] for c in (0, 1)]
            sizes = [g.groupby("patient_id").size() for g in groups]
            numbers.append(min(k.sum() ** 2 / (k**2).sum() for k in sizes))
        variances = of_fold.var(axis=0)
        parts = list(zip(variances, numbers, strict=True))
        bias = sum(v * n / (n - 1) for v, n in parts) / variances.sum()
        welch = variances.sum() ** 2 / sum(v**2 / (n - 1) for v, n in parts)
        influences = [np.cov(column, means)[0, 1] for column in counts.T]
        kurtosis = scipy.stats.moment(np.abs(influences) ** 0.5, 8, center=0) / (
            scipy.stats.moment(influences, 2, center=0) ** 2
        )
        freedom = min(welch, 2 * 24 / (kurtosis - 1))
        t = scipy.stats.t.isf(0.1, freedom) * math.sqrt(bias)
        z = scipy.stats.norm.isf((means > observed[name]).mean())
        for refits in (False, True):
            found = bootstrap_intervals(TWO, folds, refits=refits, **options)[name]
            wide = t * 1.3 if refits else t
            low, high = min(-wide, 2 * z - wide), max(wide, 2 * z + wide)
            expected = np.quantile(means, scipy.stats.norm.cdf([low, high]))
            assert ends(found) == pytest.approx(expected, abs=2e-4), name


def test_a_patient_that_is_tested_again_is_drawn_alike():
    """Two seeds of equal predictions are worth one."""
    rows = simulated_folds(np.random.default_rng(0), folds=1)[0]
    once = bootstrap_intervals(TWO, [rows], refits=False)
    twice = bootstrap_intervals(TWO, [rows, rows], refits=False)
    for name in ("accuracy", "auc", "loss"):
        assert ends(twice[name]) == pytest.approx(ends(once[name]), abs=1e-9), name


def test_does_not_depend_on_the_order_of_rows():
    folds = simulated_folds(np.random.default_rng(0))
    mixed = [rows.sample(frac=1, random_state=7) for rows in folds]
    result = bootstrap_intervals(TWO, folds, resamples=200, seed=1)
    assert bootstrap_intervals(TWO, mixed, resamples=200, seed=1) == result
    assert bootstrap_intervals(TWO, folds, resamples=200, seed=2) != result


def test_the_images_of_a_patient_stay_together():
    folds = simulated_folds(np.random.default_rng(0), images=1)
    twice = [pd.concat([rows, rows]) for rows in folds]
    result = bootstrap_intervals(TWO, twice, resamples=200)
    for name, interval in bootstrap_intervals(TWO, folds, resamples=200).items():
        assert ends(result[name]) == pytest.approx(ends(interval), abs=1e-12), name


def test_the_same_id_in_two_datasets_is_two_patients():
    rows = simulated_folds(np.random.default_rng(0), folds=1, images=1)[0]
    rows["dataset"] = np.where(rows["patient_id"] < 20, "here", "there")
    renamed = rows.assign(patient_id=rows["patient_id"] % 20)
    result = bootstrap_intervals(TWO, [renamed], resamples=200)
    expected = bootstrap_intervals(TWO, [rows], resamples=200)
    assert ends(result["auc"])[0] < ends(result["auc"])[1]
    # 20 patients of two rows would make a wider or narrower interval, never the same.
    merged = bootstrap_intervals(TWO, [renamed.assign(dataset="one")], resamples=200)
    assert ends(result["loss"]) == pytest.approx(ends(expected["loss"]), rel=0.15)
    assert ends(merged["loss"]) != ends(result["loss"])


def test_one_patient_a_fold_leaves_nothing_to_draw():
    folds = simulated_folds(np.random.default_rng(2), folds=7, patients=4)
    folds = [rows.assign(patient_id=number) for number, rows in enumerate(folds)]
    result = bootstrap_intervals(TWO, folds, resamples=50)
    assert result["accuracy"].reason == "fold 0 has a single patient"
    assert all(math.isnan(end) for end in ends(result["accuracy"]))


def test_folds_are_drawn_independently():
    rows = simulated_folds(np.random.default_rng(0), folds=1)[0]
    one = bootstrap_intervals(TWO, [rows])["loss"]
    others = [rows.assign(dataset=name) for name in "abcd"]
    four = bootstrap_intervals(TWO, others, refits=False)["loss"]
    # The mean of 4 independent draws has half of the spread.
    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(0.5, abs=0.06)


def test_level_and_blocks(monkeypatch):
    folds = simulated_folds(np.random.default_rng(0))
    wide = bootstrap_intervals(TWO, folds, resamples=200)
    narrow = bootstrap_intervals(TWO, folds, resamples=200, level=0.5)
    assert wide["auc"].low < narrow["auc"].low < narrow["auc"].high < wide["auc"].high
    monkeypatch.setattr(draws, "BLOCK", 1000)
    assert bootstrap_intervals(TWO, folds, resamples=200) == wide


def test_a_class_that_is_rarely_drawn_leaves_no_interval():
    folds = simulated_folds(np.random.default_rng(0), folds=7, patients=10, images=1)
    for number, rows in enumerate(folds):
        rows["fold"], rows["patient_id"] = number + 3, rows["patient_id"] + 10 * number
        rows["target"] = np.arange(10) < (1 if number == 4 else 5)
    result = bootstrap_intervals(TWO, folds, resamples=2000)
    # Not drawn in (1 - 1/10)^10 of the resamples.
    lacking = result["auc"].undefined_by_fold
    assert lacking[4] == pytest.approx(0.9**10, abs=0.03)
    assert max(lacking[:4]) < 0.01 and result["auc"].undefined >= lacking[4]
    words = f"fold 7 lacks a class in {100 * lacking[4]:.0f} % of the resamples"
    for name in ("auc", "g_mean", "balanced_accuracy"):
        assert result[name].reason == words
        assert all(math.isnan(end) for end in ends(result[name]))
    assert result["accuracy"].undefined == 0 and result["accuracy"].low > 0
    # Precision needs no second class, but a row that is predicted so.
    assert not result["precision"].reason


def test_a_fold_without_a_class_is_named():
    """It is not left out of the mean."""
    folds = simulated_folds(np.random.default_rng(0), folds=3)
    folds[1] = folds[1][folds[1]["target"] == 0]
    result = bootstrap_intervals(TWO, folds, resamples=200)
    for name in ("auc", "balanced_accuracy", "recall"):
        assert result[name].reason == "fold 1 has no row of the class severe"
        assert result[name].undefined_by_fold[1] == 1 and math.isnan(result[name].low)
    assert not result["accuracy"].reason
    alone = bootstrap_intervals(TWO, folds[1:2], resamples=200)["auc"]
    assert alone.reason == "there is no row of the class severe"


def test_a_class_without_errors_in_any_fold_is_named():
    folds = simulated_folds(np.random.default_rng(0), folds=3, patients=12, images=1)
    for rows in folds:
        severe = rows["target"] == 1
        rows.loc[severe, "p_1"] = 0.9
        rows["p_0"], rows["prediction"] = 1 - rows["p_1"], 1 * (rows["p_1"] > 0.5)
    result = bootstrap_intervals(TWO, folds, resamples=300)
    assert result["g_mean"].reason == "every row of the class severe is right"
    assert result["recall"].reason == "all resamples have the same value"
    assert not result["specificity"].reason and not result["accuracy"].reason


def test_few_patients_with_all_the_errors_widen_the_interval():
    """2 of 60 patients: degrees of freedom by the kurtosis of their influences."""
    rows = simulated_folds(np.random.default_rng(0), folds=1, patients=60, images=1)[0]
    wrong = rows["patient_id"].isin([4, 9])
    rows["p_1"] = np.where((rows["target"] == 1) == wrong, 0.1, 0.9)
    rows["p_0"], rows["prediction"] = 1 - rows["p_1"], 1 * (rows["p_1"] > 0.5)
    found = bootstrap_intervals(TWO, [rows], resamples=4000)["accuracy"]
    # Binomial of 60 draws with 2 / 60; without the influences up to 0.975.
    t = scipy.stats.t.isf(0.025, 2 * 60 / (30 - 1)) * math.sqrt(60 / 59)
    least = 1 - scipy.stats.binom(60, 2 / 60).isf(scipy.stats.norm.sf(t)) / 60
    assert found.low == pytest.approx(least, abs=1.01 / 60)
    assert found.low < 1 - scipy.stats.binom(60, 2 / 60).isf(0.025) / 60


def test_intervals_of_a_regression():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"dataset": "d", "patient_id": np.arange(50)})
    rows["target"] = generator.normal(size=50)
    rows["prediction"] = rows["target"] + generator.normal(size=50)
    result = bootstrap_intervals(AGE, [rows])
    errors = (rows["prediction"] - rows["target"]).abs()
    # The percentiles are widened to Student's interval, and by the bias correction.
    width = 2 * scipy.stats.t.isf(0.025, 49) * errors.std() / math.sqrt(50)
    assert 0.95 * width < result["mae"].high - result["mae"].low < 1.2 * width
    assert result["mae"].low < errors.mean() < result["mae"].high


def test_refuses_rows_without_label_and_no_folds():
    rows = simulated_folds(np.random.default_rng(0), folds=1)[0].astype(
        {"target": float}
    )
    rows.loc[3, "target"] = NAN
    with pytest.raises(ValueError, match=f"'prognosis': 1 of {len(rows)} rows have no"):
        bootstrap_intervals(TWO, [rows])
    with pytest.raises(ValueError, match="no folds"):
        bootstrap_intervals(TWO, [])


def test_five_folds_take_less_than_half_a_second():
    folds = simulated_folds(np.random.default_rng(0), images=1)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        bootstrap_intervals(TWO, folds, resamples=1000)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("runs", "least"),
    # The standard error of 25 runs is 4.4 %, of 600 runs 0.9 %.
    [(25, 0.82), pytest.param(600, 0.93, marks=pytest.mark.large)],
)
def test_intervals_cover_the_truth_as_often_as_they_say(runs, least):
    """Also: images that are taken for patients make them too narrow."""
    spread = math.hypot(BETWEEN, WITHIN)
    right = scipy.stats.norm.cdf(DISTANCE / 2 / spread)
    truth = {
        "accuracy": right,
        "balanced_accuracy": right,
        "auc": scipy.stats.norm.cdf(DISTANCE / (spread * math.sqrt(2))),
    }
    generator = np.random.default_rng(20)
    covered = dict.fromkeys(truth, 0)
    widths = {name: ([], []) for name in truth}
    for run in range(runs):
        folds = simulated_folds(generator, folds=3)
        folds = [rows.assign(fold=n, dataset=n) for n, rows in enumerate(folds)]
        options = {"resamples": 400, "seed": run, "refits": False}
        intervals = bootstrap_intervals(TWO, folds, **options)
        images = [rows.assign(patient_id=range(len(rows))) for rows in folds]
        naive = bootstrap_intervals(TWO, images, **options) if run < 25 else intervals
        for name, value in truth.items():
            covered[name] += intervals[name].low <= value <= intervals[name].high
            for widths_of, found in zip(widths[name], (intervals, naive), strict=True):
                widths_of.append(np.diff(ends(found[name])))
    for name, (clustered, naive) in widths.items():
        assert least <= covered[name] / runs, name
        assert np.mean(naive[:25]) < 0.9 * np.mean(clustered[:25]), name


# --- Summaries and single tests
