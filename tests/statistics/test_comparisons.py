"""Tests of paired experiments against hand computation and scipy."""

import itertools
import math
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from mdmt_tf.statistics.comparisons import (
    compare,
    holm,
    paired_t_test,
    stars,
    wilcoxon_test,
)

NAN = float("nan")


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


def test_wilcoxon_zeros_and_ties_of_metrics():
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


def test_holm_is_that_of_statsmodels():
    # With ties.
    values = np.random.default_rng(0).uniform(0, 0.2, 40).round(2)
    expected = multipletests(values, method="holm")[1]
    np.testing.assert_array_equal(holm(values), expected)


def test_stars():
    values = [0.0, 0.0009, 0.001, 0.0099, 0.01, 0.049, 0.05, 1.0, NAN]
    expected = ["***", "***", "**", "**", "*", "*", "", "", ""]
    assert [stars(p) for p in values] == expected


# --- Comparisons


def grid(backbones=4, seeds=2, folds=3, metric="accuracy"):
    generator = np.random.default_rng(0)
    rows = [
        {
            "validation": "cv",
            "backbone": f"net{backbone}",
            "seed": seed,
            "fold": fold,
            "experiment": experiment,
            "task": "prognosis",
            "figure": metric,
            "value": generator.normal(0.7 + 0.02 * (experiment == "multi"), 0.03),
        }
        for backbone, seed, fold, experiment in itertools.product(
            range(backbones), range(seeds), range(folds), ("multi", "single")
        )
    ]
    return pd.DataFrame(rows)


def compared(metrics, metric="accuracy"):
    return compare(
        metrics,
        task="prognosis",
        metric=metric,
        candidate="multi",
        other="single",
        validation="cv",
    )


@pytest.mark.parametrize(
    ("metric", "better"), [("accuracy", "greater"), ("brier", "less")]
)
def test_compare_is_scipy_on_the_right_pairs(metric, better):
    metrics = grid(metric=metric)
    # (experiment, backbone, seed, fold), from the order in which the rows were made.
    values = metrics["value"].to_numpy().reshape(4, 2, 3, 2).transpose(3, 0, 1, 2)
    means = values.mean(axis=(2, 3))
    spreads = values.std(axis=3, ddof=1).mean(axis=2)
    single = values.reshape(2, -1)
    noise = metrics.sample(frac=1, random_state=1)
    others = [
        metrics.assign(**{key: "x", "value": 9.0})
        for key in ("validation", "task", "figure", "experiment")
    ]
    result = compared(pd.concat([noise, *others]), metric)
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
            assert (one.statistic_of, one.metric) == (statistic_of, metric)
            assert (one.candidate, one.other) == ("multi", "single")
            assert (one.task, one.validation) == ("prognosis", "cv")


def test_compare_names_what_is_missing():
    metrics = grid()
    for damaged in (
        metrics.drop(index=5),
        metrics.assign(value=metrics["value"].where(metrics.index != 5)),
    ):
        with pytest.raises(ValueError, match="NaN.*: single net0 seed 0 fold 2\\.$"):
            compared(damaged)
    with pytest.raises(ValueError, match="single net0 seed 0 fold 0; .* and 19 more"):
        compared(metrics[metrics["experiment"] == "multi"])
    with pytest.raises(ValueError, match="twice .* multi net0 seed 0 fold 0"):
        compared(pd.concat([metrics, metrics[:1]]))
    with pytest.raises(ValueError, match="neither 'multi' nor 'single' has a row"):
        compared(metrics, "auc")


def test_one_fold_has_no_deviation():
    result = compared(grid(folds=1))
    assert [one.test.n for one in result] == [4, 4, 0, 0, 8, 8]
    assert math.isnan(result[2].test.p) and not math.isnan(result[0].test.p)


def test_needs_no_tensorflow():
    code = (
        "import sys, mdmt_tf.statistics.comparisons\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
