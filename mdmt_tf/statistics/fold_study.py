"""Intervals of means over folds, from resamples of each. No TensorFlow."""

import dataclasses

import numpy as np
from scipy import special

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.statistics.draws import Resampled
from mdmt_tf.statistics.interval import (
    FEWEST_TO_RESAMPLE,
    MOST_UNDEFINED,
    NAN,
    Interval,
)
from mdmt_tf.statistics.inversion import inverted_interval
from mdmt_tf.statistics.support import Support

# The bootstrap of a single patient in one of several folds does not see how patients
# differ. The effective number of several may be close to 1, and is at least this.
_SMALLEST_NUMBER = 1.5
# Means of a recall of each class need more where all rows of a class are right, or all
# wrong: with 3 / n for n = 30 patients, the error rate may still be 10 %.
_FEWEST_WITHOUT_SPREAD = 30
_MEANS_OF_RECALLS = ("balanced_accuracy", "g_mean", "g_mean_weighted")
# The correction of the bias is bounded: a mean that lies outside of nearly all of its
# resamples tells that they are few.
_LARGEST_BIAS = 2.33


@dataclasses.dataclass(frozen=True)
class FoldStudy:
    """Resampled folds, and the intervals of means over them; see `bootstrap_intervals`.

    Attributes:
        folds, supports, places: of each fold.
        times: float32 (R, patients), how much more often each patient is drawn than on
            average.
        tested: sum of the numbers of patients of the folds.
        widening: the factor c.
    """

    folds: tuple[Resampled, ...]
    supports: tuple[Support, ...]
    places: tuple[str, ...]
    times: np.ndarray
    tested: int
    widening: float

    def interval(self, name: str, level: float) -> Interval:
        """The interval of the mean over folds of one metric."""
        drawn = np.stack([fold.metrics[name] for fold in self.folds])
        by_fold = tuple(np.isnan(drawn).mean(axis=1).tolist())
        known = ~np.isnan(drawn).any(axis=0)
        undefined = float(1 - known.mean())
        reason = self._reason(name, by_fold) or _no_spread(drawn[:, known])
        if reason:
            return Interval(NAN, NAN, undefined, reason, by_fold)
        t = self._quantile(name, drawn, known, level)
        if name in self.folds[0].parts:
            low, high = inverted_interval(*self._parts(name), _level_of(t))
        else:
            observed = float(np.mean([fold.observed[name] for fold in self.folds]))
            low, high = limits(drawn[:, known].mean(axis=0), observed, t)
        return Interval(low, high, undefined, "", by_fold)

    def _reason(self, name: str, by_fold: tuple[float, ...]) -> str:
        """Why the interval of a metric is not estimable; "" if it may be."""
        apart = METRICS[name].every_class
        for place, support in zip(self.places, self.supports, strict=True):
            if apart and support.missing:
                there = f"{place} has" if place else "there is"
                return f"{there} no row of the class {support.missing[0]}"
        patients = self._patients(name)
        of_a_class = " of a class" if apart and self.supports[0].classes else ""
        if patients.sum() * self._once < FEWEST_TO_RESAMPLE:
            return f"fewer than {FEWEST_TO_RESAMPLE} patients{of_a_class}"
        worst = int(np.argmax(by_fold))
        if by_fold[worst] > MOST_UNDEFINED:
            return self._undefined(name, worst, by_fold[worst])
        fewest = int(np.argmin(patients))
        if len(patients) > 1 and patients[fewest] <= 1:
            return f"{self.places[fewest]} has a single patient{of_a_class}"
        if name in _MEANS_OF_RECALLS:
            return self._unsettled()
        return ""

    def _undefined(self, name: str, fold: int, fraction: float) -> str:
        lacking = self.folds[fold].metrics.get("balanced_accuracy")
        lacking = 0.0 if lacking is None else np.isnan(lacking).mean()
        part = f"{100 * fraction:.0f} % of the resamples"
        place = self.places[fold]
        if METRICS[name].every_class and lacking >= fraction:
            return (
                f"{place} lacks a class in {part}" if place else f"{part} lack a class"
            )
        return f"{place}: undefined in {part}" if place else f"undefined in {part}"

    def _unsettled(self) -> str:
        """Whether a small class has no errors, or nothing else, in all folds."""
        for own in zip(*(support.classes for support in self.supports), strict=True):
            patients = sum(fold.patients for fold in own) * self._once
            right, rows = (
                sum(fold.right for fold in own),
                sum(fold.rows for fold in own),
            )
            if right in (0, rows) and patients < _FEWEST_WITHOUT_SPREAD:
                words = "every row" if right else "no row"
                return f"{words} of the class {own[0].name} is right"
        return ""

    @property
    def _once(self) -> float:
        """1 / (folds in which a patient is tested)."""
        return self.times.shape[1] / max(self.tested, 1)

    def _patients(self, name: str) -> np.ndarray:
        """Effective patients of each fold that determine a metric."""
        apart = METRICS[name].every_class
        return np.array([s.rarest if apart else s.patients for s in self.supports])

    def _quantile(self, name, drawn, known, level: float) -> float:
        """t of `bootstrap_intervals`."""
        patients = np.maximum(self._patients(name), _SMALLEST_NUMBER)
        variances = np.nanvar(drawn, axis=1)
        total = variances.sum()
        bias = (variances * patients / (patients - 1)).sum() / total
        freedom = total**2 / (variances**2 / (patients - 1)).sum() * self._once
        means = drawn[:, known].mean(axis=0)
        influences = self.times[known].T @ (means - means.mean()).astype(np.float32)
        freedom = min(freedom, freedom_of(influences.astype(np.float64)))
        # As `scipy.stats.t.ppf`, which takes a hundred times as long.
        t = special.stdtrit(max(freedom, 1.0), (1 + level) / 2)
        return float(self.widening * t * np.sqrt(bias))

    def _parts(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        observed = [fold.observed_parts[name] for fold in self.folds]
        drawn = [fold.parts[name] for fold in self.folds]
        count = len(self.folds)
        return np.concatenate(observed) / count, np.concatenate(drawn, axis=1) / count


def _no_spread(drawn: np.ndarray) -> str:
    # Resamples that all agree know nothing about other patients.
    same = not drawn.size or np.ptp(drawn.mean(axis=0)) == 0
    return "all resamples have the same value" if same else ""


def freedom_of(influences: np.ndarray) -> float:
    """Degrees of freedom of sum_p h_p^2, by the kurtosis of the influences h_p.

    The variance of a mean of n squares is (kurtosis - 1) / n of its square, and that of
    a chi-square with f degrees of freedom 2 / f.

    Example:
        One of ten patients has all the errors.

        >>> round(freedom_of(np.array([1.0, *[0.0] * 9])), 2)
        2.22
    """
    squares = influences**2
    scale = squares.sum()
    if scale == 0:
        return np.inf
    kurtosis = len(squares) * (squares**2).sum() / scale**2
    return float(2 * len(squares) / (kurtosis - 1)) if kurtosis > 1 else np.inf


def limits(values: np.ndarray, observed: float, t: float) -> tuple[float, float]:
    """The hull of the expanded percentiles and of those that correct the bias.

    Args:
        values: (R,), of the resamples.
        observed: the value of the rows themselves.
        t: the ends are those of a normal distribution at -t and t.

    Example:
        >>> low, high = limits(np.arange(101.0), 50.0, 1.0)
        >>> round(low), round(high)
        (16, 84)
    """
    below = ((values < observed).mean() + (values <= observed).mean()) / 2
    z = float(np.clip(special.ndtri(below), -_LARGEST_BIAS, _LARGEST_BIAS))
    ends = special.ndtr(np.array([-t, 2 * z - t, t, 2 * z + t]))
    found = np.quantile(values, ends)
    return float(found[:2].min()), float(found[2:].max())


def _level_of(t: float) -> float:
    """The nominal level of percentiles Phi(-t) to Phi(t)."""
    return float(1 - 2 * special.ndtr(-t))
