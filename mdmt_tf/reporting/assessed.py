"""Predictions of rows that took no part in a fit, with their assessment.

What the pages of a run and of an external validation have in common.
"""

import abc
import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mdmt_tf.metrics.table import leading
from mdmt_tf.metrics.text import plural, shown_alike
from mdmt_tf.reporting.table_files import plain_heading
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.tasks import Task

# Answers that the opening sentence names.
_NAMED = 3
# What a model reaches that knows nothing.
_CHANCE = {"auc": 0.5, "kappa": 0.0}
# Probabilities that differ by less are the same.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Assessed(abc.ABC):
    """Predictions and assessment in memory.

    Attributes:
        tasks: the assessed tasks and derived answers.
        assessment: task -> result of `mdmt_tf.statistics.assessment.assess`, with the
            sections of `calibration_sections` and, if known, "strata".
        table: predictions, in the columns of `predictions.csv`.
        calibrated: likewise with calibrated probabilities; None without them.
    """

    tasks: tuple[Task, ...]
    assessment: Mapping[str, Mapping]
    table: pd.DataFrame
    calibrated: pd.DataFrame | None

    @property
    @abc.abstractmethod
    def place(self) -> str:
        """What the rows are of, for titles."""

    @property
    def models(self) -> int:
        """Number of the models whose mean prediction it is."""
        return 1

    @property
    @abc.abstractmethod
    def is_synthetic(self) -> bool:
        """Whether the rows are of synthetic images."""

    @property
    def calibration_notes(self) -> Mapping[str, str]:
        """Component -> what is unusual about its calibration, as sentences."""
        return {}

    def is_calibrated(self, component: Task) -> bool:
        """Whether the calibrated probabilities of a component are not the raw ones.

        They are where a calibration was not fitted and the prior is right.
        """
        if self.calibrated is None:
            return False
        raw, calibrated = (
            probabilities_of(table[table["task"] == component.name], component)
            for table in (self.table, self.calibrated)
        )
        return len(calibrated) > 0 and not np.allclose(raw, calibrated, 0, _ROUNDING)

    @property
    def reference(self) -> str:
        """What `reference_value` is of, such as "own test"; "" without one."""
        return ""

    @property
    def reference_note(self) -> str:
        """A sentence on the reference."""
        return ""

    def reference_value(self, task: Task, metric: str, unit: str) -> float:
        """The metric on other rows, to compare with; NaN if not known."""
        return math.nan

    def unit(self, task: Task) -> str:
        """ "patient" or "image": what the metrics of the task are by, first."""
        return self.assessment[task.name]["unit"]

    def of_unit(self, task: Task) -> Mapping:
        """n, patients and metrics of the task, by its unit."""
        return self.assessment[task.name][f"by_{self.unit(task)}"]


def number(value: float | None) -> float:
    """A number of a JSON file, in which null stands for NaN."""
    return math.nan if value is None else float(value)


def numbers(own: Mapping, metric: str) -> tuple[float, float, float]:
    """Value and ends of the interval of a metric; NaN where there are none.

    Args:
        own: the part of an assessment with `metrics`.

    Example:
        >>> numbers({"metrics": {"auc": {"value": 0.8, "low": None}}}, "auc")
        (0.8, nan, nan)
    """
    entry = own["metrics"].get(metric, {})
    return tuple(number(entry.get(key)) for key in ("value", "low", "high"))


def opening_clauses(assessed: Assessed) -> str:
    """What came out for the first answers, and how many more there are."""
    parts = [clause(assessed, task) for task in assessed.tasks[:_NAMED]]
    if left := len(assessed.tasks) - len(parts):
        answers = "answer" if left == 1 else "answers"
        parts.append(f"{left} more {answers} in the table below")
    last = f", and {parts[-1]}" if len(parts) > 1 else parts[-1]
    return ", ".join(parts[:-1]) + last


def clause(assessed: Assessed, task: Task) -> str:
    """What came out for a task, as a part of a sentence.

    It says that the interval has the value of a model that knows nothing.
    """
    own, name = assessed.of_unit(task), leading(task)
    what = f"{plain_heading(name)} for {task.title}"
    value, low, high = numbers(own, name)
    patients = plural(own["patients"], "patient")
    if not own["n"]:
        return f"{what} is unknown, because no image has a label"
    if math.isnan(value):
        missing = ", ".join(own.get("missing_classes", []))
        why = f"no label is {missing}" if missing else "too few labels"
        return f"{what} is undefined ({why}; {patients})"
    text, *ends = shown_alike(name, value, low, high)
    interval = "no interval can be estimated"
    if not math.isnan(low):
        interval = f"95 % interval {ends[0]} to {ends[1]}"
        chance = _CHANCE.get(name, math.nan)
        if low <= chance <= high:
            interval += f", which includes chance, {chance:g}"
    return f"{what} is {text} ({interval}; {patients})"
