"""An experiment of a benchmark, and what it takes from the others."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mdmt_tf.config.section import Name, Positive, Problem, Section, rule

# Task -> fraction of its patients whose training labels are used.
Fractions = Mapping[str, float]


class ExperimentSection(Section):
    """An experiment: its tasks, its initial weights, and its other settings."""

    tasks: tuple[Name, ...] = Field(min_length=1, description="The tasks to train.")
    start: dict[Name, Positive] | None = Field(
        None,
        description="Experiments whose backbones are averaged for the initial weights, "
        "each with its weight; their fits have the same backbone, fold and seed. {}: "
        "start from model.weights; null: as the experiment of `match`, or {}.",
    )
    match: Name | None = Field(
        None,
        description="Another experiment, from which this one takes what it does not "
        "say itself: `start`, `set`, and the number of optimizer steps in the same "
        "fold, which is set as training.steps. null: none.",
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

    @rule("tasks", "null")
    def _permuted_tasks_are_trained(self) -> Iterator[Problem]:
        for name in self.null:
            if name not in self.tasks:
                yield (
                    ("null",),
                    f": {name!r} is not a task of this experiment, which trains "
                    f"{', '.join(self.tasks)}.",
                )


Experiments = Mapping[str, ExperimentSection]


def matched(experiments: Experiments) -> dict[str, ExperimentSection]:
    """The experiments with what they take from those that they match.

    Returns: sections whose `start` is a dict. A setting of a task, or a selection by
        it, is not taken by an experiment that does not train the task. A `match` that
        is not among the experiments counts as none.
    """
    result = {}
    for name, section in experiments.items():
        other = experiments.get(section.match)
        start, settings = section.start, dict(section.settings)
        if other is not None:
            start = other.start if start is None else start
            settings = _for_tasks(other.settings, section.tasks) | settings
        update = {"start": dict(start or {}), "settings": settings}
        result[name] = section.model_copy(update=update)
    return result


def _for_tasks(settings: Mapping[str, Any], tasks: tuple[str, ...]) -> dict[str, Any]:
    """The settings without those of other tasks, or a selection by such a task."""
    paths = {key: key.split(".") for key in settings}
    selection = settings.get("training.select_on")
    by = selection.get("task") if isinstance(selection, dict) else None
    by = settings.get("training.select_on.task", by)
    return {
        key: settings[key]
        for key, path in paths.items()
        if (path[0] != "tasks" or len(path) < 2 or path[1] in tasks)
        and (by in (None, *tasks) or path[:2] != ["training", "select_on"])
    }


def variants(
    experiments: Experiments, fractions: Mapping[str, tuple[float, ...]]
) -> dict[str, ExperimentSection]:
    """Every experiment once for each combination of the fractions that concern it.

    A fraction of a task concerns the experiments that train the task, and those that
    start from such an experiment or match one. With fraction 0 of all its tasks an
    experiment does not exist, and no other one starts from it or matches it.

    Args:
        experiments: result of `matched`, without cycles.
        fractions: task -> fractions; 1 need not be among them.
    Returns: name -> section. Names are those of `variant_name`; starts and `match` are
        names of variants, and `settings` has the fractions that are not 1.
    """
    concerned = {name: _concerned(name, experiments) for name in experiments}
    result = {}
    for name in experiments:
        tasks = [task for task in fractions if task in concerned[name]]
        values = [dict.fromkeys((1.0, *fractions[task])) for task in tasks]
        for combination in itertools.product(*values):
            chosen = dict(zip(tasks, combination, strict=True))
            made = _variant(name, experiments, chosen, concerned)
            if made is not None:
                result[variant_name(name, chosen)] = made
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


def _concerned(name: str, experiments: Experiments) -> set[str]:
    """Tasks whose labels an experiment depends on."""
    section = experiments[name]
    others = [*section.start, *([section.match] if section.match else [])]
    below = [_concerned(other, experiments) for other in others if other != name]
    return set(section.tasks).union(*below)


def _variant(
    name: str, experiments: Experiments, fractions: Fractions, concerned: Mapping
) -> ExperimentSection | None:
    """An experiment with fractions of labels; None when it has none at all."""
    section = experiments[name]
    if all(fractions.get(task) == 0 for task in section.tasks):
        return None

    def of(other: str) -> tuple[str, bool]:
        own = {t: value for t, value in fractions.items() if t in concerned[other]}
        exists = _variant(other, experiments, own, concerned) is not None
        return variant_name(other, own), exists

    start = {}
    for other, weight in section.start.items():
        renamed, exists = of(other)
        if exists:
            start[renamed] = weight
    total = sum(start.values())
    if len(start) < len(section.start):
        start = {other: weight / total for other, weight in start.items()}
    match = section.match
    if match is not None:
        match, exists = of(match)
        if not exists:
            return None
    own = {
        f"tasks.{task}.fraction": value
        for task, value in fractions.items()
        if value != 1 and task in section.tasks
    }
    update = {"start": start, "match": match, "settings": section.settings | own}
    return section.model_copy(update=update)
