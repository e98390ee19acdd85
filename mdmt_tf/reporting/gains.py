"""Gains against the number of training labels, or of patients of a dataset.

A benchmark with `fractions` has every experiment once for each fraction of the labels
of a task, or of the patients of a dataset. A gain is the difference of two of them with
the same fractions, or of one with and without the labels or the dataset.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.results import Results
from mdmt_tf.experiments.run_results import training_labels, training_patients
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.groups import NAN
from mdmt_tf.statistics.primary import Difference
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gain:
    """One point of a curve.

    Attributes:
        varied: the task whose labels are varied, or the dataset.
        fraction: of its patients with labels, or of its patients.
        labels: mean number of patients with a training label of the task, or of
            patients of the dataset that are trained with.
        candidate, other: what is compared; other is the candidate itself, with fraction
            0, where `without` is true.
        without: whether the gain is over the candidate without `varied`.
        rest: fractions of the others that are varied, as text; "" if all are 1.
        at: the same by name.
        differences: metric -> difference.
    """

    varied: str
    fraction: float
    labels: float
    candidate: str
    other: str
    without: bool
    rest: str
    at: dict[str, float]
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
            if varied != task.name and _can_do_without(results, candidate, varied):
                for value in (value for value in values if value):
                    at = {**rest, varied: value}
                    pair = (candidate, candidate)
                    found += _gain(aggregates, task, validation, pair, at)
    return found


def _can_do_without(results: Results, experiment: str, varied: str) -> bool:
    """Whether a task is trained by an experiment, or a dataset is trained with."""
    if varied in results.tasks:
        return varied in results.trained_by(experiment)
    return varied in results.experiments.trained_with(experiment)


def _rests(fractions) -> Iterator[dict[str, float]]:
    """Fractions of all but one of the names; of none, where there is one only."""
    for left_out in fractions:
        others = [name for name in fractions if name != left_out]
        values = [sorted({*fractions[name], 1.0}, reverse=True) for name in others]
        for combination in itertools.product(*values):
            yield dict(zip(others, combination, strict=True))


def _depend(results: Results, pair, at: dict[str, float]) -> bool:
    """Whether one of the two depends on the last task or dataset of `at`."""
    (*_, varied) = at
    names = [results.experiments.variant(name, at) for name in pair]
    return any(name is None or varied in parse_variant(name)[1] for name in names)


def _gain(aggregates, task, validation, pair, at: dict[str, float]) -> list[Gain]:
    """One point, if both experiments exist and differ."""
    results, (*_, varied) = aggregates.results, at
    candidate, other = pair
    without = candidate == other
    names = [
        results.experiments.variant(candidate, at),
        results.experiments.variant(other, {**at, varied: 0.0} if without else at),
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
            at=rest,
            differences=dict(aggregates.differences.of(validation, task.name, *names)),
        )
    ]


def labels_of(
    results: Results, validation: str, experiments: Sequence[str], varied: str
) -> float:
    """Mean number of training patients with a label of a task, or of a dataset.

    Args:
        experiments: the first of them that trains the task, or is trained with the
            dataset, is counted, in the folds of the first backbone and seed. None does
            without labels, or without the dataset.
        varied: name of a task or a dataset.
    """
    cells = results.cells
    of_first = (
        (cells["validation"] == validation)
        & (cells["state"] == FINISHED)
        & (cells["backbone"] == results.benchmark.backbones[0])
        & (cells["seed"] == results.benchmark.seeds[0])
    )
    for name in experiments:
        if varied in results.tasks:
            reading = name if varied in results.tasks_of(name) else None
        else:
            reading = _reading(results, name, varied)
        if reading is None:
            continue
        fits = cells.loc[of_first & (cells["experiment"] == reading), "fit"].unique()
        runs = [Folder(results.folder).run(fit) for fit in fits]
        if varied in results.tasks:
            own = results.predicted_as(name, varied)
            counts = [training_labels(run, own)[1] for run in runs]
        else:
            counts = [training_patients(run, varied) for run in runs]
        return float(np.mean(counts)) if counts else NAN
    return 0.0 if varied not in results.tasks else NAN


def _reading(results: Results, experiment: str, dataset: str) -> str | None:
    """The experiment itself or the first of its starts that reads a dataset."""
    experiments = results.experiments
    if dataset in experiments.datasets_of(experiment):
        return experiment
    for other in experiments.resolved[experiment].start:
        if (found := _reading(results, other, dataset)) is not None:
            return found
    return None
