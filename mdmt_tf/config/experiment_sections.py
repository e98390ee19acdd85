"""An experiment of a benchmark, and what it takes from the others."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from mdmt_tf.config.data_sections import is_trained
from mdmt_tf.config.section import Name, Positive, Problem, Section, rule

# Task or dataset -> fraction of its patients that are trained with.
Fractions = Mapping[str, float]


# Of `set`, what an experiment begins with if it has no start, and if it has one.
_WEIGHTS, _HEADS = "model.weights", "model.start_heads"


class ExperimentSection(Section):
    """An experiment: its tasks, its initial weights, and its other settings."""

    tasks: tuple[Name, ...] = Field(min_length=1, description="The tasks to train.")
    datasets: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None,
        description="The datasets to read, of those that feed its tasks. null: as the "
        "experiment of `match`, or all of them.",
    )
    start: dict[Name, Positive] | None = Field(
        None,
        description="Experiments whose backbones are averaged for the initial weights, "
        "each with its weight; their fits have the same backbone, fold and seed. {}: "
        "start from model.weights; null: as the experiment of `match`, or {}. Not "
        "together with model.weights in `set`.",
    )
    match: Name | None = Field(
        None,
        description="Another experiment, from which this one takes what it does not "
        "say itself: `start`, `set`, `datasets`, and the number of optimizer steps in "
        "the same fold, which is set as training.steps. null: none.",
    )
    null: tuple[Name, ...] = Field(
        (),
        description="Tasks, or one task, whose labels are permuted in training and "
        "validation, see tasks.NAME.permute. An experiment that starts from this one "
        "or matches it does not inherit it.",
    )
    settings: dict[str, Any] = Field(
        {},
        alias="set",
        description="Other settings: key.path and value, as on the command line.",
    )

    @classmethod
    def expand(cls, value: Any) -> Any:
        """`null: severity` stands for a list of one task."""
        if isinstance(value, dict) and isinstance(value.get("null"), str):
            return {**value, "null": [value["null"]]}
        return value

    @rule("start")
    def _weights_sum_to_one(self) -> Iterator[Problem]:
        total = sum((self.start or {}).values())
        if self.start and abs(total - 1) > 1e-6:
            yield (
                ("start",),
                f" = {self.start}: the weights sum to {total:g}, they must sum to 1.",
            )

    # Not of stored settings: reports of earlier benchmarks can be made again.
    @rule("start", "set", of_files=True)
    def _begins_in_one_way(self) -> Iterator[Problem]:
        if self.start and _WEIGHTS in self.settings:
            yield (
                ("set",),
                f": start and {_WEIGHTS} exclude each other. Leave {_WEIGHTS} out, or "
                "set start={}.",
            )

    @rule("tasks", "null")
    def _permuted_tasks_are_trained(self) -> Iterator[Problem]:
        for name in self.null:
            if name not in self.tasks:
                yield (
                    ("null",),
                    f": {name!r} is not a task of this experiment, which trains "
                    f"{', '.join(self.tasks)}.",
                )


Sections = Mapping[str, ExperimentSection]


@dataclasses.dataclass(frozen=True)
class Feeding:
    """Which datasets feed the tasks of a configuration.

    Attributes:
        sources: task -> the datasets that feed it.
        auxiliary: the datasets that no fold divides.
    """

    sources: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    auxiliary: frozenset[str] = frozenset()

    def read_for(self, task: str, section: ExperimentSection) -> tuple[str, ...]:
        """The datasets from which an experiment reads a task."""
        chosen = section.datasets
        sources = self.sources.get(task, ())
        return tuple(name for name in sources if chosen is None or name in chosen)

    def read_by(self, section: ExperimentSection) -> tuple[str, ...]:
        """The datasets that an experiment reads."""
        every = (self.read_for(task, section) for task in section.tasks)
        return tuple(dict.fromkeys(itertools.chain(*every)))

    def is_tested(self, section: ExperimentSection) -> bool:
        """Whether the folds test an experiment: not if all it reads is auxiliary."""
        read = self.read_by(section)
        return not read or not self.auxiliary.issuperset(read)

    def is_trained(self, section: ExperimentSection, fractions: Fractions) -> bool:
        """Whether an experiment has any label to train with."""
        return any(
            is_trained(
                fractions.get(task, 1),
                [fractions.get(name, 1) for name in self.read_for(task, section)],
            )
            for task in section.tasks
        )


def matched(experiments: Sections) -> dict[str, ExperimentSection]:
    """The experiments with what they take from those that they match.

    Returns: sections whose `start` is a dict. A setting of a task, or a selection by
        it, is not taken by an experiment that does not train the task, nor the heads of
        a start by one that declines it, nor weights by one with a start of its own. A
        `match` that is not among the experiments counts as none.
    """
    result = {}
    for name, section in experiments.items():
        other = experiments.get(section.match)
        start, settings = section.start, dict(section.settings)
        datasets = section.datasets
        if other is not None:
            if start is None:
                # Weights of its own decline it.
                start = {} if _WEIGHTS in settings else other.start
            taken = _for_tasks(other, section.tasks)
            settings = _for_start(taken, other.start, start) | settings
            datasets = other.datasets if datasets is None else datasets
        update = {"start": dict(start or {}), "settings": settings}
        update["datasets"] = datasets
        result[name] = section.model_copy(update=update)
    return result


def _for_tasks(other: ExperimentSection, tasks: tuple[str, ...]) -> dict[str, Any]:
    """Its settings without those of other tasks, or a selection by such a task.

    A selection by no task is by an answer that is derived from any of its tasks.
    """
    settings = other.settings
    paths = {key: key.split(".") for key in settings}
    selection = settings.get("training.select_on")
    by = selection.get("task") if isinstance(selection, dict) else None
    by = settings.get("training.select_on.task", by)
    needed = [by] if by in (*tasks, *other.tasks) else other.tasks if by else ()
    return {
        key: settings[key]
        for key, path in paths.items()
        if (path[0] != "tasks" or len(path) < 2 or path[1] in tasks)
        and (set(needed) <= set(tasks) or path[:2] != ["training", "select_on"])
    }


def _for_start(
    settings: Mapping[str, Any], before: Mapping | None, now: Mapping | None
) -> dict[str, Any]:
    """The settings without weights that a start replaces, or heads without a start."""
    without = {_WEIGHTS} if now else {_HEADS} if before else set()
    return {key: value for key, value in settings.items() if key not in without}


def variants(
    experiments: Sections,
    fractions: Mapping[str, tuple[float, ...]],
    feeding: Feeding = Feeding(),
) -> dict[str, ExperimentSection]:
    """Every experiment once for each combination of the fractions that concern it.

    A fraction of a task concerns the experiments that train the task, one of a dataset
    those that read the dataset; and those that start from such an experiment or match
    one. Without any label to train with an experiment does not exist, and no other one
    starts from it or matches it. Where no start is left, none is left for the heads.

    Args:
        experiments: result of `matched`, without cycles.
        fractions: task or dataset -> fractions; 1 need not be among them.
        feeding: which datasets feed the tasks.
    Returns: name -> section. Names are those of `variant_name`; starts and `match` are
        names of variants, and `settings` has the fractions that are not 1.
    """
    made = _Variants(experiments, feeding)
    result = {}
    for name in experiments:
        own = [key for key in fractions if key in made.concerned[name]]
        values = [dict.fromkeys((1.0, *fractions[key])) for key in own]
        for combination in itertools.product(*values):
            chosen = dict(zip(own, combination, strict=True))
            section = made.variant(name, chosen)
            if section is not None:
                result[variant_name(name, chosen)] = section
    return result


def variant_name(name: str, fractions: Fractions) -> str:
    """The name of an experiment with fractions of the labels of some tasks.

    Example:
        >>> variant_name("mdmt", {"severity": 0.25, "prognosis": 1.0})
        'mdmt@severity=0.25'
    """
    parts = [f"@{task}={_short(v)}" for task, v in fractions.items() if v != 1]
    return name + "".join(parts)


def _short(number: float) -> str:
    """The shortest text of a number that no other number has."""
    text = f"{number:g}"
    return text if float(text) == number else repr(number)


def parse_variant(name: str) -> tuple[str, dict[str, float]]:
    """The inverse of `variant_name`: the declared name, and the fractions but 1.

    Example:
        >>> parse_variant("mdmt@severity=0.25@prognosis=0.5")
        ('mdmt', {'severity': 0.25, 'prognosis': 0.5})
    """
    declared, *parts = name.split("@")
    pairs = [part.partition("=") for part in parts]
    return declared, {task: float(value) for task, _, value in pairs}


class _Variants:
    """Makes variants of experiments.

    Attributes:
        concerned: experiment -> the tasks and datasets whose labels it depends on.
    """

    def __init__(self, experiments: Sections, feeding: Feeding):
        self._experiments, self._feeding = experiments, feeding
        self.concerned = {name: self._concerned(name) for name in experiments}

    def _concerned(self, name: str) -> set[str]:
        section = self._experiments[name]
        others = [*section.start, *([section.match] if section.match else [])]
        below = [self._concerned(other) for other in others if other != name]
        return {*section.tasks, *self._feeding.read_by(section)}.union(*below)

    def variant(self, name: str, fractions: Fractions) -> ExperimentSection | None:
        """An experiment with fractions of labels; None when it has none at all."""
        section = self._experiments[name]
        if not self._feeding.is_trained(section, fractions):
            return None
        start = {}
        for other, weight in section.start.items():
            renamed, exists = self._other(other, fractions)
            if exists:
                start[renamed] = weight
        total = sum(start.values())
        if len(start) < len(section.start):
            start = {other: weight / total for other, weight in start.items()}
        match = section.match
        if match is not None:
            match, exists = self._other(match, fractions)
            if not exists:
                return None
        changed = {key: value for key, value in fractions.items() if value != 1}
        own = {
            f"{kind}.{key}.fraction": changed[key]
            for kind, keys in (
                ("tasks", section.tasks),
                ("datasets", self._feeding.read_by(section)),
            )
            for key in changed
            if key in keys
        }
        settings = _for_start(section.settings, section.start, start) | own
        update = {"start": start, "match": match, "settings": settings}
        return section.model_copy(update=update)

    def _other(self, name: str, fractions: Fractions) -> tuple[str, bool]:
        """The variant that another experiment needs, and whether it exists."""
        own = {k: value for k, value in fractions.items() if k in self.concerned[name]}
        exists = self.variant(name, own) is not None
        return variant_name(name, own), exists
