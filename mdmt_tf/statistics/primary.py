"""The primary comparison of two experiments: one difference with its interval.

The difference is that of the metric by patient, averaged over backbones, seeds and
repeats, two-sided. `mdmt_tf.statistics.components` explains its variance.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.statistics.components import Estimate, estimate
from mdmt_tf.statistics.pairing import Pair, paired
from mdmt_tf.tasks import Task

LEVEL = 0.95
METHOD = "by patient, with components of training sets, fits and folds"


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference of two experiments, candidate - other.

    Attributes:
        metric: name of the metric.
        unit: "patient" or "image", what the metric counts. The interval is about other
            patients in both cases.
        value: of the metric, averaged over backbones, seeds and repeats.
        low, high: 95 % interval, NaN if it is not estimable.
        p: two-sided; it is below 0.05 exactly when the interval excludes 0.
        n_patients: number of patients that count in the value.
        n_fits: number of pairs of fits that do, a fold each.
        method: how the interval was computed.
        reason: a sentence if the interval is not estimable.
        sites: which sites count, if some do not, such as "4 of 6 sites, without D, E".
    """

    metric: str
    unit: str
    value: float
    low: float
    high: float
    p: float
    n_patients: int
    n_fits: int
    method: str
    reason: str | None = None
    sites: str = ""

    @property
    def conclusion(self) -> str:
        """ "better", "worse", "undecided" or "not estimable", of the candidate.

        For a metric with an ideal value between worse ones, "higher" and "lower".

        Example:
            >>> difference = Difference(
            ...     "auc", "patient", 0.1, -0.02, 0.22, 0.1, 100, 90, "by patient"
            ... )
            >>> difference.conclusion
            'undecided'
        """
        if self.reason is not None:
            return "not estimable"
        if self.low <= 0 <= self.high:
            return "undecided"
        metric = METRICS[self.metric]
        if metric.ideal is not None:
            return "higher" if self.value > 0 else "lower"
        return "better" if (self.value < 0) == metric.lower_is_better else "worse"


def compare_metrics(
    candidate_rows: pd.DataFrame,
    other_rows: pd.DataFrame,
    task: Task,
    metrics: Sequence[str],
    *,
    folds: int,
) -> dict[str, Difference]:
    """The primary comparison of two experiments, for several metrics at once.

    Args:
        candidate_rows: predicted test rows of all fits of an experiment, in the
            columns of `predictions.csv` with the columns backbone, seed and fold.
            Folds are numbered over repeats: `fold // folds` is the repeat. Rows of
            other tasks and rows without a label do not count. If an experiment has a
            single backbone and seed (a baseline), it is compared with each model of the
            other experiment.
        other_rows: likewise, of the other experiment.
        task: the predicted task.
        metrics: names of `METRICS` that the task has.
        folds: number of folds of one repeat.
    Returns: metric -> difference. It is not estimable, and the reason says why: if a
        fit is missing, or the experiments have other test rows; with fewer than 10
        patients, or fewer than 5 of a class where the metric treats classes apart; if
        the metric is not defined for a model, or without one of the patients; if there
        is one fit of each experiment; if no patient makes a difference.
    Raises: ValueError for a metric that the task does not have.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> rows = pd.DataFrame(
        ...     {
        ...         "dataset": "ward",
        ...         "task": "age",
        ...         "patient_id": [f"p{i}" for i in range(12)],
        ...         "image_id": [f"i{i}" for i in range(12)],
        ...         "backbone": "resnet18",
        ...         "seed": 0,
        ...         "fold": [0, 1] * 6,
        ...         "target": 50.0,
        ...         "prediction": [52.0, 55.0, 53.0] * 4,
        ...     }
        ... )
        >>> more = [1.0, 2.0, 2.0, 1.0] * 3
        >>> worse = rows.assign(prediction=rows["prediction"] + more)
        >>> found = compare_metrics(rows, worse, age, ["mae"], folds=2)["mae"]
        >>> round(found.value, 3), found.conclusion
        (-1.5, 'better')
    """
    unknown = [name for name in metrics if name not in METRICS]
    unknown += [n for n in metrics if n in METRICS and not METRICS[n].is_of(task)]
    if unknown:
        raise ValueError(
            f"task {task.name!r} has no metric {unknown[0]!r}. Its metrics: "
            f"{', '.join(name for name in METRICS if METRICS[name].is_of(task))}."
        )
    pair = paired(candidate_rows, other_rows, task, folds)
    if pair.reason is not None:
        nothing = Estimate(float("nan"), reason=pair.reason)
        return {name: difference(name, pair, nothing) for name in metrics}
    estimates = estimate(pair, task, metrics, folds)
    return {name: difference(name, pair, own) for name, own in estimates.items()}


def difference(
    metric: str,
    pair: Pair,
    estimated: Estimate,
    method: str = METHOD,
    sites: str = "",
) -> Difference:
    """The estimate of a metric with its interval and p.

    Args:
        metric: name of the metric.
        pair: the rows that count in the estimate.
        estimated: value, variance and degrees of freedom.
        method: how they were computed.
        sites: see `Difference`.

    Example:
        >>> from mdmt_tf.statistics.components import Estimate
        >>> nothing = pd.DataFrame()
        >>> pair = Pair(nothing, nothing, "patient", patients=100, fits=90)
        >>> found = difference("auc", pair, Estimate(0.05, 0.0004, 60.0))
        >>> round(found.low, 3), round(found.high, 3)  # 0.05 -+ 2.0003 * 0.02
        (0.01, 0.09)
    """
    value = estimated.value
    t = scipy.stats.t(estimated.freedom)
    error = float(np.sqrt(estimated.variance))
    half = t.ppf((1 + LEVEL) / 2) * error
    return Difference(
        metric=metric,
        unit=pair.unit,
        value=value,
        low=float(value - half),
        high=float(value + half),
        p=float(2 * t.sf(abs(value) / error)),
        n_patients=pair.patients,
        n_fits=pair.fits,
        method=method,
        reason=estimated.reason,
        sites=sites,
    )
