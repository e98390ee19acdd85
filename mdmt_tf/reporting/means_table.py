"""Table 1: means over folds and backbones, next to the paper's."""

import math

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import METRICS, blocks_of, headline
from mdmt_tf.reporting import ruffini_2024
from mdmt_tf.reporting.aggregates import NAN, Aggregates, Group, Value
from mdmt_tf.reporting.comparison_table import data_differ, title_of
from mdmt_tf.reporting.table_files import (
    NO_NUMBER,
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    shown,
    titled,
)
from mdmt_tf.tasks import Task

# Metrics in one block, so that it fits into 80 columns: alone, and with the paper's.
_MOST, _MOST_WITH_PAPER = 5, 3


def table_1(aggregates: Aggregates) -> Table:
    """Mean over folds and backbones, one row per experiment, next to the paper's."""
    results = aggregates.results
    sections, data = [], []
    for task in results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            found, numbers = _sections(aggregates, task, validation)
            sections += found
            data += numbers
    with_paper = any(not math.isnan(row["paper"]) for row in data)
    return Table(
        "table_1",
        "Table 1: mean over folds and backbones",
        sections,
        _notes(aggregates, with_paper),
        pd.DataFrame(data),
    )


def _sections(
    aggregates: Aggregates, task: Task, validation: str
) -> tuple[list[TableSection], list[dict]]:
    """The sections of a task and validation; their data rows, one per metric."""
    results = aggregates.results
    metrics = headline(task)
    kind = results.benchmark.cross_validation[validation].kind
    experiments = results.experiments_of(task.name, validation)
    # The paper has metrics of test sets only.
    of_test = results.split == "test"
    printed = {
        (e, f): ruffini_2024.value(task, kind, e, f) if of_test else None
        for e in experiments
        for f in metrics
    }
    title = f"{task.name}, {title_of(results, validation)}"
    none = all(value is None for value in printed.values())
    blocks = blocks_of(metrics, most=_MOST if none else _MOST_WITH_PAPER)
    sections, data = [], []
    for number, block in enumerate(blocks):
        has_printed = any(printed[e, f] is not None for e in experiments for f in block)
        rows = []
        for experiment in experiments:
            row, numbers = _means(
                aggregates, validation, experiment, task, block, printed
            )
            rows.append(row[: None if has_printed else 2 + len(block)])
            data += numbers
        headings = ["experiment", "folds x backbones", *map(heading, block)]
        if has_printed:
            headings += [f"paper: {heading(metric)}" for metric in block]
        block_title = titled(title, number, len(blocks))
        sections.append(TableSection(block_title, tuple(headings), rows))
    return sections, data


def _notes(aggregates: Aggregates, with_paper: bool) -> list[str]:
    """The sentences below the table."""
    results = aggregates.results
    shown_here = {f for task in results.tasks.values() for f in headline(task)}
    meanings = [row.note for name, row in METRICS.items() if name in shown_here]
    notes = [
        " ".join(
            [
                "Mean over the folds of a backbone, then over the backbones; "
                f"{results.split} set, labelled images only.",
                *filter(None, meanings),
            ]
        )
    ]
    notes += [
        f"{task.name}: mean over {', '.join(task.class_names)}; a metric that one of "
        "them does not have is undefined."
        for task in results.tasks.values()
        if len(task.components) > 1
    ]
    counts = {name: aggregates.largest_split(name) for name in results.tasks}
    several = [
        f"{name}: {images} {results.split} images of {patients} patients"
        for name, (images, patients) in counts.items()
        if images > patients
    ]
    if several:
        notes.append(
            "All metrics are by image, so a patient with many images counts more than "
            f"one with few. {'; '.join(several)}. assessment.json of each run has the "
            "metrics by patient."
        )
    if results.benchmark.baselines:
        notes.append(
            "A baseline has no trained backbone. It is fitted once for each fold and "
            "is not included in means over backbones."
        )
    if with_paper:
        notes.append(
            f"paper: {ruffini_2024.SOURCE} (Ruffini et al., MICCAI 2024, Table 1)."
        )
        if differences := data_differ(results):
            notes.append(
                "The paper's metrics cannot be compared with these: here "
                f"{' and '.join(differences)}."
            )
    return notes


def _means(aggregates, validation, experiment, task, block, printed):
    """A shown row, with the paper's metrics last; data rows, one per metric."""
    results = aggregates.results
    groups = aggregates.of(validation, experiment, task.name)
    row, data = [Entry(_name(results, experiment)), _folds(groups)], []
    for metric in block:
        value = aggregates.over_backbones(validation, experiment, task.name, metric)
        row.append(_entry(metric, value))
        paper = printed[experiment, metric]
        data.append(
            {
                "task": task.name,
                "validation": validation,
                "experiment": experiment,
                "figure": metric,
                "mean": value.number,
                "not_complete": value.reason,
                "backbones": len(groups),
                "folds": max(group.folds for group in groups),
                "paper": NAN if paper is None else paper,
            }
        )
    row += [_printed(metric, printed[experiment, metric]) for metric in block]
    return tuple(row), data


def _entry(metric: str, value: Value) -> Entry:
    """The text of a value, or the reason why there is none."""
    if value.reason:
        return Entry(value.reason)
    return numbered(shown(metric, value.number), value.number)


def _printed(metric: str, value: float | None) -> Entry:
    return Entry(NO_NUMBER) if value is None else Entry(shown(metric, value), value)


def _name(results: Results, experiment: str) -> str:
    if results.is_baseline(experiment):
        return f"{experiment} ({results.benchmark.baselines[experiment].origin})"
    return experiment


def _folds(groups: list[Group]) -> Entry:
    """Folds x backbones, or the number of finished cells when some are missing."""
    cells = pd.concat([group.cells for group in groups])
    done = int((cells["state"] == FINISHED).sum())
    if done < len(cells):
        return Entry(f"{done} of {len(cells)} cells", done)
    folds = max(group.folds for group in groups)
    return Entry(f"{folds} x {len(groups)}", folds * len(groups))
