"""Means, standard deviations and paired tests of experiments. No TensorFlow."""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.metrics.table import METRICS

# Metrics are ratios of counts. 0.3 - 0.2 and 0.2 - 0.1 are tied, although their floats
# differ in the 17th digit.
_DECIMALS = 12

# {(statistic_of, unit, name): (lowest, highest)}: per cent of simulated comparisons in
# which p is below 0.05 although neither experiment is better on average, over accuracy,
# balanced accuracy and AUC and the scenarios with 18 backbones. 5 would be right.
# Measured by tools/simulate_comparisons.py.
MEASURED_TYPE_I = {
    ("mean", "backbone", "paired t"): (4, 31),
    ("mean", "backbone", "Wilcoxon signed-rank"): (4, 31),
    ("sd", "backbone", "paired t"): (4, 28),
    ("sd", "backbone", "Wilcoxon signed-rank"): (4, 27),
    ("mean", "backbone x fold", "paired t"): (4, 31),
    ("mean", "backbone x fold", "Wilcoxon signed-rank"): (4, 31),
}


@dataclasses.dataclass(frozen=True)
class Test:
    """A test of paired differences.

    Attributes:
        name: "paired t" or "Wilcoxon signed-rank".
        alternative: "greater" or "less", the expected direction of a - b.
        unit: the unit of one pair.
        n: number of pairs.
        difference: mean of a - b.
        statistic: t, or the sum of the ranks of the positive differences.
        p: one-tailed.
    """

    # Prevents pytest from collecting this as a test class.
    __test__ = False

    name: str
    alternative: str
    unit: str
    n: int
    difference: float
    statistic: float
    p: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One test of two experiments, and its inputs.

    Attributes:
        statistic_of: "mean" or "sd", of the metric over folds.
        test: of candidate - other.
    """

    task: str
    metric: str
    validation: str
    candidate: str
    other: str
    statistic_of: str
    test: Test


def paired_t_test(
    a: Sequence[float], b: Sequence[float], *, alternative: str, unit: str
) -> Test:
    """One-tailed paired t-test, t = mean(d) / (sd(d) / sqrt(n)) with d = a - b.

    Args:
        a, b: (n,), pairs in the same order.
        alternative: "greater" or "less", the expected sign of the mean of a - b.
        unit: the unit of one pair.
    Returns: p from `scipy.stats.ttest_rel`. Statistic and p are NaN for n < 2 and when
        all differences are 0. When all differences are equal and not 0, the statistic
        is infinite and p is 0 or 1.
    Raises: ValueError for a NaN and for unequal lengths.

    Example:
        >>> a, b = [0.8, 0.7, 0.9], [0.7, 0.7, 0.7]
        >>> result = paired_t_test(a, b, alternative="greater", unit="fold")
        >>> round(result.statistic, 3), round(result.p, 3)  # 0.1 / (0.1 / sqrt(3))
        (1.732, 0.113)
    """
    a, b = _pairs(a, b, alternative)
    differences = np.round(a - b, _DECIMALS)
    statistic = p = float("nan")
    if len(a) > 1 and np.ptp(differences) == 0:
        # scipy would divide by the rounding error of the std, and warn.
        if differences[0] != 0:
            statistic = float(np.copysign(np.inf, differences[0]))
            p = float((statistic > 0) != (alternative == "greater"))
    elif len(a) > 1:
        with warnings.catch_warnings():
            # Of differences that are nearly constant.
            warnings.simplefilter("ignore", RuntimeWarning)
            result = scipy.stats.ttest_rel(a, b, alternative=alternative)
        statistic, p = float(result.statistic), float(result.pvalue)
    return _test("paired t", alternative, unit, a, b, statistic, p)


def wilcoxon_test(
    a: Sequence[float], b: Sequence[float], *, alternative: str, unit: str
) -> Test:
    """One-tailed Wilcoxon signed-rank test of the differences a - b.

    Differences are rounded to 12 decimals, so that tied metrics have tied differences.
    Zeros are dropped (Wilcoxon 1945), but `n` counts them. p is that of
    `scipy.stats.wilcoxon` with method "auto": exact up to 50 differences without ties;
    with ties, recent releases of scipy enumerate the sign changes of up to 13
    differences; otherwise the normal approximation, corrected for ties but not for
    continuity.

    Args: as for `paired_t_test`.
    Returns: the statistic is the sum of the ranks of the positive differences. If all
        differences are 0, the statistic is 0 and p is 1. Both are NaN for n < 2.
    Raises: ValueError for a NaN and for unequal lengths.

    Example:
        >>> a, b = [0.8, 0.8, 0.9, 0.7], [0.7, 0.5, 0.7, 0.3]
        >>> wilcoxon_test(a, b, alternative="greater", unit="fold").p  # 1 / 2 ** 4
        0.0625
    """
    a, b = _pairs(a, b, alternative)
    differences = np.round(a - b, _DECIMALS)
    differences = differences[differences != 0]
    statistic = p = float("nan")
    if len(a) > 1 and len(differences) == 0:
        statistic, p = 0.0, 1.0
    elif len(a) > 1:
        result = scipy.stats.wilcoxon(differences, alternative=alternative)
        statistic, p = float(result.statistic), float(result.pvalue)
    return _test("Wilcoxon signed-rank", alternative, unit, a, b, statistic, p)


def _pairs(a, b, alternative) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if alternative not in ("greater", "less"):
        raise ValueError(f"Expected 'greater' or 'less'. Received: {alternative=}")
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"Expected pairs. Received: {a.shape} and {b.shape} values.")
    for name, values in (("a", a), ("b", b)):
        if np.isnan(values).any():
            where = ", ".join(f"{name}[{i}]" for i in np.flatnonzero(np.isnan(values)))
            raise ValueError(f"{where} of {len(values)} pairs is NaN.")
    return a, b


def _test(name, alternative, unit, a, b, statistic, p) -> Test:
    difference = float(np.mean(a - b)) if len(a) else float("nan")
    return Test(name, alternative, unit, len(a), difference, statistic, p)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted by the method of Holm 1979, as one family, (n,).

    The i-th smallest of m is multiplied by m - i + 1. The result is at least the
    adjusted value before it and at most 1. NaN (no test) stays NaN and does not count
    in m.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(4).tolist()  # 3 * 0.01, then 2 * 0.03
        [0.03, 0.06, 0.06]
    """
    adjusted = np.array(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(adjusted))
    ascending = known[np.argsort(adjusted[known], kind="stable")]
    factors = np.arange(len(known), 0, -1)
    multiplied = np.maximum.accumulate(adjusted[ascending] * factors)
    adjusted[ascending] = np.minimum(multiplied, 1.0)
    return adjusted


def stars(p: float) -> str:
    """ "***" for p < 0.001, "**" < 0.01, "*" < 0.05, else (and for NaN) "".

    Example:
        >>> stars(0.02), stars(0.2)
        ('*', '')
    """
    return "*" * sum(p < bound for bound in (0.05, 0.01, 0.001))


def compare(
    metrics: pd.DataFrame,
    *,
    task: str,
    metric: str,
    candidate: str,
    other: str,
    validation: str,
) -> list[Comparison]:
    """The tests of Ruffini et al. (MICCAI 2024, Table 2), and tests of single folds.

    With unit "backbone", a pair is one backbone. One test compares its mean over seeds
    and folds: the candidate is expected to be better (less for loss, Brier score and
    errors). The other compares its std over the folds of a seed, averaged over seeds:
    the candidate is expected to be less. With unit "backbone x fold", a pair is one
    fold of one seed of one backbone. Each test is a paired t-test (as in the paper) and
    a Wilcoxon test.

    Neither unit is a patient. All backbones are fitted to, and tested on, the same
    patients and share their luck, and folds share training data. So the tests reject
    too often: see `MEASURED_TYPE_I`. `mdmt_tf.statistics.primary` has the comparison
    to rely on.

    Args:
        metrics: columns validation, backbone, seed, fold, experiment, task, figure (the
            metric's name) and value, with one row for each combination.
        task, metric, validation: the rows to compare.
        candidate, other: the two experiments.
    Returns: six tests, t before Wilcoxon: mean and sd with unit "backbone", mean with
        unit "backbone x fold". If a backbone has a single fold, there is no std, and
        the two tests of "sd" have n = 0 and NaN.
    Raises: ValueError that names the cells that are missing in one of the experiments,
        are NaN, or appear twice.

    Example:
        >>> rows = [
        ...     ("cv", backbone, 0, fold, experiment, "prognosis", "auc", value)
        ...     for backbone in ("a", "b", "c")
        ...     for fold in (0, 1)
        ...     for experiment, value in (("mdmt", 0.8), ("stl", 0.7))
        ... ]
        >>> columns = "validation backbone seed fold experiment task figure value"
        >>> tests = compare(
        ...     pd.DataFrame(rows, columns=columns.split()),
        ...     task="prognosis",
        ...     metric="auc",
        ...     candidate="mdmt",
        ...     other="stl",
        ...     validation="cv",
        ... )
        >>> tests[0].test.name, tests[0].test.unit, round(tests[0].test.difference, 3)
        ('paired t', 'backbone', 0.1)
    """
    chosen = metrics[
        (metrics["validation"] == validation)
        & (metrics["task"] == task)
        & (metrics["figure"] == metric)
        & metrics["experiment"].isin([candidate, other])
    ]
    pairs = _cells(chosen, candidate, other, f"{metric} of {task} ({validation})")
    better = "less" if METRICS[metric].lower_is_better else "greater"
    means = pairs.groupby(level="backbone").mean()
    of_seeds = pairs.groupby(level=["backbone", "seed"])
    spreads = of_seeds.std(ddof=1).groupby(level="backbone").mean()
    if (of_seeds.size() < 2).any():
        spreads = spreads.iloc[:0]
    facts = (task, metric, validation, candidate, other)
    return [
        Comparison(
            *facts,
            statistic_of,
            test(table[candidate], table[other], alternative=alternative, unit=unit),
        )
        for statistic_of, table, alternative, unit in (
            ("mean", means, better, "backbone"),
            ("sd", spreads, "less", "backbone"),
            ("mean", pairs, better, "backbone x fold"),
        )
        for test in (paired_t_test, wilcoxon_test)
    ]


def _cells(rows, candidate, other, what) -> pd.DataFrame:
    """Values with index backbone, seed, fold and columns candidate and other."""
    keys = ["backbone", "seed", "fold"]
    twice = rows[rows.duplicated([*keys, "experiment"])]
    if len(twice):
        raise ValueError(f"{what}: twice in the table: {_names(twice)}.")
    table = rows.set_index([*keys, "experiment"])["value"].unstack("experiment")
    table = table.reindex(columns=[candidate, other]).sort_index()
    if table.empty:
        raise ValueError(f"{what}: neither {candidate!r} nor {other!r} has a row.")
    gaps = table.isna().stack()
    gaps = gaps[gaps].index.to_frame(index=False)
    if len(gaps):
        raise ValueError(
            f"{what}: missing or NaN, so the cells cannot be paired: {_names(gaps)}."
        )
    return table


def _names(rows: pd.DataFrame) -> str:
    cells = [
        f"{row.experiment} {row.backbone} seed {row.seed} fold {row.fold}"
        for row in rows.itertuples()
    ]
    return "; ".join(cells[:5]) + (f" and {len(cells) - 5} more" if cells[5:] else "")
