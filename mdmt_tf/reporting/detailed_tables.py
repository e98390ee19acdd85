"""Table S1 and the table of all cells."""

import itertools
import math

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.grid import CELL_KEYS
from mdmt_tf.metrics.layout import blocks_of
from mdmt_tf.metrics.table import METRICS, compared
from mdmt_tf.metrics.text import shown_alike, with_interval
from mdmt_tf.reporting import effort
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.groups import NAN, Group, Unit
from mdmt_tf.reporting.headings import task_by, title_of
from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    titled,
)
from mdmt_tf.statistics.interval import Interval

_INTERVAL_NOTE = (
    "[low, high]: 95 % interval of the mean over folds, by resampling patients: of the "
    "metric that the method has on other patients, with models that are fitted to "
    "training sets of this size. It does not cover other backbones. “not estimable”: "
    "too few patients, or too few of a class, for an interval that holds; the CSV file "
    "says why."
)
_FIT_NOTE = (
    "[low, high]: 95 % interval of the metric of this fitted model on other patients, "
    "by resampling patients; empty where it is not estimable."
)


# Metrics in one block of Table S1.
_MOST = 8


def table_s1(aggregates: Aggregates) -> Table:
    """Every backbone and experiment: mean, std and interval of every metric."""
    results = aggregates.results
    sections, data, left_out = [], [], set()
    for task in results.tasks:
        metrics = aggregates.metrics_of(task)
        # If nothing is finished, there are no metrics: one block without columns.
        blocks = blocks_of([m for m in metrics if m in METRICS], most=_MOST)
        left_out |= set(metrics).difference(METRICS)
        for validation, unit in itertools.product(
            aggregates.validations_of(task), aggregates.units(task)
        ):
            rows: list[tuple[list[Entry], dict[str, Entry]]] = []
            for experiment in results.experiments_of(task, validation):
                for group in aggregates.of(validation, experiment, task, unit):
                    head, entries, numbers = _group_rows(aggregates, group, metrics)
                    rows.append((head, entries))
                    data += numbers
            headings = ["backbone", "experiment", "folds", "images", "patients"]
            headings += effort.HEADINGS if results.efforts else ()
            title = (
                f"{task_by(aggregates, task, unit)}, {title_of(results, validation)}"
            )
            sections += [
                TableSection(
                    titled(title, number, len(blocks)),
                    (*headings, *map(heading, block)),
                    [(*head, *(entries[f] for f in block)) for head, entries in rows],
                    keys=2,
                )
                for number, block in enumerate(blocks)
            ]
    notes = [
        "Mean over folds ± standard deviation over folds (n − 1)"
        + (
            ", the latter averaged over seeds"
            if len(results.benchmark.seeds) > 1
            else ""
        )
        + ".",
        _INTERVAL_NOTE,
        f"images, patients: distinct ones among the labelled {results.split} rows.",
    ]
    if left_out:
        names = ", ".join(sorted(left_out))
        notes.append(f"Only in table_s1.csv: {names}.")
    return Table(
        "table_s1",
        "Table S1: every backbone and experiment",
        sections,
        notes,
        pd.DataFrame(data),
    )


def _group_rows(aggregates: Aggregates, group: Group, metrics: list[str]):
    """The head and the metrics of a shown row; data rows, one per metric."""
    predictions, images, patients = group.count()
    intervals = aggregates.intervals(group)
    head = [Entry(group.backbone), Entry(group.experiment)]
    head += [Entry(str(n), n) for n in (group.folds, images, patients)]
    own = effort.effort_of(
        aggregates.results, group.validation, group.experiment, group.backbone
    )
    if aggregates.results.efforts:
        head += effort.entries(own)
    entries, data = {}, []
    for metric in metrics:
        mean, std = group.mean(metric), group.std(metric)
        interval = intervals.get(metric) if not mean.reason else None
        low, high = (interval.low, interval.high) if interval else (NAN, NAN)
        numbers = (mean.number, std.number, low, high)
        text, spread, *ends = shown_alike(metric, *numbers)
        words = f"{text} ± {spread}"
        if not math.isnan(low):
            words += f" [{', '.join(ends)}]"
        if interval is not None and interval.reason:
            words += " [not estimable]"
        entries[metric] = numbered(mean.reason or words, mean.number)
        data.append(
            {
                "validation": group.validation,
                "task": group.task,
                "unit": group.unit,
                "backbone": group.backbone,
                "experiment": group.experiment,
                "figure": metric,
                "mean": mean.number,
                "sd": std.number,
                "low": low,
                "high": high,
                "not_estimable": interval.reason if interval else "",
                "undefined_resamples": interval.undefined if interval else NAN,
                "undefined_by_fold": _by_fold(interval),
                "folds": group.folds,
                "predictions": predictions,
                "images": images,
                "patients": patients,
                **effort.numbers(own),
                "not_complete": mean.reason,
            }
        )
    return head, entries, data


def runs(aggregates: Aggregates) -> Table:
    """One row per cell and task: its state and metrics; all of them in the data."""
    results = aggregates.results
    values = {
        key: dict(zip(rows["figure"], rows["value"], strict=True))
        for key, rows in aggregates.metrics.groupby([*CELL_KEYS, "task"], sort=False)
    }
    units = {task: aggregates.units(task)[0] for task in results.tasks}
    columns = {task: aggregates.metrics_of(task) for task in results.tasks}
    brief = {
        task: [f for f in compared(results.tasks[task]) if f in columns[task]]
        for task in results.tasks
    }
    here = {
        (task, validation): results.experiments_of(task, validation)
        for task in results.tasks
        for validation in results.benchmark.cross_validation
    }
    rows: dict[str, list[tuple[Entry, ...]]] = {task: [] for task in results.tasks}
    data = []
    for cell in results.cells.itertuples(index=False):
        identity = {name: getattr(cell, name) for name in CELL_KEYS}
        row = {**identity, "state": cell.state, "fit": cell.fit, "error": cell.error}
        names = [
            Entry(str(value), value if isinstance(value, int) else None)
            for value in identity.values()
        ]
        for task in results.tasks:
            text = [*names, Entry(cell.state)]
            own = values.get((*identity.values(), task), {})
            fitted = cell.state == FINISHED and own
            intervals, n = {}, None
            if fitted:
                intervals = aggregates.intervals_of_fit(cell.fit, task, units[task])
                n = len(aggregates.rows_of_fit(cell.fit, task, units[task]))
            row[f"{task}/n"] = n
            text.append(Entry("", None) if n is None else Entry(str(n), n))
            for metric in columns[task]:
                value = own.get(metric, NAN)
                interval = intervals.get(metric)
                low, high = (interval.low, interval.high) if interval else (NAN, NAN)
                row[f"{task}/{metric}"] = value
                row[f"{task}/{metric}/low"] = low
                row[f"{task}/{metric}/high"] = high
                if metric in brief[task]:
                    words = with_interval(metric, value, low, high)
                    text.append(numbered(words if fitted else "", value))
            if cell.experiment in here[task, cell.validation]:
                rows[task].append((*text, Entry(cell.fit)))
        data.append(row)
    table = pd.DataFrame(data)
    counts = {column: "Int64" for column in table if column.endswith("/n")}
    sections = []
    for task in results.tasks:
        count = "patients" if units[task] == "patient" else "n"
        headings = (*CELL_KEYS, "state", count, *map(heading, brief[task]), "fit")
        title = f"All cells with {task}"
        sections.append(TableSection(title, headings, rows[task], keys=len(CELL_KEYS)))
    return Table(
        "runs",
        "Every cell of the grid",
        sections,
        ["All metrics are in runs.csv.", *_units_note(units), _FIT_NOTE],
        table.astype(counts),
    )


def _by_fold(interval: Interval | None) -> str:
    """Undefined resamples of each fold in per cent; "" where there are none."""
    if interval is None or not any(interval.undefined_by_fold):
        return ""
    return " ".join(f"{100 * own:.0f}" for own in interval.undefined_by_fold)


def _units_note(units: dict[str, Unit]) -> list[str]:
    by_patient = [task for task, unit in units.items() if unit == "patient"]
    if not by_patient:
        return []
    return [
        f"By patient: {', '.join(by_patient)}; by image, see metrics.json of a run."
    ]
