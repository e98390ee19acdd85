"""Gains against the number of training labels, and what a second dataset is worth.

A benchmark with `fractions` has every experiment once for each fraction of the labels
of a task. A gain is the difference of two of them with the same fractions, or of one
with and without the labels of a task.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.results import Results
from mdmt_tf.experiments.run_results import training_labels
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import leading
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.statistics.primary import Difference
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gain:
    """One point of a curve.

    Attributes:
        varied: the task whose labels are varied.
        fraction: of its patients with labels.
        labels: mean number of patients with a training label of it.
        candidate, other: what is compared; other is the candidate itself, with fraction
            0, where `without` is true.
        without: whether the gain is over the candidate without labels of `varied`.
        rest: fractions of the other varied tasks, as text; "" if all are 1.
        differences: metric -> difference.
    """

    varied: str
    fraction: float
    labels: float
    candidate: str
    other: str
    without: bool
    rest: str
    differences: dict[str, Difference]

    @property
    def line(self) -> str:
        """The curve that the point is of."""
        other = f"{self.varied}=0" if self.without else self.other
        start = f"{self.candidate} - {other}"
        return f"{start} ({self.rest})" if self.rest else start


def gains_of(aggregates: Aggregates, task: Task, validation: str) -> list[Gain]:
    """All points of a task and validation, curve by curve."""
    results = aggregates.results
    fractions = results.benchmark.fractions
    # Variants stand for the declared pair, and baselines have none.
    pairs = [
        pair
        for pair in results.pairs(task.name, validation)
        if not any(results.is_baseline(e) or "@" in e for e in pair)
    ]
    candidates = dict.fromkeys(candidate for candidate, _ in pairs)
    found = []
    for varied, rest in itertools.product(fractions, _rests(fractions)):
        if varied in rest:
            continue
        values = sorted({*fractions[varied], 1.0})
        for candidate, other in pairs:
            if not _depend(results, (candidate, other), {**rest, varied: values[0]}):
                continue
            for value in values:
                at = {**rest, varied: value}
                found += _gain(aggregates, task, validation, (candidate, other), at)
        for candidate in candidates:
            if varied != task.name and varied in results.trained_by(candidate):
                for value in (value for value in values if value):
                    at = {**rest, varied: value}
                    pair = (candidate, candidate)
                    found += _gain(aggregates, task, validation, pair, at)
    return found


def _rests(fractions) -> Iterator[dict[str, float]]:
    """Fractions of all but one of the tasks; of no task, where there is one only."""
    for left_out in fractions:
        others = [task for task in fractions if task != left_out]
        values = [sorted({*fractions[task], 1.0}, reverse=True) for task in others]
        for combination in itertools.product(*values):
            yield dict(zip(others, combination, strict=True))


def _depend(results: Results, pair, at: dict[str, float]) -> bool:
    """Whether one of the two depends on the labels of the last task of `at`."""
    (*_, varied) = at
    names = [results.benchmark.variant(name, at) for name in pair]
    return any(name is None or varied in parse_variant(name)[1] for name in names)


def _gain(aggregates, task, validation, pair, at: dict[str, float]) -> list[Gain]:
    """One point, if both experiments exist and differ."""
    results, (*_, varied) = aggregates.results, at
    candidate, other = pair
    without = candidate == other
    names = [
        results.benchmark.variant(candidate, at),
        results.benchmark.variant(other, {**at, varied: 0.0} if without else at),
    ]
    here = results.experiments_of(task.name, validation)
    if names[0] == names[1] or not set(names) <= set(here):
        return []
    rest = {name: value for name, value in at.items() if name != varied and value != 1}
    return [
        Gain(
            varied=varied,
            fraction=at[varied],
            labels=labels_of(results, validation, names, varied),
            candidate=candidate,
            other=other,
            without=without,
            rest=", ".join(f"{name}={value:g}" for name, value in rest.items()),
            differences=dict(aggregates.differences.of(validation, task.name, *names)),
        )
    ]


def labels_of(
    results: Results, validation: str, experiments: Sequence[str], task: str
) -> float:
    """Mean number of patients with a training label of a task.

    Args:
        experiments: the first of them that trains the task is counted, in the folds of
            the first backbone and seed. Without labels, none trains it.
    """
    cells = results.cells
    of_first = (
        (cells["validation"] == validation)
        & (cells["state"] == FINISHED)
        & (cells["backbone"] == results.benchmark.backbones[0])
        & (cells["seed"] == results.benchmark.seeds[0])
    )
    for name in experiments:
        if task not in results.tasks_of(name):
            continue
        fits = cells.loc[of_first & (cells["experiment"] == name), "fit"]
        runs = [Folder(results.folder).run(fit) for fit in fits]
        own = results.predicted_as(name, task)
        counts = [training_labels(run, own)[1] for run in runs]
        return float(np.mean(counts)) if counts else NAN
    return NAN


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worth:
    """How many labels of a task the other datasets of an experiment are worth.

    Attributes:
        labels: that both experiments have.
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
    equal: float
    low: float
    high: float
    reason: str

    @property
    def value(self) -> float:
        """The labels that the other experiment would need in addition."""
        return self.equal - self.labels


def worths_of(aggregates: Aggregates, task: Task, validation: str) -> list[Worth]:
    """What the second dataset is worth at each fraction of the labels of the task.

    The curve of an experiment that trains this task alone is interpolated, linearly in
    the logarithm of the number of labels. Nothing is extrapolated.
    """
    results, metric = aggregates.results, leading(task)
    points = [
        gain
        for gain in gains_of(aggregates, task, validation)
        if gain.varied == task.name
        and not gain.rest
        and len(results.trained_by(gain.candidate)) > 1
        and results.trained_by(gain.other) == (task.name,)
    ]
    found = []
    for _, of_line in itertools.groupby(points, lambda gain: gain.line):
        curve = list(of_line)
        heights = [
            aggregates.over_backbones(
                validation,
                results.benchmark.variant(gain.other, {task.name: gain.fraction}),
                task.name,
                metric,
            ).number
            for gain in curve
        ]
        for gain, height in zip(curve, heights, strict=True):
            found.append(_worth(gain, height, curve, heights, task.name, metric))
    return found


def _worth(gain, height, curve, heights, task: str, metric: str) -> Worth:
    labels = [own.labels for own in curve]
    difference = gain.differences[metric]
    ends = [
        labels_at(labels, heights, height + change)
        for change in (difference.value, difference.low, difference.high)
    ]
    (equal, reason), *bounds = ends
    low, high = (value for value, _ in bounds)
    if heights[-1] < heights[0]:
        # Of an error, which falls with more labels.
        low, high = high, low
    return Worth(
        task=task,
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
    labels: Sequence[float], heights: Sequence[float], height: float
) -> tuple[float, str]:
    """Where a curve has a height, linear in log(labels) between its points.

    Args:
        labels: ascending, positive.
        heights: of the curve at these numbers of labels.
        height: the wanted one.
    Returns: the number of labels and ""; or NaN, and why there is none.

    Example:
        >>> round(labels_at([10, 1000], [0.6, 0.8], 0.7)[0])
        100
        >>> labels_at([10, 1000], [0.6, 0.8], 0.9)
        (nan, 'its metric is above the curve')
    """
    if math.isnan(height) or np.isnan(heights).any() or len(heights) < 2:
        return NAN, "the curve is not complete"
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
