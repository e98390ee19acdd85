"""Reliability diagram and decision curve of one component of a task.

Each function returns a matplotlib figure, a title and a caption, as those of `plots`,
or None when there is nothing to draw.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mdmt_tf.metrics.calibration import equal_mass_bins
from mdmt_tf.metrics.rows import BINS
from mdmt_tf.metrics.text import threshold_text
from mdmt_tf.reporting.drawing import INK
from mdmt_tf.reporting.panels import COLOURS
from mdmt_tf.runs.predictions import probabilities_of
from mdmt_tf.statistics.curves import Band
from mdmt_tf.tasks import Task

# Bars of the histogram of predicted probabilities.
_BARS = 20
# Rates of one in so many and more are drawn in a decision curve.
_LARGEST_LOSS = 0.05


def reliability_diagram(component: Task, tables: Mapping[str, pd.DataFrame]):
    """Observed frequency by predicted probability, in bins of equal mass.

    Args:
        component: with two classes, the probability is that of the second class. With
            more, each class is a curve against the rest, and only the first table is
            drawn.
        tables: name, such as "raw" or "calibrated" -> rows in the columns of
            `predictions.csv`; rows without a label do not count.
    Returns: (figure, title, caption), or None without labelled rows.
    """
    curves = _curves(component, tables)
    if not curves:
        return None
    figure = Figure(figsize=(4.2, 4.8), layout="constrained")
    axis, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    for index, (name, (score, positive)) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        predicted, observed, low, high = equal_mass_bins(score, positive)
        axis.errorbar(
            predicted,
            observed,
            yerr=[observed - low, high - observed],
            fmt="o-",
            color=colour,
            markersize=4,
            linewidth=1,
            elinewidth=0.8,
            label=f"{name} (n = {len(score)})",
            clip_on=False,
        )
        below.hist(score, np.linspace(0, 1, _BARS + 1), histtype="step", color=colour)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_ylabel("observed frequency")
    # Curves may be anywhere in the square.
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=7)
    below.set_ylabel("n")
    several = component.n_classes > 2
    below.set_xlabel(
        "predicted probability of a class"
        if several
        else f"predicted probability of {component.class_names[1]}"
    )
    caption = (
        f"Reliability in {BINS} bins of equal mass (unit: image, n in the legend); "
        "bars: 95 % intervals of Wilson of the observed frequency in a bin, which take "
        "the images of a patient as independent; below: predicted probabilities."
    )
    return figure, "Reliability", caption


def _curves(component, tables) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Scores and truth of each curve."""
    curves = {}
    for name, table in tables.items():
        rows = table[(table["task"] == component.name) & table["target"].notna()]
        if not len(rows):
            continue
        chances, targets = probabilities_of(rows, component), rows["target"].to_numpy()
        if component.n_classes == 2:
            curves[name] = chances[:, 1], targets == 1
            continue
        return {
            label: (chances[:, index], targets == index)
            for index, label in enumerate(component.class_names)
        }
    return curves


def decision_curve_plot(
    component: Task,
    curve: Mapping[str, Sequence[float]],
    points: Mapping[str, float],
    band: Band | None = None,
    *,
    are_calibrated: bool = True,
):
    """Net benefit by threshold, of the model and of treating all or none.

    Args:
        component: a task with two classes.
        curve: its result of `mdmt_tf.statistics.operating_points.decision_curve`.
        points: name -> threshold, drawn as marks.
        band: of the model, see `mdmt_tf.statistics.curves.net_benefit_band`.
        are_calibrated: whether the probabilities are calibrated.
    Returns: (figure, title, caption), or None without rows.
    """
    if not curve or not curve["n"]:
        return None
    threshold = np.asarray(curve["threshold"])
    model, everyone = np.asarray(curve["model"]), np.asarray(curve["treat_all"])
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axis = figure.subplots()
    if band is not None and not band.reason:
        axis.fill_between(
            band.at, band.low, band.high, color=COLOURS[0], alpha=0.2, linewidth=0
        )
    axis.plot(threshold, model, color=COLOURS[0], linewidth=1.6, label="model")
    axis.plot(threshold, everyone, color=COLOURS[4], linewidth=1, label="treat all")
    axis.plot(
        threshold,
        curve["treat_none"],
        color=INK,
        linewidth=1,
        linestyle="--",
        label="treat none",
    )
    for index, (name, at) in enumerate(points.items()):
        nearest = int(np.abs(threshold - at).argmin())
        axis.plot(
            at,
            model[nearest],
            "os^Dv"[index % 5],
            color=COLOURS[0],
            markersize=6,
            label=f"{name} ({threshold_text(at)})",
        )
    axis.set_xlim(0, 1)
    largest = max(float(model.max()), float(everyone.max()), _LARGEST_LOSS)
    # Treating all loses without limit; a little of it shows the crossing.
    axis.set_ylim(-max(_LARGEST_LOSS, largest / 4), 1.08 * largest)
    axis.set_xlabel(f"threshold probability of {component.class_names[1]}")
    axis.set_ylabel("net benefit")
    axis.grid(linewidth=0.3)
    axis.legend(loc="upper right", fontsize=7)
    which = "calibrated" if are_calibrated else "raw"
    caption = (
        f"Net benefit of the {which} probabilities (unit: image, n = {curve['n']}; "
        "Vickers and Elkin 2006): true positives minus false positives weighted by the "
        "odds of the threshold, per image. The model is of use at the thresholds where "
        "it lies above both treat all and treat none."
    )
    if band is not None and not band.reason:
        caption += " Band: pointwise 95 % interval from resampling patients."
    if points:
        caption += " Marks: operating points that were chosen on the validation split."
    return figure, "Decision curve", caption
