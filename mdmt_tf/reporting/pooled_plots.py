"""Plots of the predictions of all fits of an experiment together."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mdmt_tf.metrics.formulas import confusion_matrix
from mdmt_tf.reporting.aggregates import Aggregates, Group
from mdmt_tf.reporting.panels import COLOURS, finished, panels
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.tasks import Kind, Task

_BINS = 10


def confusion(aggregates: Aggregates, task: Task, validation: str):
    """Counts summed over all fits of an experiment; colours are shares of the row."""
    if task.kind is Kind.REGRESSION:
        return None
    pooled = dict(_pooled(aggregates, task, validation))
    if not pooled:
        return None
    size = 1.3 + 0.45 * task.n_classes
    figure, axes = panels(len(pooled), size + 0.4, size + 0.7)
    for axis, (experiment, (rows, groups)) in zip(axes, pooled.items(), strict=True):
        counts = confusion_matrix(task, rows["target"], rows["prediction"])
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        axis.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            axis.text(
                column,
                row,
                f"{100 * share:.0f} %\n{counts[row, column]}",
                ha="center",
                va="center",
                fontsize=7,
                color="black" if share > 0.5 else "white",
            )
        ticks = range(task.n_classes)
        axis.set_xticks(ticks, task.class_names, rotation=30, ha="right")
        axis.set_yticks(ticks, task.class_names)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true")
        axis.set_title(_pooled_title(experiment, rows, groups))
    caption = (
        "Counts of predictions on the test sets, summed over folds, seeds and "
        "backbones, so an image counts once for each fit that tests it (unit: "
        "prediction, n in the titles); per cent: share of the true class."
    )
    return figure, "Confusion", caption


def _pooled(aggregates: Aggregates, task: Task, validation: str):
    """(experiment, (test rows of all its finished cells, its groups))."""
    for experiment in aggregates.results.experiments_of(task.name, validation):
        groups = aggregates.of(validation, experiment, task.name)
        tests = [rows for group in groups for rows in group.tests]
        if tests:
            yield experiment, (pd.concat(tests, ignore_index=True), groups)


def _pooled_title(experiment: str, rows: pd.DataFrame, groups: list[Group]) -> str:
    done, total = finished(groups)
    cells = f"{total} cells" if done == total else f"{done} of {total} cells"
    return f"{experiment}\nn = {len(rows)}, {cells}"


def calibration(aggregates: Aggregates, task: Task, validation: str):
    """Observed frequency by stated probability, with the size of each bin."""
    if task.kind is Kind.REGRESSION:
        return None
    pooled = dict(_pooled(aggregates, task, validation))
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
    for index, (experiment, (rows, groups)) in enumerate(pooled.items()):
        block, column = divmod(index, columns)
        curve, bars = axes[2 * block, column], axes[2 * block + 1, column]
        stated, observed, counts = reliability(task, rows)
        for axis in (curve, bars):
            axis.set_axis_on()
        curve.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
        curve.plot(
            stated, observed, "o-", color=COLOURS[0], markersize=4, clip_on=False
        )
        curve.set_xlim(0, 1)
        curve.set_ylim(0, 1)
        brier = aggregates.over_backbones(validation, experiment, task.name, "brier")
        score = brier.reason or f"{brier.number:.3f}"
        curve.set_title(_pooled_title(experiment, rows, groups) + f"\nBrier {score}")
        edges = np.linspace(0, 1, _BINS + 1)
        bars.bar(edges[:-1], counts, 1 / _BINS, align="edge", color=COLOURS[5])
        bars.set_ylim(0, None)
        bars.set_xlabel(
            "confidence" if task.n_classes > 2 else f"p({task.class_names[1]})"
        )
        if column == 0:
            curve.set_ylabel("share correct" if task.n_classes > 2 else "observed")
            bars.set_ylabel("n")
    what = (
        "the probability of the most probable class, against how often it is right"
        if task.n_classes > 2
        else f"the probability of {task.class_names[1]}, against its frequency"
    )
    caption = (
        f"Reliability: {what}, in {_BINS} bins of equal width; bars: predictions in "
        "each bin (unit: prediction, pooled over folds, seeds and backbones, n in the "
        "titles). Brier: mean over folds and backbones."
    )
    return figure, "Calibration", caption


def reliability(
    task: Task, rows: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean stated probability, observed frequency and rows of each of 10 equal bins.

    Args:
        task: with two classes the probability is that of the second, else that of the
            most probable class, which is right when it is the target.
        rows: labelled rows with p_0 ...
    Returns: three arrays (10,); NaN in the first two where a bin is empty.
    """
    probabilities = probabilities_of(rows, task)
    targets = rows["target"].to_numpy(int)
    if task.n_classes == 2:
        stated, right = probabilities[:, 1], targets == 1
    else:
        stated = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((stated * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = np.where(counts > 0, counts, np.nan)
    sums = np.bincount(bins, stated, minlength=_BINS)
    return sums / filled, np.bincount(bins, right, minlength=_BINS) / filled, counts
