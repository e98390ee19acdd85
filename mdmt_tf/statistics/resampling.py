"""Intervals of metrics by resampling patients. No TensorFlow."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.rows import ratio
from mdmt_tf.statistics.draws import PatientDraws, numbered_patients, resampled_metrics
from mdmt_tf.statistics.fold_study import FoldStudy
from mdmt_tf.statistics.interval import RESAMPLES, Interval, percentile_interval
from mdmt_tf.statistics.support import Support
from mdmt_tf.tasks import Task

# How much wider the interval of a method is than that of its fits. The std of the mean
# over folds is 1.14 to 1.41 times that over other test patients, in simulations of
# linear learners with 60 to 1000 patients; see docs/reference/experiments.md.
OF_OTHER_FITS = 1.3


def bootstrap_intervals(
    task: Task,
    folds: Sequence[pd.DataFrame],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    refits: bool | None = None,
) -> dict[str, Interval]:
    """Patient-clustered bootstrap of the mean over folds of each metric.

    In every fold f, resample r draws as many patients as the fold has, with replacement
    and with all their rows, and computes m_r = mean_f metric(f, r). A patient that is
    tested in several folds (of seeds, repeats or sites) is drawn alike in all of them.
    With the effective number n_f of patients of each fold, of the rarest class for a
    metric that treats the classes apart, and v_f the variance of the fold's metric over
    resamples,

        t = c Student's t_{(1 + level) / 2, df} sqrt(sum_f v_f n_f / (n_f - 1) / sum_f
            v_f)

    the interval holds the percentiles Phi(-t) to Phi(t) of the m_r (expanded
    percentiles) and those that correct the bias, Phi(2 z - t) to Phi(2 z + t), with z
    the normal quantile of the fraction of resamples below the observed mean. df is the
    smaller of (sum_f v_f)^2 / sum_f (v_f^2 / (n_f - 1)), Welch and Satterthwaite, and
    of 2 n / (k - 1), with the kurtosis k of the influences of the n patients on the
    mean, so that few patients with all of the errors widen it. c is 1 for the fitted
    models, and 1.3 for the method.

    A metric with `parts`, the ECE, is biased upwards; its interval is that of
    `inverted_interval` at the same t.

    Args:
        task: the task of the metrics.
        folds: labelled test rows of each fold: dataset, patient_id, target, prediction,
            p_0 ...; also `task` where it has several components. A patient is the pair
            of dataset and patient_id. A column `fold` names the fold in a reason.
        resamples: number of resamples.
        seed: seed of the draws, which depend on it and on the patients only. Equal
            patients give equal draws, so two models are resampled alike.
        level: wanted coverage.
        refits: whether the interval is of the metric that the method has on average
            over training sets of this size, as opposed to that of these fitted models
            on other patients. None: with more than one fold.
    Returns: metric -> interval. It is not estimable, with a reason, where a fold has no
        row of a class and the metric treats the classes apart; where it is undefined in
        more than 5 % of the resamples of a fold (an AUC without one of the classes);
        with fewer than 5 patients, or 5 of the rarest class, or a single one in one of
        several folds; where all resamples are equal; and, of means of recalls, if all
        rows of a class with fewer than 30 patients are right, or all wrong.
    Raises: ValueError when there are no folds or a row has no label.
    Source: expanded percentiles: Hesterberg 2015, "What teachers should know about the
        bootstrap", The American Statistician 69(4), 4.1.2. Bias correction: Efron and
        Tibshirani 1993, ch. 14. Clusters: Field and Welsh 2007. Combination, bounds and
        c by simulation, see docs/reference/experiments.md.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(name="poor", kind="binary")
        >>> fold = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "patient_id": ["a", "b", "c", "d", "e", "f"],
        ...         "target": [0, 0, 0, 1, 1, 1],
        ...         "prediction": [0, 0, 1, 1, 1, 0],
        ...         "p_0": [0.9, 0.8, 0.4, 0.2, 0.1, 0.7],
        ...         "p_1": [0.1, 0.2, 0.6, 0.8, 0.9, 0.3],
        ...     }
        ... )
        >>> found = bootstrap_intervals(task, [fold], resamples=200)
        >>> found["accuracy"].high, found["auc"].reason
        (1.0, 'fewer than 5 patients of a class')
    """
    if not len(folds):
        raise ValueError(f"task {task.name!r}: no folds to resample.")
    draws = PatientDraws(resamples, seed)
    study = FoldStudy(
        tuple(resampled_metrics(task, rows, draws) for rows in folds),
        tuple(Support.of(rows, task) for rows in folds),
        tuple(_place(rows, number, len(folds)) for number, rows in enumerate(folds)),
        _centred(draws),
        sum(len(numbered_patients(rows)[0]) for rows in folds),
        OF_OTHER_FITS if (len(folds) > 1 if refits is None else refits) else 1.0,
    )
    return {name: study.interval(name, level) for name in study.folds[0].metrics}


def _place(rows: pd.DataFrame, number: int, count: int) -> str:
    """The fold in a reason; "" for a single one."""
    if count == 1:
        return ""
    return f"fold {rows['fold'].iloc[0] if 'fold' in rows and len(rows) else number}"


def _centred(draws: PatientDraws) -> np.ndarray:
    """float32 (R, patients): how much more often each is drawn than on average."""
    times = draws.everyone().astype(np.float32)
    return times - times.mean(axis=0)


def ratio_intervals(
    rows: pd.DataFrame,
    ratios: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Patient-clustered percentile bootstrap of ratios of sums over rows.

    The draws are those of `bootstrap_intervals` for one fold with these rows.

    Args:
        rows: n rows with dataset and patient_id.
        ratios: name -> numerator (n,) and denominator (n,); the value of a resample is
            the ratio of their sums, and is not defined if the denominator is 0.
        resamples, seed, level: see `bootstrap_intervals`.
    Returns: name -> interval.

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b", "c"]})
        >>> found = ratio_intervals(rows, {"same": (np.full(3, 2.0), np.ones(3))})
        >>> found["same"]
        Interval(low=2.0, high=2.0, undefined=0.0, reason='')
    """
    patients, patient = numbered_patients(rows)
    count = len(patients)
    # Sums over the rows of each patient, and then over patients.
    pairs = list(ratios.values())
    sums = [[np.bincount(patient, part, count) for part in pair] for pair in pairs]
    times = PatientDraws(resamples, seed).of(patients).astype(np.float64)
    drawn = np.einsum("rp,mtp->mtr", times, np.array(sums))
    values = ratio(drawn[:, 0], drawn[:, 1])
    return {
        name: percentile_interval(own, level)
        for name, own in zip(ratios, values, strict=True)
    }
