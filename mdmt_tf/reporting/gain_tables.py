"""Tables of gains by the number of labels, and of what a second dataset is worth."""

import math
from collections.abc import Iterator

import pandas as pd

from mdmt_tf.metrics.table import leading
from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.differences import conclusion, interval, texts
from mdmt_tf.reporting.effort import counted
from mdmt_tf.reporting.gains import gains_of
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    p_value,
    plain_heading,
)
from mdmt_tf.reporting.worths import Worth, worths_of
from mdmt_tf.tasks import Task

_NOT_ESTIMABLE = "not estimable"

_WORTH = (
    "labels: patients with a training label of the task, in both experiments. other "
    "needs: the number with which the other experiment, which trains this task alone, "
    "has the metric of the candidate: its curve, linear in the logarithm of the number "
    "of labels, at its own metric plus the difference of the primary comparison."
)
_WORTH_OF_DATASETS = (
    "Where `labels of` is a dataset, labels are its patients that are trained with; "
    "the other experiment is not trained with what is added."
)
_ENDS = (
    "The interval is that of the difference, on the same curve, which is taken as "
    "known. Nothing is extrapolated: beyond the curve it is not estimable."
)


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
                    numbered(texts(found)[0], found.value),
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
            if not any(row[1].text in aggregates.results.tasks for row in rows):
                headings = ("gain", "patients of", "fraction", "patients", "difference")
            headings += ("95 % interval", "p", "conclusion")
            sections.append(TableSection(title, headings, rows))
    if not sections:
        return None
    notes = [
        "labels: mean number of patients with a training label of the varied task, or "
        "of training patients of the varied dataset. A "
        "gain is the difference of the primary comparison, of two experiments with the "
        "same fractions of labels, or (TASK=0) of one with and without the labels of a "
        "task.",
        "gains.csv has the other metrics.",
    ]
    title = "Gains: difference by the number of training labels"
    return Table("gains", title, sections, notes, pd.DataFrame(data))


def worth_table(aggregates: Aggregates) -> Table | None:
    """How much the second dataset is worth; None where nothing is varied."""
    found = [
        (validation, worth)
        for task, validation in _judged(aggregates)
        for worth in worths_of(aggregates, task, validation)
    ]
    if not found:
        return None
    of_datasets = any(worth.added for _, worth in found)
    rows, data = [], []
    for validation, worth in found:
        names = (worth.task, validation, worth.candidate, worth.other)
        columns = ("task", "validation", "candidate", "other")
        facts = dict(zip(columns, names, strict=True))
        more = ()
        if of_datasets:
            more = (Entry(worth.added or "its other labels"), Entry(worth.varied))
            facts |= {"added": worth.added, "varied": worth.varied, "at": worth.rest}
        rows.append(
            (
                *map(Entry, names),
                *more,
                Entry(plain_heading(worth.metric)),
                counted(_rounded(worth.labels)),
                counted(_rounded(worth.equal)),
                Entry(_ends(worth)),
                Entry(_value(worth), None if worth.reason else worth.value),
            )
        )
        facts |= {"figure": worth.metric, "labels": worth.labels}
        facts |= {"equal": worth.equal, "low": worth.low, "high": worth.high}
        data.append({**facts, "worth": worth.value, "not_estimable": worth.reason})
    headings = ("task", "validation", "candidate", "other")
    headings += ("added", "labels of") if of_datasets else ()
    headings += ("metric", "labels", "other needs", "95 % interval", "worth")
    section = TableSection("Worth in labels of patients", headings, rows)
    title = "Worth: labels that the second dataset replaces"
    frame = pd.DataFrame(data)
    lead = tuple(f"{name}: {worth_sentence(worth)}" for name, worth in found)
    notes = [_WORTH, *([_WORTH_OF_DATASETS] if of_datasets else []), _ENDS]
    return Table("label_worth", title, [section], notes, frame, lead)


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
    unit, added = f"labels of {worth.task}", "its other labels"
    if worth.added:
        unit, added = f"training patients of {worth.varied}", worth.added
    start = f"with {worth.labels:.0f} {unit}, "
    if worth.reason:
        whose = added if worth.added else f"the other labels of {worth.candidate}"
        return (
            f"{start}it is not estimable what {whose} "
            f"are worth: {worth.reason} of {worth.other}."
        )
    low, high = (
        _NOT_ESTIMABLE if math.isnan(end) else f"{round(end - worth.labels):+d}"
        for end in (worth.low, worth.high)
    )
    what = f"{worth.task}, {worth.candidate}" if worth.added else worth.candidate
    return (
        f"{start}{what} is as good ({plain_heading(worth.metric)}) as "
        f"{worth.other} with {worth.equal:.0f}, so {added} are worth "
        f"{round(worth.value):+d} [{low}, {high}]."
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
    return f"{round(worth.value):+d}"
