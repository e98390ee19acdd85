"""Candidates for the primary comparison, and the paper's tests, on simulated data."""

import numpy as np
import scipy.stats

from mdmt_tf.statistics.comparisons import paired_t_test, wilcoxon_test
from mdmt_tf.statistics.components import Estimate, influences, variance_of_mean
from mdmt_tf.statistics.simulation import Measured, Simulated, measure, of_sites
from mdmt_tf.statistics.sites import combined

# Of the paper, one-tailed: a name and the unit of `mdmt_tf.statistics.comparisons`.
PAPER = {
    "t, mean, backbones": ("mean", "backbone", paired_t_test),
    "Wilcoxon, mean, backbones": ("mean", "backbone", wilcoxon_test),
    "t, sd, backbones": ("sd", "backbone", paired_t_test),
    "Wilcoxon, sd, backbones": ("sd", "backbone", wilcoxon_test),
    "t, backbones x folds": ("mean", "backbone x fold", paired_t_test),
    "Wilcoxon, backbones x folds": ("mean", "backbone x fold", wilcoxon_test),
}
PRIMARY = "primary"


def p_values(measured: Measured, folds: int) -> dict[str, float]:
    """p of each test for one simulated comparison; NaN where there is no test.

    Returns: the paper's tests, one-tailed; then, two-tailed:
        corrected t: over the folds of all repeats, Nadeau and Bengio 2003;
        by patient: variance of patients only, with t of n - 1 degrees of freedom;
        by patient, 1 / train: with the fraction n_test / n_train of Nadeau and Bengio;
        primary: see `mdmt_tf.statistics.components`.

    Example:
        >>> from mdmt_tf.statistics.simulation import Scenario, measure, simulate
        >>> drawn = simulate(Scenario("small", patients=40), np.random.default_rng(0))
        >>> found = p_values(measure(drawn)["auc"], folds=5)
        >>> list(found)[-4:]
        ['corrected t', 'by patient', 'by patient, 1 / train', 'primary']
    """
    return _of_paper(measured) | {
        "corrected t": _corrected_t(measured, folds),
        **_by_patient(measured, folds),
    }


def p_across_sites(drawn: Simulated) -> dict[str, float]:
    """p of `mdmt_tf.statistics.sites.across_sites` for each metric, by its name.

    Args:
        drawn: a simulated comparison whose folds are sites.

    Example:
        >>> from mdmt_tf.statistics.simulation import SITES, simulate
        >>> drawn = simulate(SITES[0], np.random.default_rng(0))
        >>> list(p_across_sites(drawn))
        ['accuracy', 'balanced_accuracy', 'auc']
    """
    estimates: dict[str, list[Estimate]] = {}
    for site in of_sites(drawn):
        # Nothing is left of a site without its only fold.
        with np.errstate(invalid="ignore"):
            found = measure(site)
        for metric, measured in found.items():
            variance = variance_of_mean(
                measured.values.ravel(),
                influences(measured.left_out),
                measured.folds_left_out,
                len(site.labels),
            )
            own = Estimate(float(measured.values.mean()), *variance)
            estimates.setdefault(metric, []).append(own)
    sums = {metric: combined(own) for metric, own in estimates.items()}
    return {
        metric: _two_tailed(own.value, own.variance, own.freedom)
        for metric, own in sums.items()
    }


def _of_paper(measured: Measured) -> dict[str, float]:
    arms = measured.of_folds.reshape(*measured.of_folds.shape[:2], -1)
    if arms.shape[1] < 2 or np.isnan(arms).any():
        return dict.fromkeys(PAPER, float("nan"))
    values = {
        ("mean", "backbone"): arms.mean(axis=-1),
        ("sd", "backbone"): arms.std(axis=-1, ddof=1),
        ("mean", "backbone x fold"): arms.reshape(len(arms), -1),
    }
    return {
        name: test(
            *values[statistic, unit],
            alternative="less" if statistic == "sd" else "greater",
            unit=unit,
        ).p
        for name, (statistic, unit, test) in PAPER.items()
    }


def _corrected_t(measured: Measured, folds: int) -> float:
    candidate, other = measured.of_folds.mean(axis=1)
    differences = (candidate - other).ravel()
    n = len(differences)
    variance = differences.var(ddof=1) * (1 / n + 1 / (folds - 1))
    return _two_tailed(differences.mean(), variance, n - 1)


def _by_patient(measured: Measured, folds: int) -> dict[str, float]:
    value = measured.values.mean()
    psi = influences(measured.left_out)
    patients = psi.shape[1]
    of_patients = (psi.mean(axis=0) ** 2).sum() / (patients * (patients - 1))
    if not of_patients > 0:
        names = ("by patient", "by patient, 1 / train", PRIMARY)
        return dict.fromkeys(names, float("nan"))
    variance, freedom = variance_of_mean(
        measured.values.ravel(),
        psi,
        measured.folds_left_out,
        patients,
        measured.values.shape[1],
    )
    fixed = of_patients * (1 + 1 / (folds - 1))
    return {
        "by patient": _two_tailed(value, of_patients, patients - 1),
        "by patient, 1 / train": _two_tailed(value, fixed, patients - 1),
        PRIMARY: _two_tailed(value, variance, freedom),
    }


def _two_tailed(value: float, variance: float, freedom: float) -> float:
    if not variance > 0:
        return float("nan")
    return float(2 * scipy.stats.t.sf(abs(value) / np.sqrt(variance), freedom))
