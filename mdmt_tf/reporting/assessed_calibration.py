"""Calibration of predictions that took no part in a fit: tables and plots."""

from collections.abc import Sequence

import pandas as pd

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.metrics.text import threshold_text, with_interval
from mdmt_tf.reporting.assessed import Assessed, number
from mdmt_tf.reporting.calibration_plots import (
    decision_curve_plot,
    reliability_diagram,
)
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, heading, numbered
from mdmt_tf.runs.predictions import labelled_rows, probabilities_of
from mdmt_tf.statistics.curves import Band, net_benefit_band
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.statistics.operating_points import indistinct
from mdmt_tf.tasks import Task

# Metrics of an operating point -> their heading.
_POINT_METRICS = {
    "sensitivity": "sensitivity (%)",
    "specificity": "specificity (%)",
    "ppv": "PPV (%)",
    "npv": "NPV (%)",
    "fraction_positive": "positive (%)",
}


def calibration_tables(results: Assessed) -> list[Table]:
    """The tables of the tasks that are calibrated; none for earlier runs.

    A task whose probabilities a calibration leaves as they are is not calibrated.
    """
    tables = [_calibration_table(results), _points_table(results)]
    return [table for table in tables if table.sections]


def unusual(results: Assessed) -> list[str]:
    """What is unusual about the calibration of the tasks, as sentences."""
    if results.calibrated is None:
        return []
    components = (own.name for task in results.tasks for own in task.components)
    return [
        results.calibration_notes[name]
        for name in components
        if name in results.calibration_notes
    ]


def _calibration_table(results: Assessed) -> Table:
    sections, data = [], []
    for task in results.tasks:
        own = results.assessment[task.name].get("calibrated")
        if own is None or not any(map(results.is_calibrated, task.components)):
            continue
        by = f"by_{results.unit(task)}"
        both = {"raw": results.assessment[task.name][by], "calibrated": own[by]}
        rows = []
        for metric in both["calibrated"]["metrics"]:
            row = [Entry(heading(metric))]
            for name, found in both.items():
                entry = found["metrics"].get(metric, {})
                value, low, high = (number(entry.get(k)) for k in _ENDS)
                text = with_interval(metric, value, low, high)
                row.append(numbered(text, value))
                facts = {"task": task.name, "metric": metric, "probabilities": name}
                data.append(facts | dict(zip(_ENDS, (value, low, high), strict=True)))
            rows.append((*row, _best(metric)))
        title = f"{task.name}, by {results.unit(task)}"
        headings = ("metric", "raw", "calibrated", "best")
        sections.append(TableSection(title, headings, rows))
    notes = [
        "raw: the probabilities of the model; calibrated: with the temperature and the "
        "prior of the training data. Patients of another place may have another prior, "
        "which shows in the intercept.",
        "ECE: expected calibration error. A slope below 1 says that probabilities are "
        "too extreme; an intercept above 0 says that they are too low.",
        *unusual(results),
    ]
    title = "Calibration: probabilities against what happened"
    return Table("calibration", title, sections, notes, pd.DataFrame(data))


_ENDS = ("value", "low", "high")


def _best(metric: str) -> Entry:
    ideal = METRICS[metric].ideal
    return Entry("0" if ideal is None else f"{ideal:g}")


def _points_table(results: Assessed) -> Table:
    sections, data, notes = [], [], []
    for task in results.tasks:
        found = results.assessment[task.name].get("operating_points", {})
        for component, points in found.items():
            rows = []
            for name, point in points.items():
                threshold = number(point["threshold"])
                row = [Entry(name), numbered(threshold_text(threshold), threshold)]
                facts = {"component": component, "point": name, "threshold": threshold}
                for metric in _POINT_METRICS:
                    entry = point["metrics"].get(metric, {})
                    value, low, high = (number(entry.get(k)) for k in _ENDS)
                    text = with_interval(metric, value, low, high)
                    row.append(numbered(text, value))
                    facts[metric] = value
                    facts |= {f"{metric}/low": low, f"{metric}/high": high}
                rows.append(tuple(row))
                data.append(facts)
            notes += indistinct(component, points)
            headings = ("point", "threshold", *_POINT_METRICS.values())
            sections.append(TableSection(f"{component}, by image", headings, rows))
    notes = [
        "Thresholds of the calibrated probability, chosen on the validation split of "
        "the training data" + (", mean of the runs." if results.models > 1 else "."),
        "youden: largest sensitivity + specificity there; the others reached the "
        "stated value there. positive: fraction of the images at or above the "
        "threshold.",
        *notes,
        *unusual(results),
    ]
    title = "Operating points: thresholds chosen before"
    return Table("operating_points", title, sections, notes, pd.DataFrame(data))


def reliability(results: Assessed, component: Task):
    """Observed frequency by probability, raw and calibrated."""
    tables = {"raw": results.table}
    if results.is_calibrated(component):
        tables["calibrated"] = results.calibrated
    return reliability_diagram(component, tables)


def decision_curve(
    results: Assessed, task: Task, component: Task, resamples: int = RESAMPLES
):
    """Net benefit by threshold; None for a component without a decision curve."""
    own = results.assessment[task.name]
    curve = own.get("decision_curve", {}).get(component.name)
    if curve is None:
        return None
    points = own.get("operating_points", {}).get(component.name, {})
    thresholds = {
        name: point["threshold"]
        for name, point in points.items()
        if point["threshold"] is not None
    }
    band = net_benefit_of(results.calibrated, component, curve["threshold"], resamples)
    return decision_curve_plot(
        component,
        curve,
        thresholds,
        band,
        are_calibrated=results.is_calibrated(component),
    )


def net_benefit_of(
    table: pd.DataFrame, component: Task, thresholds: Sequence[float], resamples: int
) -> Band:
    """The band of the net benefit of a component with two classes, by image."""
    rows = labelled_rows(table, component)
    chances = probabilities_of(rows, component)[:, 1]
    positive = rows["target"].to_numpy() == 1
    return net_benefit_band(rows, positive, chances, thresholds, resamples=resamples)
