"""ROC and precision-recall curves of one component of a task, with bands.

Each function returns a matplotlib figure, a title and a caption, or None when there is
nothing to draw.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.metrics.text import with_interval
from mdmt_tf.reporting.assessed import numbers
from mdmt_tf.reporting.panels import COLOURS, panels
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.statistics.assessment import entry
from mdmt_tf.statistics.curves import Curve, precision_recall_curve, roc_curve
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.statistics.resampling import bootstrap_intervals
from mdmt_tf.tasks import Task, one_against_others

_AREAS = ("auc", "pr_auc")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClassCurves:
    """The curves of one class against all others.

    Attributes:
        name: of the class.
        n, positive: rows, and rows of the class.
        metrics: "auc" and "pr_auc" -> {"value", "low", "high"}, see `assess`.
        roc, precision_recall: the curves.
    """

    name: str
    n: int
    positive: int
    metrics: Mapping[str, Mapping[str, float]]
    roc: Curve
    precision_recall: Curve


def class_curves(
    component: Task,
    rows: pd.DataFrame,
    *,
    resamples: int = RESAMPLES,
    known: Mapping[str, Mapping[str, float]] | None = None,
) -> list[ClassCurves]:
    """The curves of the positive class of two, or of each of several.

    Args:
        component: with classes.
        rows: its labelled rows, in the columns of `predictions.csv` or of `by_patient`.
        resamples: number of resamples of patients; 0: no bands and no intervals.
        known: metrics of the rows, with intervals, that are not computed again; used
            for two classes.
    Returns: none without rows.
    """
    if rows.empty:
        return []
    chances, targets = probabilities_of(rows, component), rows["target"].to_numpy()
    found = []
    for index in [1] if component.n_classes == 2 else range(component.n_classes):
        score, positive = chances[:, index], targets == index
        options = {"resamples": resamples}
        own = known if component.n_classes == 2 else None
        found.append(
            ClassCurves(
                name=component.class_names[index],
                n=len(rows),
                positive=int(positive.sum()),
                metrics=own or _areas(rows, positive, score, resamples),
                roc=roc_curve(rows, positive, score, **options),
                precision_recall=precision_recall_curve(
                    rows, positive, score, **options
                ),
            )
        )
    return found


def _areas(rows, positive, score, resamples: int) -> dict[str, dict[str, float]]:
    """AUC and PR-AUC of a class against the others, as `assess` has them."""
    two = one_against_others()
    chances = np.stack([1 - score, score], axis=1)
    values = task_metrics(two, positive.astype(int), chances)
    nothing = {"low": math.nan, "high": math.nan}
    if not resamples:
        return {name: {"value": values[name], **nothing} for name in _AREAS}
    own = pd.DataFrame(
        {
            "dataset": rows["dataset"].to_numpy(),
            "patient_id": rows["patient_id"].to_numpy(),
            "target": positive.astype(float),
            "prediction": two.prediction(chances),
            "p_0": chances[:, 0],
            "p_1": chances[:, 1],
        }
    )
    intervals = bootstrap_intervals(two, [own], resamples=resamples)
    return {name: entry(values[name], intervals[name]) for name in _AREAS}


def curves_plot(component: Task, curves: Sequence[ClassCurves], unit: str):
    """ROC above precision-recall curves, a column for each class.

    Args:
        component: a task.
        curves: see `class_curves`.
        unit: "patient" or "image", what a row is.
    Returns: (figure, title, caption), or None where no class can be told from others.
    """
    drawn = [own for own in curves if len(own.roc.x)]
    if not drawn:
        return None
    if len(drawn) == 1:
        figure, axes = panels(2, 3.1, 3.2)
        pairs = [axes]
    else:
        columns = min(len(drawn), 4)
        blocks = -(-len(drawn) // columns)
        figure, axes = panels(2 * blocks * columns, 2.5, 2.7, most=columns)
        grid = np.reshape(axes, (blocks, 2, columns))
        places = [(block, column) for block in grid for column in range(columns)]
        pairs = [block[:, column] for block, column in places]
        for unused in pairs[len(drawn) :]:
            for axis in unused:
                axis.set_axis_off()
    for index, (own, (above, below)) in enumerate(zip(drawn, pairs, strict=False)):
        colour = COLOURS[index % len(COLOURS)]
        draw_roc(above, own, colour)
        draw_precision_recall(below, own, colour)
    against = "" if component.n_classes == 2 else ", each class against all others"
    bands = [own.roc.band.reason for own in drawn]
    band = "Bands: pointwise 95 % intervals from resampling patients"
    if any(bands):
        without = [own.name for own in drawn if own.roc.band.reason]
        band = (
            f"No bands ({bands[0]})"
            if all(bands)
            else f"{band}; none for {', '.join(without)}"
        )
    caption = (
        f"ROC and precision-recall curves{against} (unit: {unit}, n = {drawn[0].n}). "
        f"{band}. Dotted: no information; in the precision-recall curve, this is the "
        "fraction of the class."
    )
    left_out = [own.name for own in curves if not len(own.roc.x)]
    if left_out:
        caption += f" Without a curve, as there is no row to compare: {left_out[0]}"
        caption += "".join(f", {name}" for name in left_out[1:]) + "."
    return figure, "ROC and precision-recall", caption


def draw_roc(axis, own: ClassCurves, colour: str) -> None:
    """Draw a ROC curve with its band."""
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    _draw_band(axis, own.roc, colour)
    axis.plot(own.roc.x, own.roc.y, color=colour, linewidth=1.5, clip_on=False)
    axis.set_xlabel("1 - specificity")
    axis.set_ylabel("sensitivity")
    axis.set_title(
        f"{own.name} ({own.positive} of {own.n})\n{_area('AUC', own, 'auc')}"
    )
    _square(axis)


def draw_precision_recall(axis, own: ClassCurves, colour: str) -> None:
    """Draw a precision-recall curve with its band, in steps as the area has them."""
    axis.axhline(own.positive / own.n, color="grey", linewidth=0.8, linestyle=":")
    _draw_band(axis, own.precision_recall, colour, step="pre")
    curve = own.precision_recall
    axis.plot(
        np.r_[0, curve.x],
        np.r_[curve.y[:1], curve.y],
        color=colour,
        linewidth=1.5,
        drawstyle="steps-pre",
        clip_on=False,
    )
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.set_title(_area("PR-AUC", own, "pr_auc"))
    _square(axis)


def _draw_band(axis, curve: Curve, colour: str, step: str | None = None) -> None:
    band = curve.band
    if not band.reason:
        axis.fill_between(
            band.at,
            band.low,
            band.high,
            color=colour,
            alpha=0.2,
            linewidth=0,
            step=step,
        )


def _area(title: str, own: ClassCurves, metric: str) -> str:
    value, low, high = numbers({"metrics": own.metrics}, metric)
    return f"{title} {with_interval(metric, value, low, high)}"


def _square(axis) -> None:
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_aspect("equal")
    axis.grid(linewidth=0.3)
