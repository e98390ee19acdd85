"""Plots of strata, classes and values of predictions that took no part in a fit.

Each function returns a matplotlib figure, a title and a caption, or None when there is
nothing to draw.
"""

import math

import pandas as pd
from matplotlib.figure import Figure

from mdmt_tf.metrics.table import leading
from mdmt_tf.reporting.assessed import Assessed, numbers
from mdmt_tf.reporting.drawing import INK
from mdmt_tf.reporting.panels import COLOURS, panels, scale
from mdmt_tf.reporting.pooled_plots import draw_confusion
from mdmt_tf.reporting.table_files import heading
from mdmt_tf.runs.predictions import rows_of_components
from mdmt_tf.statistics.strata import SMALL_STRATUM
from mdmt_tf.tasks import Property, Task


def forest(results: Assessed, task: Task, rows: pd.DataFrame):
    """The leading metric of all patients and of each stratum, with intervals."""
    metric, factor = leading(task), scale(leading(task))
    whole = results.of_unit(task)
    found = [("all", whole, whole["patients"] < SMALL_STRATUM)]
    for field, strata in results.assessment[task.name]["strata"].items():
        found += [(f"{field}: {v}", own, own["small"]) for v, own in strata.items()]
    points = [
        (f"{label}  (n = {own['n']})", small, *_numbers(own, metric, factor))
        for label, own, small in found
        if own["n"]
    ]
    defined = [point for point in points if not math.isnan(point[2])]
    if len(defined) < 2:
        return None
    figure = Figure(figsize=(6.4, 1.3 + 0.24 * len(points)), layout="constrained")
    axis = figure.subplots()
    for place, (_, small, value, low, high) in enumerate(points):
        colour = "grey" if small else COLOURS[0]
        if math.isnan(value):
            axis.text(0.01, place, "undefined", transform=axis.get_yaxis_transform())
            continue
        if not math.isnan(low):
            axis.plot([low, high], [place, place], color=colour, linewidth=1.5)
        axis.plot(value, place, "o", color=colour, mfc="none" if small else colour)
    if not math.isnan(points[0][2]):
        axis.axvline(points[0][2], color=INK, linewidth=0.8, linestyle=":")
    axis.set_yticks(range(len(points)), [point[0] for point in points])
    axis.set_ylim(len(points) - 0.5, -0.5)
    axis.set_xlabel(f"{heading(metric)} by {results.unit(task)}")
    axis.grid(axis="x", linewidth=0.3)
    caption = (
        f"{heading(metric)} with its 95 % interval (unit: {results.unit(task)}). Open "
        "grey circles: small strata, which show next to nothing; dotted: all."
    )
    return figure, "Strata", caption


def confusion(results: Assessed, task: Task, rows: pd.DataFrame):
    """True and predicted classes."""
    components = with_classes(task, rows)
    if not components:
        return None
    size = 1.3 + 0.45 * max(component.n_classes for component, _ in components)
    figure, axes = panels(len(components), size + 0.4, size + 0.5)
    for axis, (component, own) in zip(axes, components, strict=True):
        draw_confusion(axis, component, own)
        axis.set_title(f"{component.name}\nn = {len(own)}")
    caption = "Number of images; per cent: fraction of the true class (unit: image)."
    return figure, "Confusion", caption


def values(results: Assessed, task: Task, rows: pd.DataFrame):
    """Predicted against true values."""
    if Property.NUMBER not in task.components[0].properties:
        return None
    figure, (axis,) = panels(1, 4.5, 3.6)
    axis.plot(rows["target"], rows["prediction"], "o", color=COLOURS[0], alpha=0.5)
    ends = [rows[["target", "prediction"]].min().min()]
    ends.append(rows[["target", "prediction"]].max().max())
    axis.plot(ends, ends, color="grey", linewidth=0.8, linestyle=":")
    unit = f" ({task.unit})" if task.unit else ""
    axis.set_xlabel(f"true{unit}")
    axis.set_ylabel(f"predicted{unit}")
    return figure, "Values", f"One point per image (n = {len(rows)}); dotted: equal."


def with_classes(task: Task, rows: pd.DataFrame) -> list[tuple[Task, pd.DataFrame]]:
    """The components with their rows, if the task has classes."""
    if Property.CLASSES not in task.components[0].properties:
        return []
    return [(c, own) for c, own in rows_of_components(rows, task) if len(own)]


def _numbers(own: dict, metric: str, factor: float) -> tuple[float, float, float]:
    return tuple(factor * value for value in numbers(own, metric))
