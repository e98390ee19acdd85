"""Tables of gains by the number of labels, and of what a second dataset is worth."""

import math
from collections.abc import Iterator

import pandas as pd

from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import conclusion, interval, leading
from mdmt_tf.reporting.effort import counted
from mdmt_tf.reporting.gains import Worth, gains_of, worths_of
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.table_files import (
    NO_NUMBER,
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    p_value,
    plain_heading,
    shown,
)
from mdmt_tf.tasks import Task

_NOT_ESTIMABLE = "not estimable"


def gain_table(aggregates: Aggregates) -> Table | None:
    """Every gain, by fraction; None without `benchmark.fractions`."""
    sections, data = [], []
    for task, validation in _judged(aggregates):
        rows = []
        for gain in gains_of(aggregates, task, validation):
            found = gain.differences[leading(task)]
            is_known = found.reason is None
            rows.append(
                (
                    Entry(gain.line),
                    Entry(gain.varied),
                    Entry(f"{gain.fraction:g}", gain.fraction),
                    counted(gain.labels),
                    numbered(shown(found.metric, found.value, "+"), found.value),
                    Entry(interval(found), found.low) if is_known else Entry(NO_NUMBER),
                    p_value(found.p),
                    Entry(conclusion(found)),
                )
            )
            facts = {
                "task": task.name,
                "validation": validation,
                "candidate": gain.candidate,
                "other": "" if gain.without else gain.other,
                "varied": gain.varied,
                "fraction": gain.fraction,
                "labels": gain.labels,
                "at": gain.rest,
            }
            for own in gain.differences.values():
                values = {"difference": own.value, "low": own.low, "high": own.high}
                row = {**facts, "figure": own.metric, **values, "p": own.p}
                data.append({**row, "not_estimable": own.reason or ""})
        if rows:
            title = f"{task.name}, {title_of(aggregates.results, validation)}"
            title += f": {heading(leading(task))}"
            headings = ("gain", "labels of", "fraction", "labels", "difference")
            headings += ("95 % interval", "p", "conclusion")
            sections.append(TableSection(title, headings, rows))
    if not sections:
        return None
    notes = [
        "labels: mean number of patients with a training label of the varied task. A "
        "gain is the difference of the primary comparison, of two experiments with the "
        "same fractions of labels, or (TASK=0) of one with and without the labels of a "
        "task.",
        "gains.csv has the other metrics.",
    ]
    title = "Gains: difference by the number of training labels"
    return Table("gains", title, sections, notes, pd.DataFrame(data))


def worth_table(aggregates: Aggregates) -> Table | None:
    """How many labels the second dataset is worth; None where nothing is varied."""
    rows, data, lead = [], [], []
    for task, validation in _judged(aggregates):
        for worth in worths_of(aggregates, task, validation):
            lead.append(f"{validation}: {worth_sentence(worth)}")
            names = (worth.task, validation, worth.candidate, worth.other)
            rows.append(
                (
                    *map(Entry, names),
                    Entry(plain_heading(worth.metric)),
                    counted(_rounded(worth.labels)),
                    counted(_rounded(worth.equal)),
                    Entry(_ends(worth)),
                    Entry(_value(worth), None if worth.reason else worth.value),
                )
            )
            columns = ("task", "validation", "candidate", "other")
            facts = dict(zip(columns, names, strict=True))
            facts |= {"figure": worth.metric, "labels": worth.labels}
            facts |= {"equal": worth.equal, "low": worth.low, "high": worth.high}
            data.append({**facts, "worth": worth.value, "not_estimable": worth.reason})
    if not rows:
        return None
    headings = ("task", "validation", "candidate", "other", "metric", "labels")
    headings += ("other needs", "95 % interval", "worth")
    notes = [
        "labels: patients with a training label of the task, in both experiments. "
        "other needs: the number with which the other experiment, which trains this "
        "task alone, has the metric of the candidate: its curve, linear in the "
        "logarithm of the number of labels, at its own metric plus the difference of "
        "the primary comparison.",
        "The interval is that of the difference, on the same curve, which is taken as "
        "known. Nothing is extrapolated: beyond the curve it is not estimable.",
    ]
    section = TableSection("Worth in labels of patients", headings, rows)
    title = "Worth: labels that the second dataset replaces"
    frame = pd.DataFrame(data)
    return Table("label_worth", title, [section], notes, frame, tuple(lead))


def worth_sentence(worth: Worth) -> str:
    """What the second dataset is worth, in words.

    Example:
        >>> worth = Worth(
        ...     task="death",
        ...     candidate="both",
        ...     other="alone",
        ...     metric="auc",
        ...     labels=100.0,
        ...     equal=150.0,
        ...     low=110.0,
        ...     high=float("nan"),
        ...     reason="",
        ... )
        >>> print(worth_sentence(worth).replace("so ", "so\\n"))
        with 100 labels of death, both is as good (AUC) as alone with 150, so
        its other labels are worth +50 [+10, not estimable].
    """
    start = f"with {worth.labels:.0f} labels of {worth.task}, "
    if worth.reason:
        return (
            f"{start}it is not estimable what the other labels of {worth.candidate} "
            f"are worth: {worth.reason} of {worth.other}."
        )
    low, high = (
        _NOT_ESTIMABLE if math.isnan(end) else f"{end - worth.labels:+.0f}"
        for end in (worth.low, worth.high)
    )
    return (
        f"{start}{worth.candidate} is as good ({plain_heading(worth.metric)}) as "
        f"{worth.other} with {worth.equal:.0f}, so its other labels are worth "
        f"{worth.value:+.0f} [{low}, {high}]."
    )


def _judged(aggregates: Aggregates) -> Iterator[tuple[Task, str]]:
    if not aggregates.results.benchmark.fractions:
        return
    for task in aggregates.results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            yield task, validation


def _rounded(value: float) -> float:
    return value if math.isnan(value) else float(round(value))


def _ends(worth: Worth) -> str:
    ends = [
        _NOT_ESTIMABLE if math.isnan(end) else f"{end:.0f}"
        for end in (worth.low, worth.high)
    ]
    return NO_NUMBER if worth.reason else f"[{ends[0]}, {ends[1]}]"


def _value(worth: Worth) -> str:
    if worth.reason:
        return f"{_NOT_ESTIMABLE}: {worth.reason}"
    return f"{worth.value:+.0f}"
