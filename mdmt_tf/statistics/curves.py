"""ROC and precision-recall curves, and net benefit, with bands. No TensorFlow.

A band is pointwise: at each place of the abscissa it covers the curve of other patients
like these with 95 %. It does not cover a whole curve with 95 %.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.rows import WeightedRows, ratio
from mdmt_tf.statistics.draws import BLOCK, PatientDraws, numbered_patients
from mdmt_tf.statistics.interval import (
    FEWEST_TO_RESAMPLE,
    MOST_UNDEFINED,
    RESAMPLES,
    expanded_level,
)
from mdmt_tf.statistics.support import effective_patients
from mdmt_tf.tasks import one_against_others

# Where the band of a curve is known.
GRID = np.linspace(0, 1, 101)
_TWO = one_against_others()


@dataclasses.dataclass(frozen=True, eq=False)
class Band:
    """A pointwise interval.

    Attributes:
        at: (m,), ascending.
        low, high: (m,); NaN where it is not estimable.
        reason: why there is none; "" where there is one.

    Example:
        >>> Band(np.array([0.5]), np.array([0.2]), np.array([0.4])).reason
        ''
    """

    at: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reason: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A curve of the rows themselves with a band.

    Attributes:
        x, y: (k,), from the highest threshold to the lowest.
        band: at `GRID`.

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b"]})
        >>> curve = roc_curve(rows, np.array([True, False]), np.array([0.9, 0.1]))
        >>> curve.y.tolist()
        [0.0, 1.0, 1.0]
    """

    x: np.ndarray
    y: np.ndarray
    band: Band


def roc_curve(
    rows: pd.DataFrame,
    positive: np.ndarray,
    score: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Curve:
    """Sensitivity by 1 - specificity.

    Tied scores are one step, which is drawn as a straight line, so the area below the
    curve is the AUC of `mdmt_tf.metrics.formulas.auc`.

    Args:
        rows: n labelled rows with dataset and patient_id.
        positive: bool (n,), the truth.
        score: (n,), higher for positive rows.
        resamples: number of resamples of patients; 0: no band.
        seed: seed of the draws, see `PatientDraws`.
    Returns: x and y start at (0, 0) and end at (1, 1); they are empty where a class has
        no rows. The band is that of the sensitivity at each 1 - specificity. It is not
        estimable with fewer than 5 effective patients of a class.
    Source: vertical averaging of ROC curves: Fawcett 2006, "An introduction to ROC
        analysis", Pattern Recognition Letters 27, 861-874; expanded percentiles:
        `mdmt_tf.statistics.interval.expanded_level`.

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b", "c", "d"]})
        >>> truth = np.array([False, True, False, True])
        >>> curve = roc_curve(rows, truth, np.array([0.1, 0.4, 0.6, 0.9]))
        >>> curve.x.tolist(), curve.y.tolist()
        ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
        >>> curve.band.reason
        'fewer than 5 patients of a class'
    """
    return _curve(rows, positive, score, _roc_points, _sensitivity_at, resamples, seed)


def precision_recall_curve(
    rows: pd.DataFrame,
    positive: np.ndarray,
    score: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Curve:
    """Precision by recall.

    Between two thresholds, the precision is that of the lower one. The area below these
    steps is the PR-AUC of `mdmt_tf.metrics.formulas.pr_auc`, average precision.

    Args: see `roc_curve`.
    Returns: x is the recall and y the precision at each threshold that finds more
        positive rows than the one above it. The band is that of the precision at each
        recall, of the highest threshold that reaches it.
    Source: Davis and Goadrich 2006, "The relationship between precision-recall and ROC
        curves", ICML (why the points are not joined by straight lines).

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b", "c", "d"]})
        >>> truth = np.array([False, True, False, True])
        >>> curve = precision_recall_curve(rows, truth, np.array([0.1, 0.4, 0.6, 0.9]))
        >>> curve.x.tolist(), curve.y.round(3).tolist()
        ([0.5, 1.0], [1.0, 0.667])
    """
    return _curve(rows, positive, score, _pr_points, _precision_at, resamples, seed)


def net_benefit_band(
    rows: pd.DataFrame,
    positive: np.ndarray,
    score: np.ndarray,
    thresholds: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Band:
    """The band of the net benefit of `operating_points.decision_curve`.

    Args:
        rows, positive, resamples, seed: see `roc_curve`.
        score: (n,), calibrated probabilities; a row is treated at or above a threshold.
        thresholds: t, each between 0 and 1.
    Returns: the band, not estimable with fewer than 5 patients of a class.

    Example:
        All six are treated at 0.5, and every resample has its own number of deaths.

        >>> patients = [f"p{number}" for number in range(12)]
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": patients})
        >>> truth = np.arange(12) < 6
        >>> band = net_benefit_band(rows, truth, np.full(12, 0.6), [0.5])
        >>> bool(band.low[0] < 0.0 < band.high[0])  # 6 / 12 - 6 / 12
        True
    """
    at = np.asarray(thresholds, np.float64)
    odds = at / (1 - at)
    treated = np.asarray(score)[:, None] >= at
    truth = np.asarray(positive, bool)[:, None]
    reason = _no_band(rows, positive, resamples)
    if reason:
        return _without(at, reason)
    # Sums of whole numbers are exact in any order of the matmul.
    true, false = (treated & truth).astype(float), (treated & ~truth).astype(float)
    drawn = [
        (weights @ true - weights @ false * odds) / weights.sum(axis=1, keepdims=True)
        for weights in _weights(rows, resamples, seed)
    ]
    return _band(at, np.concatenate(drawn), _rarest(rows, positive))


def _curve(rows, positive, score, points, height, resamples, seed) -> Curve:
    positive = np.asarray(positive, bool)
    score = np.asarray(score, np.float64)
    once = np.ones((1, len(rows)))
    if not len(rows) or positive.all() or not positive.any() or np.isnan(score).any():
        nothing = np.empty(0)
        return Curve(nothing, nothing, _without(GRID, "there are no rows of a class"))
    x, y = points(*_counts(positive, score, once))
    reason = _no_band(rows, positive, resamples)
    if reason:
        return Curve(x[0], y[0], _without(GRID, reason))
    drawn = [
        height(*points(*_counts(positive, score, weights)))
        for weights in _weights(rows, resamples, seed)
    ]
    band = _band(GRID, np.concatenate(drawn), _rarest(rows, positive))
    return Curve(x[0], y[0], band)


def _counts(positive, score, weights) -> tuple[np.ndarray, np.ndarray]:
    """Positive and other rows at or above each distinct score, descending, (R, S)."""
    chances = np.stack([1 - score, score], axis=1)
    (ranked,) = WeightedRows(_TWO, positive.astype(int), chances, weights).ranked
    return tuple(
        np.cumsum(values[:, ::-1], axis=1) for values in (ranked.ones, ranked.zeros)
    )


def _roc_points(true, false) -> tuple[np.ndarray, np.ndarray]:
    """(R, S + 1) each, from (0, 0); NaN where a resample lacks a class."""
    start = np.zeros((len(true), 1))
    return tuple(
        np.concatenate([start, ratio(counts, counts[:, -1:])], axis=1)
        for counts in (false, true)
    )


def _sensitivity_at(x, y) -> np.ndarray:
    """(R, grid): between two points on a line; the highest where there are several."""
    return np.stack([np.interp(GRID, *pair) for pair in zip(x, y, strict=True)])


def _pr_points(true, false) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision, (R, S); of one row only where the recall rises."""
    recall, precision = ratio(true, true[:, -1:]), ratio(true, true + false)
    if len(recall) == 1:
        rises = np.diff(recall[0], prepend=0.0) > 0
        return recall[:, rises], precision[:, rises]
    return recall, precision


def _precision_at(recall, precision) -> np.ndarray:
    """(R, grid): of the first threshold that reaches the recall."""
    found = np.full((len(recall), len(GRID)), np.nan)
    for row, (own, values) in enumerate(zip(recall, precision, strict=True)):
        if np.isnan(own[-1]):
            continue
        # Sums of the weights are whole numbers, but a tenth is not one in binary. No
        # row at all is found above the highest score.
        wanted = np.maximum(GRID, own[own > 0][0] / 2) - 1e-12
        found[row] = values[np.searchsorted(own, wanted)]
    return found


def _weights(rows: pd.DataFrame, resamples: int, seed: int):
    """How often each row is drawn, float64 (R, n), in blocks."""
    patients, patient = numbered_patients(rows)
    times = PatientDraws(resamples, seed).of(patients)
    size = max(1, BLOCK // len(rows))
    for start in range(0, resamples, size):
        yield times[start : start + size, patient].astype(np.float64)


def _band(at: np.ndarray, drawn: np.ndarray, patients: float) -> Band:
    """Expanded percentiles of (R, m) at each place."""
    undefined = np.isnan(drawn).mean(axis=0)
    level = expanded_level(patients)
    ends = [(1 - level) / 2, (1 + level) / 2]
    known = undefined <= MOST_UNDEFINED
    low, high = np.full((2, len(at)), np.nan)
    if known.any():
        low[known], high[known] = np.nanquantile(drawn[:, known], ends, axis=0)
    return Band(at, low, high)


def _no_band(rows, positive, resamples: int) -> str:
    if not resamples:
        return "no resamples"
    if not len(rows) or _rarest(rows, positive) < FEWEST_TO_RESAMPLE:
        return f"fewer than {FEWEST_TO_RESAMPLE} patients of a class"
    return ""


def _without(at: np.ndarray, reason: str) -> Band:
    nothing = np.full(len(at), np.nan)
    return Band(at, nothing, nothing, reason)


def _rarest(rows: pd.DataFrame, positive: np.ndarray) -> float:
    """Effective patients of the rarer class."""
    positive = np.asarray(positive, bool)
    return min(effective_patients(rows[own]) for own in (positive, ~positive))
