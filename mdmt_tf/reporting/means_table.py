"""Table 1: means over folds and backbones, and the paper's beside them."""

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.table import METRICS, headline
from mdmt_tf.reporting import published
from mdmt_tf.reporting.aggregates import NAN, Aggregates, Group, Value
from mdmt_tf.reporting.comparison_table import data_differ, title_of
from mdmt_tf.reporting.table_files import (
    NO_NUMBER,
    Entry,
    Section,
    Table,
    blocks_of,
    heading,
    numbered,
    shown,
    titled,
)

# Metrics in one block, so that it fits into 80 columns; with the paper's beside them.
_MOST, _MOST_BESIDE = 5, 3


def table_1(aggregates: Aggregates) -> Table:
    """Mean over folds and backbones, a row an experiment, beside the paper's."""
    results = aggregates.results
    sections, data, beside = [], [], False
    shown_here = {f for task in results.tasks.values() for f in headline(task)}
    meanings = [row.note for name, row in METRICS.items() if name in shown_here]
    for task in results.tasks.values():
        metrics = headline(task)
        for validation in aggregates.validations_of(task.name):
            kind = results.benchmark.cross_validation[validation].kind
            experiments = results.experiments_of(task.name, validation)
            printed = {
                (e, f): published.value(task, kind, e, f)
                for e in experiments
                for f in metrics
            }
            title = f"{task.name}, {title_of(results, validation)}"
            none = all(value is None for value in printed.values())
            blocks = blocks_of(metrics, most=_MOST if none else _MOST_BESIDE)
            for number, block in enumerate(blocks):
                has_printed = any(
                    printed[e, f] is not None for e in experiments for f in block
                )
                beside |= has_printed
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
                part = titled(title, number, len(blocks))
                sections.append(Section(part, tuple(headings), rows))
    notes = [
        " ".join(
            [
                "Mean over the folds of a backbone, then over the backbones; test set, "
                "labelled images only.",
                *filter(None, meanings),
            ]
        )
    ]
    if results.benchmark.baselines:
        notes.append(
            "A baseline uses no image and no backbone: it is fitted once for each fold "
            "and is part of no mean over backbones."
        )
    if beside:
        notes.append(
            f"paper: {published.SOURCE} (Ruffini et al., MICCAI 2024, Table 1)."
        )
        if differences := data_differ(results):
            notes.append(
                "The paper's metrics cannot be compared with these: here "
                f"{' and '.join(differences)}."
            )
    return Table(
        "table_1",
        "Table 1: mean over folds and backbones",
        sections,
        notes,
        pd.DataFrame(data),
    )


def _means(aggregates, validation, experiment, task, block, printed):
    """One row for people, the paper's metrics last; one a metric for programs."""
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
    """A value, or the reason why there is none."""
    if value.reason:
        return Entry(value.reason)
    return numbered(shown(metric, value.number), value.number)


def _printed(metric: str, value: float | None) -> Entry:
    return Entry(NO_NUMBER) if value is None else Entry(shown(metric, value), value)


def _name(results: Results, experiment: str) -> str:
    if results.is_baseline(experiment):
        return f"{experiment} (no image)"
    return experiment


def _folds(groups: list[Group]) -> Entry:
    """Folds x backbones, or how many cells there are when some are not."""
    cells = pd.concat([group.cells for group in groups])
    done = int((cells["state"] == FINISHED).sum())
    if done < len(cells):
        return Entry(f"{done} of {len(cells)} cells", done)
    folds = max(group.folds for group in groups)
    return Entry(f"{folds} x {len(groups)}", folds * len(groups))
