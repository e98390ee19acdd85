"""Titles of the sections of a table: the task, the unit and the validation."""

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.groups import Unit


def title_of(results: Results, validation: str) -> str:
    """Name of a validation, with its kind in brackets."""
    marked = "" if results.split == "test" else f", {results.split} rows"
    return f"{validation} ({kind_in_words(results, validation)}){marked}"


def kind_in_words(results: Results, validation: str) -> str:
    """What a validation is, such as "5-fold cross-validation, 3 times"."""
    section = results.benchmark.cross_validation[validation]
    words = {
        "kfold": f"{section.folds}-fold cross-validation",
        "leave_one_site_out": "leave one site out",
        "file": "split from a file",
    }[section.kind]
    repeats = getattr(section, "repeats", 1)
    if section.kind == "kfold" and repeats > 1:
        words += f", {repeats} times"
    return words


def task_by(aggregates: Aggregates, task: str, unit: Unit) -> str:
    """Title of a task, with "by patient" or "by image" where there is a choice."""
    title = aggregates.results.tasks[task].title
    return f"{title} by {unit}" if len(aggregates.units(task)) > 1 else title
