"""The tasks of a new dataset, from its labels."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mdmt_tf.metrics.table import selecting
from mdmt_tf.planning import plan
from mdmt_tf.planning.labels import FEWEST, Label
from mdmt_tf.tasks import Task, make_task

# Labels that are yes or no: as many as this are findings of one task.
FINDINGS = 4


@dataclasses.dataclass(frozen=True)
class TaskPlan:
    """A task, and what is to be said about it.

    Attributes:
        name: key in the configuration.
        value: its settings as plain values.
        labels: the labels that feed it.
        reason: comment about its settings, or "".
    """

    name: str
    value: dict[str, Any]
    labels: tuple[Label, ...]
    reason: str = ""


def make_tasks(labels: Sequence[Label], dataset: str) -> tuple[TaskPlan, ...]:
    """One task a label; four or more labels of yes and no are one task together.

    Args:
        labels: those that are predicted, the chief one first.
        dataset: name of the dataset that feeds them.
    """
    findings = [label for label in labels if label.class_names == ("no", "yes")]
    if len(findings) < FINDINGS:
        findings = []
    made = []
    for label in labels:
        if label in findings:
            if label is findings[0]:
                made.append(_together(findings, dataset, labels))
            continue
        made.append(_single(label, dataset))
    return tuple(made)


def _single(label: Label, dataset: str) -> TaskPlan:
    value: dict[str, Any] = {"kind": label.kind}
    if label.classes is not None:
        value["classes"] = list(label.class_names)
    value["from"] = {dataset: label.name}
    balance = plan.choose_balance(label)
    if balance is not None:
        value["class_weights"] = balance.value
    return TaskPlan(label.name, value, (label,), balance.reason if balance else "")


def _together(findings: Sequence[Label], dataset: str, labels) -> TaskPlan:
    taken = {label.name for label in labels}
    name = next(n for n in ("findings", "all_findings", "flags") if n not in taken)
    names = [label.name for label in findings]
    value = {"kind": "multilabel", "classes": names, "from": {dataset: names}}
    reason = f"{len(names)} labels of yes and no are one task"
    return TaskPlan(name, value, tuple(findings), reason)


def make_task_of(planned: TaskPlan) -> Task:
    """The task itself."""
    value = dict(planned.value)
    value["sources"] = value.pop("from")
    return make_task(name=planned.name, **value)


def choose_selection(chief: TaskPlan, folds: int) -> plan.Setting:
    """The task and the metric that choose the epoch."""
    value = {"task": chief.name, "metric": "loss"}
    label = chief.labels[0]
    if label.classes is None:
        return plan.Setting(value, "the squared error")
    minority = min(label.minority for label in chief.labels)
    least = int(minority * plan.validation_fraction(folds))
    balanced = "class_weights" in chief.value
    if balanced and least >= FEWEST and "auc" in selecting(make_task_of(chief)):
        reason = "the loss is of shifted probabilities, since classes are balanced"
        return plan.Setting({**value, "metric": "auc"}, reason)
    reason = f"smoother than auc with about {least} validation patients of the "
    return plan.Setting(value, reason + "smallest class")
