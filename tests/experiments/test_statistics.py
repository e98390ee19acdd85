"""Intervals and tests against hand computation, scipy and simulated truth."""

import itertools
import math
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from mdmt_tf.experiments import statistics
from mdmt_tf.experiments.statistics import (
    bootstrap_intervals,
    compare,
    holm,
    paired_t_test,
    stars,
    summarize,
    wilcoxon_test,
)
from mdmt_tf.tasks import Kind, Task
from mdmt_tf.training.metrics import task_metrics

TWO = Task(name="prognosis", kind=Kind.CATEGORICAL, classes=("mild", "severe"))
AGE = Task(name="age", kind=Kind.REGRESSION)
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


def figure_means(task, folds):
    each = [
        task_metrics(
            task, rows["target"].to_numpy(), rows[["p_0", "p_1"]].to_numpy(np.float64)
        )
        for rows in folds
    ]
    return {name: np.mean([one[name] for one in each]) for name in each[0]}


def ends(interval):
    return [interval.low, interval.high]


# --- Intervals


def test_equals_a_bootstrap_that_copies_rows():
    folds = simulated_folds(np.random.default_rng(0), folds=2, patients=12)
    result = bootstrap_intervals(TWO, folds, resamples=60, seed=3, level=0.8)
    # As documented: a stream for each fold, patients in the order of their names.
    draws = [
        np.random.default_rng([3, fold]).integers(0, 12, (60, 12)) for fold in (0, 1)
    ]
    values = []
    for resample in range(60):
        drawn = []
        for rows, picks in zip(folds, draws, strict=True):
            names = sorted(rows["patient_id"].unique(), key=str)
            parts = [rows[rows["patient_id"] == names[p]] for p in picks[resample]]
            drawn.append(pd.concat(parts))
        values.append(figure_means(TWO, drawn))
    for name, interval in result.items():
        expected = np.quantile([value[name] for value in values], [0.1, 0.9])
        assert ends(interval) == pytest.approx(expected, abs=1e-12), name


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
    folds = simulated_folds(np.random.default_rng(2), folds=3, patients=4)
    folds = [rows.assign(patient_id=0) for rows in folds]
    result = bootstrap_intervals(TWO, folds, resamples=50)
    for name, mean in figure_means(TWO, folds).items():
        if name != "n":
            assert ends(result[name]) == pytest.approx([mean, mean]), name


def test_folds_are_drawn_independently():
    rows = simulated_folds(np.random.default_rng(0), folds=1)[0]
    one = bootstrap_intervals(TWO, [rows])["loss"]
    four = bootstrap_intervals(TWO, [rows] * 4)["loss"]
    # The mean of 4 independent draws has half of the spread.
    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(0.5, abs=0.06)


def test_level_and_blocks(monkeypatch):
    folds = simulated_folds(np.random.default_rng(0))
    wide = bootstrap_intervals(TWO, folds, resamples=200)
    narrow = bootstrap_intervals(TWO, folds, resamples=200, level=0.5)
    assert wide["auc"].low < narrow["auc"].low < narrow["auc"].high < wide["auc"].high
    monkeypatch.setattr(statistics, "_BLOCK", 1000)
    assert bootstrap_intervals(TWO, folds, resamples=200) == wide


def test_a_class_that_is_rarely_drawn_leaves_no_interval():
    rows = simulated_folds(np.random.default_rng(0), folds=1, patients=10, images=1)[0]
    rows["target"] = [1] + 9 * [0]
    result = bootstrap_intervals(TWO, [rows], resamples=2000)
    # Not drawn in (1 - 1/10)^10 of the resamples.
    assert result["auc"].undefined == pytest.approx(0.9**10, abs=0.03)
    assert all(math.isnan(end) for end in ends(result["auc"]))
    assert result["accuracy"].undefined == 0 and result["accuracy"].low >= 0


def test_a_fold_without_the_figure_is_left_out_of_the_mean():
    good = simulated_folds(np.random.default_rng(0), folds=1)[0]
    bad = good[good["target"] == 0]
    result = bootstrap_intervals(TWO, [good, bad], resamples=200)
    assert result["auc"] == bootstrap_intervals(TWO, [good], resamples=200)["auc"]
    nothing = bootstrap_intervals(TWO, [bad, good[:0]], resamples=20)["auc"]
    assert nothing.undefined == 1 and math.isnan(nothing.low)


def test_intervals_of_a_regression():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"dataset": "d", "patient_id": np.arange(50)})
    rows["target"] = generator.normal(size=50)
    rows["prediction"] = rows["target"] + generator.normal(size=50)
    result = bootstrap_intervals(AGE, [rows])
    errors = (rows["prediction"] - rows["target"]).abs()
    # The bootstrap's standard error of a mean is sd / sqrt(n) with 1/n in sd.
    width = 2 * 1.96 * errors.std(ddof=0) / math.sqrt(50)
    assert result["mae"].high - result["mae"].low == pytest.approx(width, rel=0.1)
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


def test_five_folds_take_a_fifth_of_a_second():
    folds = simulated_folds(np.random.default_rng(0), images=1)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        bootstrap_intervals(TWO, folds, resamples=1000)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2


def test_intervals_cover_the_truth_as_often_as_they_say():
    spread = math.hypot(BETWEEN, WITHIN)
    right = scipy.stats.norm.cdf(DISTANCE / 2 / spread)
    truth = {
        "accuracy": right,
        "balanced_accuracy": right,
        "auc": scipy.stats.norm.cdf(DISTANCE / (spread * math.sqrt(2))),
    }
    generator = np.random.default_rng(20)
    runs, naive_runs = 600, 120
    covered, covered_naive = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for run in range(runs):
        folds = simulated_folds(generator, folds=3)
        intervals = bootstrap_intervals(TWO, folds, resamples=400, seed=run)
        for name, value in truth.items():
            covered[name] += intervals[name].low <= value <= intervals[name].high
        if run < naive_runs:
            # Every image its own patient.
            folds = [rows.assign(patient_id=range(len(rows))) for rows in folds]
            intervals = bootstrap_intervals(TWO, folds, resamples=400, seed=run)
            for name, value in truth.items():
                inside = intervals[name].low <= value <= intervals[name].high
                covered_naive[name] += inside
    for name in truth:
        # The standard error of 600 runs is 0.9 %; 2400 runs of 5 folds: 94 to 95 %.
        assert 0.93 <= covered[name] / runs <= 0.97, name
        assert covered_naive[name] / naive_runs < 0.89, name


# --- Summaries and single tests


def test_summarize():
    assert summarize([1.0, 2.0, 6.0]) == (3.0, pytest.approx(math.sqrt(14 / 2)), 3)
    mean, spread, n = summarize([4.0])
    assert (mean, n) == (4.0, 1) and math.isnan(spread)
    mean, spread, n = summarize([1.0, NAN])
    assert math.isnan(mean) and math.isnan(spread) and n == 2
    assert math.isnan(summarize([])[0])


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_paired_t_by_hand(alternative):
    a, b = [3.0, 5.0, 4.0, 6.0], [2.0, 3.0, 4.0, 3.0]
    result = paired_t_test(a, b, alternative=alternative, unit="backbone")
    # Differences 1, 2, 0, 3: mean 3/2, variance 5/3.
    t = 1.5 / math.sqrt(5 / 3 / 4)
    upper = scipy.stats.t.sf(t, df=3)
    assert result.statistic == pytest.approx(t)
    assert result.p == pytest.approx(upper if alternative == "greater" else 1 - upper)
    assert (result.n, result.difference) == (4, 1.5)
    assert (result.name, result.unit) == ("paired t", "backbone")
    assert result.alternative == alternative


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_wilcoxon_by_hand(alternative):
    a, b = np.array([0.1, 0.2, 0.4, -0.3, 0.5]), np.zeros(5)
    result = wilcoxon_test(a, b, alternative=alternative, unit="backbone")
    # Ranks of the positive ones: 1, 2, 4, 5. All 2^5 signs are as likely.
    sums = [
        sum(rank for rank, sign in zip(range(1, 6), signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=5)
    ]
    assert result.statistic == 12
    if alternative == "greater":
        assert result.p == pytest.approx(np.mean(np.array(sums) >= 12))
    else:
        assert result.p == pytest.approx(np.mean(np.array(sums) <= 12))
    assert result.name == "Wilcoxon signed-rank" and result.n == 5


def test_wilcoxon_zeros_and_ties_of_figures():
    # Differences 0, 0.1, -0.1 and 0.5; as floats 0.3 - 0.2 is less than 0.2 - 0.1.
    a, b = [0.7, 0.3, 0.1, 0.9], [0.7, 0.2, 0.2, 0.4]
    result = wilcoxon_test(a, b, alternative="greater", unit="fold")
    assert result.n == 4
    assert result.statistic == 1.5 + 3
    exact = scipy.stats.wilcoxon([1, -1, 5], alternative="greater")
    assert result.p == exact.pvalue
    same = wilcoxon_test([0.5, 0.6], [0.5, 0.6], alternative="less", unit="fold")
    assert (same.statistic, same.p, same.n) == (0.0, 1.0, 2)


def test_zeros_do_not_cost_wilcoxon_its_exact_distribution():
    d = np.r_[0.0, 0.0, np.arange(1, 21) * np.resize([1, 1, -1], 20)]
    result = wilcoxon_test(d, 0 * d, alternative="greater", unit="fold")
    exact = scipy.stats.wilcoxon(d[2:], alternative="greater", method="exact")
    assert (result.statistic, result.p) == (exact.statistic, exact.pvalue)


@pytest.mark.parametrize(
    ("difference", "alternative", "p"),
    [(0.1, "greater", 0), (0.1, "less", 1), (-0.1, "greater", 1), (-0.1, "less", 0)],
)
def test_constant_differences(difference, alternative, p):
    b = np.array([0.1, 0.2, 0.3, 0.7])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = paired_t_test(b + difference, b, alternative=alternative, unit="u")
        same = paired_t_test(b, b, alternative=alternative, unit="u")
        # Constant but for the last digits of a large number.
        large = 1e6 + np.array([0, 0, 0, 1e-9])
        paired_t_test(large, 0 * b, alternative=alternative, unit="u")
        wilcoxon_test(b + difference, b, alternative=alternative, unit="u")
    assert result.p == p and result.statistic == math.copysign(math.inf, difference)
    assert math.isnan(same.p) and math.isnan(same.statistic) and same.difference == 0


@pytest.mark.parametrize("test", [paired_t_test, wilcoxon_test])
def test_refused_and_too_few_pairs(test):
    for n in (0, 1):
        result = test([1.0] * n, [0.5] * n, alternative="less", unit="u")
        assert result.n == n and math.isnan(result.p) and math.isnan(result.statistic)
    with pytest.raises(ValueError, match=r"b\[1\], b\[2\] of 3 pairs is NaN"):
        test([1, 2, 3], [1, NAN, NAN], alternative="less", unit="u")
    with pytest.raises(ValueError, match=r"a\[0\] of 1 pairs is NaN"):
        test([NAN], [1.0], alternative="less", unit="u")
    with pytest.raises(ValueError, match="two-sided"):
        test([1, 2], [3, 4], alternative="two-sided", unit="u")
    with pytest.raises(ValueError, match="Expected pairs"):
        test([1, 2], [3], alternative="less", unit="u")


def test_t_test_errs_in_one_of_twenty():
    n, runs = 18, 20_000
    d = np.random.default_rng(1).normal(size=(runs, n))
    p = scipy.stats.ttest_1samp(d, 0, axis=1, alternative="greater").pvalue
    for row in range(0, runs, 50):
        shared = np.linspace(0, 1, n)
        one = paired_t_test(d[row] + shared, shared, alternative="greater", unit="u")
        assert one.p == pytest.approx(p[row], rel=1e-9)
    rate = np.mean(p < 0.05)
    assert 0.04 <= rate <= 0.06


def test_wilcoxon_errs_in_at_most_about_one_of_twenty():
    d = np.random.default_rng(2).normal(size=(1500, 18))
    p = [wilcoxon_test(x, 0 * x, alternative="greater", unit="u").p for x in d]
    rate = np.mean(np.array(p) < 0.05)
    assert 0.035 <= rate <= 0.06


def test_holm_by_hand():
    adjusted = holm([0.01, NAN, 0.04, 0.03, 0.005])
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, then 0.04 * 1 raised to the one before.
    assert adjusted[[4, 0, 3, 2]] == pytest.approx([0.02, 0.03, 0.06, 0.06])
    assert math.isnan(adjusted[1])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).shape == (0,) and np.isnan(holm([NAN])).all()


def test_stars():
    values = [0.0, 0.0009, 0.001, 0.0099, 0.01, 0.049, 0.05, 1.0, NAN]
    expected = ["***", "***", "**", "**", "*", "*", "", "", ""]
    assert [stars(p) for p in values] == expected


# --- Comparisons


def grid(backbones=4, seeds=2, folds=3, figure="accuracy"):
    generator = np.random.default_rng(0)
    rows = [
        {
            "validation": "cv",
            "backbone": f"net{backbone}",
            "seed": seed,
            "fold": fold,
            "experiment": experiment,
            "task": "prognosis",
            "figure": figure,
            "value": generator.normal(0.7 + 0.02 * (experiment == "multi"), 0.03),
        }
        for backbone, seed, fold, experiment in itertools.product(
            range(backbones), range(seeds), range(folds), ("multi", "single")
        )
    ]
    return pd.DataFrame(rows)


def compared(figures, figure="accuracy"):
    return compare(
        figures,
        task="prognosis",
        figure=figure,
        candidate="multi",
        other="single",
        validation="cv",
    )


@pytest.mark.parametrize(
    ("figure", "better"), [("accuracy", "greater"), ("brier", "less")]
)
def test_compare_is_scipy_on_the_right_pairs(figure, better):
    figures = grid(figure=figure)
    # (experiment, backbone, seed, fold), from the order in which the rows were made.
    values = figures["value"].to_numpy().reshape(4, 2, 3, 2).transpose(3, 0, 1, 2)
    means = values.mean(axis=(2, 3))
    spreads = values.std(axis=3, ddof=1).mean(axis=2)
    single = values.reshape(2, -1)
    noise = figures.sample(frac=1, random_state=1)
    others = [
        figures.assign(**{key: "x", "value": 9.0})
        for key in ("validation", "task", "figure", "experiment")
    ]
    result = compared(pd.concat([noise, *others]), figure)
    expected = [
        ("mean", "backbone", means, better),
        ("sd", "backbone", spreads, "less"),
        ("mean", "backbone x fold", single, better),
    ]
    assert len(result) == 6
    for (statistic_of, unit, (a, b), side), t, w in zip(
        expected, result[::2], result[1::2], strict=True
    ):
        for one, name, function in (
            (t, "paired t", scipy.stats.ttest_rel),
            (w, "Wilcoxon signed-rank", scipy.stats.wilcoxon),
        ):
            reference = function(a, b, alternative=side)
            assert one.test.p == pytest.approx(reference.pvalue, rel=1e-9)
            assert one.test.statistic == pytest.approx(reference.statistic, rel=1e-9)
            assert one.test.difference == pytest.approx(np.mean(a - b))
            assert (one.test.name, one.test.unit) == (name, unit)
            assert (one.test.n, one.test.alternative) == (len(a), side)
            assert (one.statistic_of, one.figure) == (statistic_of, figure)
            assert (one.candidate, one.other) == ("multi", "single")
            assert (one.task, one.validation) == ("prognosis", "cv")


def test_compare_names_what_is_missing():
    figures = grid()
    for damaged in (
        figures.drop(index=5),
        figures.assign(value=figures["value"].where(figures.index != 5)),
    ):
        with pytest.raises(ValueError, match="NaN.*: single net0 seed 0 fold 2\\.$"):
            compared(damaged)
    with pytest.raises(ValueError, match="single net0 seed 0 fold 0; .* and 19 more"):
        compared(figures[figures["experiment"] == "multi"])
    with pytest.raises(ValueError, match="twice .* multi net0 seed 0 fold 0"):
        compared(pd.concat([figures, figures[:1]]))
    with pytest.raises(ValueError, match="neither 'multi' nor 'single' is there"):
        compared(figures, "auc")


def test_one_fold_has_no_deviation():
    result = compared(grid(folds=1))
    assert [one.test.n for one in result] == [4, 4, 0, 0, 8, 8]
    assert math.isnan(result[2].test.p) and not math.isnan(result[0].test.p)


def test_needs_no_tensorflow():
    code = (
        "import sys, mdmt_tf.experiments.statistics\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
