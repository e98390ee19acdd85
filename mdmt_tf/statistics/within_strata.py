"""The AUC over pairs of the same stratum: what remains beyond a field. No TensorFlow.

If severe patients are imaged lying and mild ones standing, a network that tells the two
projections apart has a high AUC. Over pairs of a severe and a mild patient with the
same projection, it has 0.5.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.runs.patients import by_patient, labelled
from mdmt_tf.statistics.draws import PatientDraws, numbered_patients
from mdmt_tf.statistics.fold_study import freedom_of, limits
from mdmt_tf.statistics.interval import (
    FEWEST_TO_RESAMPLE,
    MOST_UNDEFINED,
    NAN,
    RESAMPLES,
)
from mdmt_tf.statistics.resampling import OF_OTHER_FITS
from mdmt_tf.statistics.strata import UNKNOWN
from mdmt_tf.tasks import Task

# Columns that tell the fits apart whose scores cannot be compared.
_FIT = ("dataset", "backbone", "seed", "fold")


@dataclasses.dataclass(frozen=True)
class AdjustedAuc:
    """The AUC over pairs within strata.

    Attributes:
        value: fraction of the pairs in which the row with the outcome has the higher
            score; NaN without pairs.
        low, high: 95 % interval, NaN where it is not estimable.
        reason: why it is not estimable, "" where it is.
        pairs: number of pairs, of all fits.
        fraction: of all pairs of the same fit, how many are within a stratum. A patient
            with images in two strata is in the pairs of each.
        overall: AUC over all pairs of the same fit, of patients with all of their
            images.
        patients: patients that are in a pair.
        strata: text -> (AUC, pairs), strata without pairs left out.
    """

    value: float
    low: float
    high: float
    reason: str
    pairs: int
    fraction: float
    overall: float
    patients: int
    strata: Mapping[str, tuple[float, int]]


def within_strata(
    rows: pd.DataFrame,
    task: Task,
    texts: Mapping[str, str],
    *,
    unit: Literal["patient", "image"] = "patient",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> AdjustedAuc:
    """The AUC over pairs of rows of the same stratum, and of the same fit.

    All such pairs count once, whatever their stratum. Images with an unknown text are
    in no pair. The interval resamples patients, with all of their rows in all fits; it
    is expanded and corrected as in `bootstrap_intervals`, for the effective numbers of
    patients of both classes, weighted by their pairs. With several folds it is that of
    the method.

    Args:
        rows: labelled test rows of one or more fits of one dataset, in the columns of
            `predictions.csv`; also `backbone` and `seed` where there are several.
        task: with two classes.
        texts: image_id -> text, the stratum.
        unit: what a pair consists of. By patient, the images of a patient within a
            stratum are averaged, and a patient with two projections is in both.
        resamples, seed: see `bootstrap_intervals`.
    Returns: its interval is not estimable if fewer than 5 patients of a class are in a
        pair, effectively, or if more than 5 % of the resamples have no pair.
    Raises: ValueError for a task without two classes, or rows of several datasets.
    Source: the stratified (adjusted) AUC of Janes and Pepe 2008, American Journal of
        Epidemiology 168(1), with weights of pairs; Mann and Whitney's statistic.

    Example:
        A score that knows the projection only.

        >>> from mdmt_tf.tasks import make_task
        >>> icu = make_task(name="icu", kind="binary", classes=("no", "yes"))
        >>> score = np.repeat([0.8, 0.2], 10)
        >>> rows = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "image_id": [f"i{n}" for n in range(20)],
        ...         "patient_id": [f"p{n}" for n in range(20)],
        ...         "target": [1.0] * 8 + [0.0] * 10 + [1.0] * 2,
        ...         "p_0": 1 - score,
        ...         "p_1": score,
        ...     }
        ... )
        >>> views = {f"i{n}": "AP" if n < 10 else "PA" for n in range(20)}
        >>> found = within_strata(rows, icu, views, resamples=100)
        >>> found.value, round(found.overall, 2), found.pairs
        (0.5, 0.8, 32)
    """
    _check(rows, task)
    used = rows.assign(stratum=rows["image_id"].map(texts).fillna(UNKNOWN))
    units, total = used, rows
    if unit == "patient":
        within = [name for name in _fits(used) if name != "dataset"]
        units = labelled(by_patient(used, task, [*within, "stratum"]))
        total = labelled(by_patient(rows, task, within))
    names, patient = numbered_patients(units)
    units = units.assign(patient=patient)
    known = units[units["stratum"] != UNKNOWN]
    groups = [_Pairs.of(own) for _, own in known.groupby([*_fits(units), "stratum"])]
    groups = [group for group in groups if group.count]
    pairs = sum(group.count for group in groups)
    every = sum(_count(own) for _, own in units.groupby(_fits(units)))
    strata = _by_stratum(groups)
    facts = {
        "pairs": pairs,
        "fraction": pairs / every if every else NAN,
        "overall": _over_all(total),
        "patients": len(set().union(*(group.patients for group in groups))),
        "strata": strata,
    }
    if not pairs:
        reason = "no stratum has patients of both classes"
        return AdjustedAuc(NAN, NAN, NAN, reason, **facts)
    value = sum(group.wins for group in groups) / pairs
    several = units.groupby(_fits(units)).ngroups > 1
    widening = OF_OTHER_FITS if several else 1.0
    times = PatientDraws(resamples, seed).of(names)
    low, high, reason = _interval(groups, value, times, widening)
    return AdjustedAuc(value, low, high, reason, **facts)


def _check(rows: pd.DataFrame, task: Task) -> None:
    if task.label_shape or task.n_classes != 2:
        raise ValueError(
            f"task {task.name!r}: expected two classes for an AUC within strata. "
            f"Received: {task.n_classes} classes."
        )
    datasets = sorted(rows["dataset"].unique())
    if len(datasets) > 1:
        raise ValueError(
            "Expected rows of one dataset, since image_id is unique within a dataset "
            f"only. Received: {', '.join(datasets)}."
        )


def _fits(rows: pd.DataFrame) -> list[str]:
    return [name for name in _FIT if name in rows]


def _count(rows: pd.DataFrame) -> int:
    """Number of pairs of a row with and one without the outcome."""
    ones = int((rows["target"] == 1).sum())
    return ones * (len(rows) - ones)


def _over_all(rows: pd.DataFrame) -> float:
    """The AUC over all pairs of the same fit; NaN without pairs."""
    rows = rows.assign(stratum="", patient=0)
    groups = [_Pairs.of(own) for _, own in rows.groupby(_fits(rows))]
    pairs = sum(group.count for group in groups)
    return sum(group.wins for group in groups) / pairs if pairs else NAN


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """Pairs of a row with and one without the outcome, of one fit and stratum.

    Attributes:
        stratum: its text.
        ones, zeros: patients of the rows with and without the outcome.
        win: (ones, zeros), 1 where the row with the outcome has the higher score, 1/2
            where both are equal.
    """

    stratum: str
    ones: np.ndarray
    zeros: np.ndarray
    win: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "_Pairs":
        is_one = (rows["target"] == 1).to_numpy()
        score, patient = rows["p_1"].to_numpy(), rows["patient"].to_numpy()
        difference = score[is_one][:, None] - score[~is_one][None]
        win = (np.sign(difference) + 1) / 2
        return cls(rows["stratum"].iloc[0], patient[is_one], patient[~is_one], win)

    @property
    def count(self) -> int:
        return self.win.size

    @property
    def wins(self) -> float:
        return float(self.win.sum())

    @property
    def patients(self) -> set[int]:
        return {*self.ones.tolist(), *self.zeros.tolist()}

    def resampled(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wins and pairs of each resample, (R,)."""
        ones, zeros = times[:, self.ones], times[:, self.zeros]
        return ((ones @ self.win) * zeros).sum(1), ones.sum(1) * zeros.sum(1)


def _by_stratum(groups: list[_Pairs]) -> dict[str, tuple[float, int]]:
    """AUC and pairs of each stratum over all fits."""
    found: dict[str, list[float]] = {}
    for group in groups:
        total = found.setdefault(group.stratum, [0.0, 0])
        total[0] += group.wins
        total[1] += group.count
    return {name: (wins / pairs, pairs) for name, (wins, pairs) in found.items()}


def _interval(groups, value, times, widening) -> tuple[float, float, str]:
    """Both ends, and the reason if they are not estimable."""
    fewest = min(_effective(groups))
    if fewest < FEWEST_TO_RESAMPLE:
        return (
            NAN,
            NAN,
            f"fewer than {FEWEST_TO_RESAMPLE} patients of a class are in pairs",
        )
    counts = times.astype(np.float64)
    drawn = [group.resampled(counts) for group in groups]
    wins, pairs = (np.sum(parts, axis=0) for parts in zip(*drawn, strict=True))
    known = pairs > 0
    undefined = 1 - known.mean()
    if undefined > MOST_UNDEFINED:
        return NAN, NAN, f"{100 * undefined:.0f} % of the resamples have no pair"
    values = wins[known] / pairs[known]
    if np.ptp(values) == 0:
        return NAN, NAN, "all resamples have the same value"
    centred = counts[known] - counts[known].mean(axis=0)
    freedom = min(fewest - 1, freedom_of(centred.T @ (values - values.mean())))
    t = scipy.stats.t.ppf(0.975, max(freedom, 1.0))
    t *= widening * np.sqrt(fewest / (fewest - 1))
    return *limits(values, value, t), ""


def _effective(groups: list[_Pairs]) -> Iterator[float]:
    """Effective patients of each class, weighted by their pairs."""
    for own, other in (("ones", "zeros"), ("zeros", "ones")):
        pairs: dict[int, int] = {}
        for group in groups:
            partners = len(getattr(group, other))
            for patient in getattr(group, own).tolist():
                pairs[patient] = pairs.get(patient, 0) + partners
        counts = np.array(list(pairs.values()), np.float64)
        yield float(counts.sum() ** 2 / (counts**2).sum())
