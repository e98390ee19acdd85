"""Table 1, Table S1 and the table of runs of a benchmark."""

import math

import pandas as pd

from mdmt_tf.experiments import published
from mdmt_tf.experiments.aggregates import NAN, Aggregates, Group, Value
from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.comparison import (
    compared,
    data_differ,
    table_2,
    title_of,
)
from mdmt_tf.experiments.grid import KEYS
from mdmt_tf.experiments.results import Results
from mdmt_tf.experiments.table_files import (
    NO_NUMBER,
    Entry,
    Section,
    Table,
    heading,
    numbered,
    shown,
)
from mdmt_tf.tasks import Kind, Task

_INTERVAL_NOTE = (
    "[low, high]: 95 % percentile bootstrap over patients, within each fold. It speaks "
    "about other patients and the same fitted models; that other fits or other "
    "backbones might do otherwise is not in it."
)
_TWICE_NOTE = (
    "Some images are tested in several folds or with several seeds. Their patients are "
    "drawn anew each time, so intervals of means over these folds are too narrow."
)


def headline(task: Task) -> tuple[str, ...]:
    """The figures of Table 1."""
    if task.kind is Kind.REGRESSION:
        return ("mae", "rmse", "r2")
    return ("accuracy", "f1", "g_mean")


def build_tables(aggregates: Aggregates) -> list[Table]:
    """All tables, in the order of the page."""
    return [
        table_1(aggregates),
        table_2(aggregates),
        table_s1(aggregates),
        runs(aggregates),
    ]


def table_1(aggregates: Aggregates) -> Table:
    """Mean over folds and backbones, a row an experiment, beside the paper's."""
    results = aggregates.results
    sections, data, beside = [], [], False
    for task in results.tasks.values():
        figures = headline(task)
        for validation in aggregates.validations_of(task.name):
            kind = results.benchmark.validation[validation].kind
            experiments = results.experiments_of(task.name, validation)
            printed = {
                (e, f): published.value(task.name, kind, e, f)
                for e in experiments
                for f in figures
            }
            has_printed = any(value is not None for value in printed.values())
            beside |= has_printed
            rows = []
            for experiment in experiments:
                groups = aggregates.of(validation, experiment, task.name)
                row = [Entry(_name(results, experiment)), _folds(groups)]
                for figure in figures:
                    value = aggregates.over_backbones(
                        validation, experiment, task.name, figure
                    )
                    row.append(entry(figure, value))
                    paper = printed[experiment, figure]
                    data.append(
                        {
                            "task": task.name,
                            "validation": validation,
                            "experiment": experiment,
                            "figure": figure,
                            "mean": value.number,
                            "not_complete": value.reason,
                            "backbones": len(groups),
                            "folds": max(group.folds for group in groups),
                            "paper": NAN if paper is None else paper,
                        }
                    )
                if has_printed:
                    row += [
                        _printed(figure, printed[experiment, figure])
                        for figure in figures
                    ]
                rows.append(tuple(row))
            headings = ["experiment", "folds x backbones", *map(heading, figures)]
            if has_printed:
                headings += [f"paper: {heading(figure)}" for figure in figures]
            title = f"{task.name}, {title_of(results, validation)}"
            sections.append(Section(title, tuple(headings), rows))
    notes = [
        "Mean over the folds of a backbone, then over the backbones; test set, "
        "labelled images only. F1 is that of the positive class, macro-averaged for "
        "more than two classes.",
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
                "The paper's figures cannot be compared with these: here "
                f"{' and '.join(differences)}."
            )
    return Table(
        "table_1",
        "Table 1: mean over folds and backbones",
        sections,
        notes,
        pd.DataFrame(data),
    )


def table_s1(aggregates: Aggregates) -> Table:
    """Every backbone and experiment: mean, deviation and interval of every figure."""
    results = aggregates.results
    sections, data = [], []
    for task in results.tasks:
        figures = aggregates.figures_of(task)
        for validation in aggregates.validations_of(task):
            rows = []
            for experiment in results.experiments_of(task, validation):
                for group in aggregates.of(validation, experiment, task):
                    text, numbers = _group_rows(aggregates, group, figures)
                    rows.append(text)
                    data += numbers
            headings = ["backbone", "experiment", "folds", "images", "patients"]
            title = f"{task}, {title_of(results, validation)}"
            sections.append(Section(title, (*headings, *map(heading, figures)), rows))
    notes = [
        "Mean over folds ± standard deviation over folds (n − 1)"
        + (
            ", the latter averaged over seeds"
            if len(results.benchmark.seeds) > 1
            else ""
        )
        + ".",
        _INTERVAL_NOTE,
        "images, patients: different ones among the labelled test rows.",
    ]
    if any(aggregates.tested_twice(task) for task in results.tasks):
        notes.append(_TWICE_NOTE)
    return Table(
        "table_s1",
        "Table S1: every backbone and experiment",
        sections,
        notes,
        pd.DataFrame(data),
    )


def _group_rows(aggregates: Aggregates, group: Group, figures: list[str]):
    """One row for people, one a figure for programs."""
    predictions, images, patients = group.count()
    intervals = aggregates.intervals(group)
    text = [Entry(group.backbone), Entry(group.experiment)]
    text += [Entry(str(n), n) for n in (group.folds, images, patients)]
    data = []
    for figure in figures:
        mean, deviation = group.mean(figure), group.deviation(figure)
        interval = intervals.get(figure) if not mean.reason else None
        low, high = (interval.low, interval.high) if interval else (NAN, NAN)
        spread = shown(figure, deviation.number)
        words = f"{shown(figure, mean.number)} ± {spread}"
        words += _brackets(figure, low, high)
        text.append(numbered(mean.reason or words, mean.number))
        data.append(
            {
                "validation": group.validation,
                "task": group.task,
                "backbone": group.backbone,
                "experiment": group.experiment,
                "figure": figure,
                "mean": mean.number,
                "sd": deviation.number,
                "low": low,
                "high": high,
                "undefined_resamples": interval.undefined if interval else NAN,
                "folds": group.folds,
                "predictions": predictions,
                "images": images,
                "patients": patients,
                "not_complete": mean.reason,
            }
        )
    return tuple(text), data


def runs(aggregates: Aggregates) -> Table:
    """A row a cell: its state and all test figures of each of its tasks."""
    results = aggregates.results
    values = {
        key: dict(zip(rows["figure"], rows["value"], strict=True))
        for key, rows in results.figures.groupby([*KEYS, "task"], sort=False)
    }
    columns = {task: aggregates.figures_of(task) for task in results.tasks}
    brief = {
        task: [f for f in compared(results.tasks[task]) if f in columns[task]]
        for task in results.tasks
    }
    rows, data = [], []
    for cell in results.cells.itertuples(index=False):
        identity = {name: getattr(cell, name) for name in KEYS}
        row = {**identity, "state": cell.state, "fit": cell.fit, "error": cell.error}
        text = [
            Entry(str(value), value if isinstance(value, int) else None)
            for value in identity.values()
        ]
        text.append(Entry(cell.state))
        for task in results.tasks:
            own = values.get((*identity.values(), task), {})
            fitted = cell.state == FINISHED and own
            intervals = aggregates.intervals_of_fit(cell.fit, task) if fitted else {}
            n = len(results.labelled(cell.fit, task)) if fitted else None
            row[f"{task}/n"] = n
            text.append(Entry("", None) if n is None else Entry(str(n), n))
            for figure in columns[task]:
                value = own.get(figure, NAN)
                interval = intervals.get(figure)
                low, high = (interval.low, interval.high) if interval else (NAN, NAN)
                row[f"{task}/{figure}"] = value
                row[f"{task}/{figure}/low"] = low
                row[f"{task}/{figure}/high"] = high
                if figure in brief[task]:
                    words = shown(figure, value) + _brackets(figure, low, high)
                    text.append(numbered(words if fitted else "", value))
        text.append(Entry(cell.fit))
        rows.append(tuple(text))
        data.append(row)
    table = pd.DataFrame(data)
    counts = {column: "Int64" for column in table if column.endswith("/n")}
    headings = [*KEYS, "state"]
    for task in results.tasks:
        headings.append(f"{task}: n")
        headings += [f"{task}: {heading(figure)}" for figure in brief[task]]
    section = Section("All cells", (*headings, "fit"), rows)
    return Table(
        "runs",
        "Every cell of the grid",
        [section],
        ["All figures are in runs.csv.", _INTERVAL_NOTE],
        table.astype(counts),
    )


def entry(figure: str, value: Value) -> Entry:
    """A value, or the reason why there is none."""
    if value.reason:
        return Entry(value.reason)
    return numbered(shown(figure, value.number), value.number)


def _brackets(figure: str, low: float, high: float) -> str:
    if math.isnan(low):
        return ""
    return f" [{shown(figure, low)}, {shown(figure, high)}]"


def _printed(figure: str, value: float | None) -> Entry:
    return Entry(NO_NUMBER) if value is None else Entry(shown(figure, value), value)


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
