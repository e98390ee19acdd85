"""Plots of the predictions of all fits of an experiment together."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mdmt_tf.metrics.rows import confusion_matrix
from mdmt_tf.metrics.text import plural
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.panels import COLOURS, finished, panels
from mdmt_tf.runs.predictions import probabilities_of, rows_of_components
from mdmt_tf.tasks import Property, Task

_BINS = 10


def confusion(aggregates: Aggregates, task: Task, validation: str):
    """Counts summed over all fits of an experiment; colours are fractions of a row."""
    pooled = _pooled(aggregates, task, validation)
    if not pooled:
        return None
    size = 1.3 + 0.45 * max(panel.component.n_classes for panel in pooled)
    figure, axes = panels(len(pooled), size + 0.4, size + 0.7)
    for axis, panel in zip(axes, pooled, strict=True):
        draw_confusion(axis, panel.component, panel.rows)
        axis.set_title(panel.title)
    caption = (
        f"Counts of predictions on the {aggregates.results.split} sets, summed over "
        "folds, seeds and backbones, so an image counts once for each fit (unit: "
        "prediction, n in the titles); per cent: fraction of the true class."
    )
    return figure, "Confusion", caption


def draw_confusion(axis, component: Task, rows: pd.DataFrame) -> None:
    """Draw counts, with colours by the fraction of the true class."""
    names = component.class_names
    counts = confusion_matrix(component, rows["target"], rows["prediction"])
    totals = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axis.imshow(fractions, cmap="cividis", vmin=0, vmax=1)
    for (row, column), fraction in np.ndenumerate(fractions):
        axis.text(
            column,
            row,
            f"{100 * fraction:.0f} %\n{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if fraction > 0.5 else "white",
        )
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Panel:
    """Rows of all finished cells of an experiment, for one component of a task."""

    component: Task
    experiment: str
    title: str
    rows: pd.DataFrame


def _pooled(aggregates: Aggregates, task: Task, validation: str) -> list[_Panel]:
    """One panel per experiment and component; no panel for a task without classes."""
    panels_found = []
    if Property.CLASSES not in task.components[0].properties:
        return []
    for experiment in aggregates.results.experiments_of(
        task.name, validation, with_fractions=False
    ):
        groups = aggregates.of(validation, experiment, task.name)
        labelled = [rows for group in groups for rows in group.rows]
        if not labelled:
            continue
        done, total = finished(groups)
        cells = (
            plural(total, "cell")
            if done == total
            else f"{done} of {plural(total, 'cell')}"
        )
        pooled = pd.concat(labelled, ignore_index=True)
        for component, rows in rows_of_components(pooled, task):
            name = (
                experiment if component is task else f"{experiment}, {component.name}"
            )
            panels_found.append(
                _Panel(
                    component=component,
                    experiment=experiment,
                    title=f"{name}\nn = {len(rows)}, {cells}",
                    rows=rows,
                )
            )
    return panels_found


def calibration(aggregates: Aggregates, task: Task, validation: str):
    """Observed frequency by predicted probability, with the size of each bin."""
    pooled = _pooled(aggregates, task, validation)
    if not pooled:
        return None
    columns = min(len(pooled), 4)
    blocks = -(-len(pooled) // columns)
    figure = Figure(
        figsize=(max(2.5 * columns, 5.0), 3.3 * blocks + 0.4), layout="constrained"
    )
    axes = figure.subplots(
        2 * blocks,
        columns,
        squeeze=False,
        sharex=True,
        height_ratios=[3, 1] * blocks,
    )
    for axis in axes.ravel():
        axis.set_axis_off()
    for index, panel in enumerate(pooled):
        block, column = divmod(index, columns)
        curve, bars = axes[2 * block, column], axes[2 * block + 1, column]
        draw_reliability(curve, bars, panel.component, panel.rows, column == 0)
        curve.set_title(panel.title + _brier(aggregates, task, validation, panel))
    component, several = panel.component, panel.component.n_classes > 2
    what = (
        "the probability of the most probable class, against how often it is right"
        if several
        else f"the probability of {component.class_names[1]}, against its frequency"
    )
    caption = (
        f"Reliability: {what}, in {_BINS} bins of equal width; bars: predictions in "
        "each bin (unit: prediction, pooled over folds, seeds and backbones, n in the "
        "titles). Brier: mean over folds and backbones."
    )
    return figure, "Calibration", caption


def draw_reliability(
    curve, bars, component: Task, rows: pd.DataFrame, with_labels: bool
) -> None:
    """Draw a reliability curve, and below it the size of its bins."""
    several = component.n_classes > 2
    stated, observed, counts = reliability(component, rows)
    for axis in (curve, bars):
        axis.set_axis_on()
    curve.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    curve.plot(stated, observed, "o-", color=COLOURS[0], markersize=4, clip_on=False)
    curve.set_xlim(0, 1)
    curve.set_ylim(0, 1)
    edges = np.linspace(0, 1, _BINS + 1)
    bars.bar(edges[:-1], counts, 1 / _BINS, align="edge", color=COLOURS[5])
    bars.set_ylim(0, None)
    bars.set_xlabel("confidence" if several else f"p({component.class_names[1]})")
    if with_labels:
        curve.set_ylabel("fraction correct" if several else "observed")
        bars.set_ylabel("n")


def _brier(aggregates, task, validation, panel: _Panel) -> str:
    """A title line; empty for one of several components, which has no Brier score."""
    if panel.component is not task:
        return ""
    brier = aggregates.over_backbones(validation, panel.experiment, task.name, "brier")
    return f"\nBrier {brier.reason or f'{brier.number:.3f}'}"


def reliability(
    component: Task, rows: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean predicted probability, observed frequency and rows in 10 equal bins.

    Args:
        component: with two classes, the probability is that of the second class. With
            more, it is that of the most probable class, which is correct when it is the
            target.
        rows: labelled rows with p_0 ...
    Returns: three arrays (10,); NaN in the first two where a bin is empty.
    """
    probabilities = probabilities_of(rows, component)[:, : component.n_classes]
    targets = rows["target"].to_numpy(int)
    if component.n_classes == 2:
        stated, right = probabilities[:, 1], targets == 1
    else:
        stated = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((stated * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = np.where(counts > 0, counts, np.nan)
    sums = np.bincount(bins, stated, minlength=_BINS)
    return sums / filled, np.bincount(bins, right, minlength=_BINS) / filled, counts
