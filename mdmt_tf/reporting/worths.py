"""What a second dataset is worth, in labels or patients of the first.

The curve of an experiment without the second dataset is read backwards: how many labels
does it need to be as good as the candidate?
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from mdmt_tf.metrics.table import METRICS, leading
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.gains import Gain, gains_of, labels_of
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worth:
    """How many labels of a task, or patients, other datasets are worth.

    Attributes:
        task: the predicted task.
        varied: the task whose labels are varied, or the dataset.
        added: what the candidate is trained with in addition, in words; "" for the
            other tasks of the candidate.
        rest: fractions of other datasets, as text.
        labels: of the task, or patients of the dataset, that both experiments have.
        equal: labels with which the other experiment is as good as the candidate.
        low, high: the same at the ends of the interval of the difference; NaN where the
            curve of the other does not reach.
        reason: why there is no value.
    """

    task: str
    candidate: str
    other: str
    metric: str
    labels: float
    varied: str = ""
    added: str = ""
    rest: str = ""
    equal: float
    low: float
    high: float
    reason: str

    @property
    def value(self) -> float:
        """The labels that the other experiment would need in addition."""
        return self.equal - self.labels


def worths_of(aggregates: Aggregates, task: Task, validation: str) -> list[Worth]:
    """What is worth how many labels of the task, or patients of a tested dataset.

    - The labels of other tasks, by the curve of an experiment that trains the task
      alone over the fractions of its labels.
    - Auxiliary datasets, by the curve of an experiment that is not trained with them
      over the fractions of a tested dataset.

    The curve is interpolated, linearly in the logarithm of the number of labels or
    patients. Nothing is extrapolated.
    """
    results, metric = aggregates.results, leading(task)
    points = [
        gain
        for gain in gains_of(aggregates, task, validation)
        if not gain.without and _has_worth(results, gain, task)
    ]
    found = []
    for _, of_line in itertools.groupby(points, lambda gain: (gain.varied, gain.line)):
        curve = list(of_line)
        heights = [
            aggregates.over_backbones(
                validation,
                results.experiments.variant(
                    gain.other, {**gain.at, gain.varied: gain.fraction}
                ),
                task.name,
                metric,
            ).number
            for gain in curve
        ]
        added = _added(results, validation, curve[0])
        for gain, height in zip(curve, heights, strict=True):
            worth = _worth(gain, height, curve, heights, task.name, metric)
            found.append(dataclasses.replace(worth, added=added))
    return found


def _has_worth(results, gain: Gain, task: Task) -> bool:
    """Whether a point is of something more than its other experiment has."""
    if gain.varied == task.name:
        return (
            not gain.at
            and len(results.trained_by(gain.candidate)) > 1
            and results.trained_by(gain.other) == (task.name,)
        )
    experiments = results.experiments
    return (
        gain.varied not in results.tasks
        and gain.varied not in experiments.auxiliary
        and experiments.auxiliary.issuperset(gain.at)
        and gain.varied in experiments.datasets_of(gain.candidate)
        and gain.varied in experiments.datasets_of(gain.other)
        and bool(_more(results, gain))
    )


def _more(results, gain: Gain) -> list[str]:
    """The auxiliary datasets that the candidate is trained with, and the other not."""
    experiments = results.experiments
    other = experiments.trained_with(gain.other)
    if not experiments.auxiliary.isdisjoint(other):
        return []
    return [
        name
        for name in experiments.trained_with(gain.candidate)
        if name in experiments.auxiliary and gain.at.get(name) != 0
    ]


def _added(results, validation: str, gain: Gain) -> str:
    """The auxiliary datasets of the candidate with their training patients, in words.

    They are the same at each point of a curve.
    """
    if gain.varied in results.tasks:
        return ""
    at = {**gain.at, gain.varied: gain.fraction}
    name = results.experiments.variant(gain.candidate, at)
    texts = []
    for dataset in _more(results, gain):
        patients = labels_of(results, validation, [name], dataset)
        count = "patients" if math.isnan(patients) else f"{patients:,.0f} patients"
        texts.append(f"{count} of {dataset}")
    return " and ".join(texts)


def _worth(gain, height, curve, heights, task: str, metric: str) -> Worth:
    labels = [own.labels for own in curve]
    difference = gain.differences[metric]
    falls = METRICS[metric].lower_is_better
    ends = [
        labels_at(labels, heights, height + change, falls=falls)
        for change in (difference.value, difference.low, difference.high)
    ]
    (equal, reason), *bounds = ends
    low, high = (value for value, _ in bounds)
    if falls:
        low, high = high, low
    return Worth(
        task=task,
        varied=gain.varied,
        rest=gain.rest,
        candidate=gain.candidate,
        other=gain.other,
        metric=metric,
        labels=gain.labels,
        equal=equal,
        low=low,
        high=high,
        reason=reason,
    )


def labels_at(
    labels: Sequence[float],
    heights: Sequence[float],
    height: float,
    *,
    falls: bool = False,
) -> tuple[float, str]:
    """Where a curve has a height, linear in log(labels) between its points.

    Args:
        labels: ascending, positive.
        heights: of the curve at these numbers of labels.
        height: the wanted one.
        falls: whether lower is better, as of an error.
    Returns: the number of labels and ""; or NaN, and why there is none.

    Example:
        >>> round(labels_at([10, 1000], [0.6, 0.8], 0.7)[0])
        100
        >>> labels_at([10, 1000], [0.6, 0.8], 0.9)
        (nan, 'its metric is above the curve')
    """
    if math.isnan(height) or np.isnan(heights).any() or len(heights) < 2:
        return NAN, "the curve is not complete"
    if heights[-1] == heights[0] or (heights[-1] < heights[0]) != falls:
        return NAN, "its metric does not improve with more labels"
    if height > max(heights):
        return NAN, "its metric is above the curve"
    if height < min(heights):
        return NAN, "its metric is below the curve"
    crossings = []
    logs = np.log(labels)
    for place in range(len(heights) - 1):
        (x, y), (to_x, to_y) = (
            (logs[i], heights[i] - height) for i in (place, place + 1)
        )
        if y == 0:
            crossings.append(x)
        elif y * to_y < 0:
            crossings.append(x + (to_x - x) * y / (y - to_y))
    if heights[-1] == height:
        crossings.append(logs[-1])
    if len(crossings) > 1:
        return NAN, "the curve is not monotonic"
    return float(np.exp(crossings[0])), ""
