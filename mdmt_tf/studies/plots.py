"""Plots of a study: gain and AUC over the number of outcomes."""

from collections.abc import Iterator

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from mdmt_tf.reporting.drawing import INK, STYLE, Drawing, render
from mdmt_tf.reporting.panels import COLOURS
from mdmt_tf.studies.design import ARMS

SHIFTS = {
    "none": "same detector",
    "detector": "another detector",
    "shortcut": "projection tied to the outcome",
}
# Lines of each arm in the second plot.
_LINES = {
    "oracle": (INK, ":"),
    "mdmt_direct": (COLOURS[0], "-"),
    "mdmt": (COLOURS[5], "-"),
    "ft": (COLOURS[2], "-"),
    "stl_matched": (COLOURS[4], "--"),
    "stl": (COLOURS[1], "--"),
    "mdmt_null": (COLOURS[3], "-."),
}


def draw_all(gains: pd.DataFrame, primary: str) -> Iterator[Drawing]:
    """The gain of the primary arm, and the AUC of every arm.

    Args:
        gains: of `gains.gains_of`, one mode.
        primary: the arm of the first plot.
    """
    auc = gains[gains["metric"] == "auc"]
    with matplotlib.rc_context(STYLE):
        yield _gain(auc[auc["arm"] == primary], primary)
        yield _arms(auc)


def _grid(rows: pd.DataFrame):
    """A figure with a column per correlation and a row per shift.

    Returns: the figure, and for each panel its axis, its rows, and a label at the left.
    """
    correlations = sorted(rows["correlation"].unique())
    shifts = [shift for shift in SHIFTS if shift in set(rows["shift"])]
    figure = Figure(
        figsize=(2.5 * len(correlations) + 1.6, 2.1 * len(shifts) + 0.9),
        layout="constrained",
    )
    axes = figure.subplots(
        len(shifts), len(correlations), squeeze=False, sharex=True, sharey=True
    )
    ticks, panels = sorted(rows["outcomes"].unique()), []
    for place, shift in enumerate(shifts):
        for column, correlation in enumerate(correlations):
            axis = axes[place][column]
            axis.set_xscale("log")
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.xaxis.set_minor_locator(NullLocator())
            axis.xaxis.set_minor_formatter(NullFormatter())
            if place == 0:
                axis.set_title(f"correlation {correlation:g}")
            if place == len(shifts) - 1:
                axis.set_xlabel("patients with an outcome")
            own = rows[(rows["shift"] == shift) & (rows["correlation"] == correlation)]
            panels.append((axis, own, SHIFTS[shift] if column == 0 else ""))
    return figure, panels


def _gain(rows: pd.DataFrame, primary: str) -> Drawing:
    rows = rows[rows["scores"] > 0]
    figure, panels = _grid(rows)
    sizes = sorted(rows["scores"].unique())
    for axis, own, label in panels:
        axis.axhline(0, color="grey", linewidth=0.8)
        for number, scores in enumerate(sizes):
            line = own[own["scores"] == scores].sort_values("outcomes")
            # Side by side, so that intervals do not hide each other.
            at = line["outcomes"] * 1.06 ** (number - (len(sizes) - 1) / 2)
            axis.errorbar(
                at,
                line["gain"],
                [line["gain"] - line["low"], line["high"] - line["gain"]],
                color=COLOURS[number % len(COLOURS)],
                marker="os^Dv"[number % 5],
                markersize=3.5,
                linewidth=1.2,
                capsize=2,
                label=f"{scores} scores",
            )
        if label:
            axis.set_ylabel(f"{label}\ngain in AUC")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(sizes), frameon=False
    )
    control, few, most = rows["control"].iloc[0], rows["n"].min(), rows["n"].max()
    count = f"{few}" if few == most else f"{few} to {most}"
    caption = (
        f"Gain of {primary} over {control} in test AUC, by the number of outcomes, the "
        "number of scores, the correlation of the two tasks and the shift between the "
        f"datasets. Mean and 95 % interval over {count} independent pairs of datasets."
    )
    return render(figure, "gains", caption)


def _arms(rows: pd.DataFrame) -> Drawing:
    most = rows["scores"].max()
    rows = rows[rows["scores"] == most]
    figure, panels = _grid(rows)
    for axis, own, label in panels:
        for arm, (colour, style) in _LINES.items():
            line = own[own["arm"] == arm].sort_values("outcomes")
            axis.plot(
                line["outcomes"],
                line["mean"],
                color=colour,
                linestyle=style,
                linewidth=1.3,
                marker=".",
                markersize=4,
                label=ARMS[arm],
            )
        if label:
            axis.set_ylabel(f"{label}\nAUC")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8
    )
    caption = (
        f"Mean test AUC of each arm with {most} scores in the second dataset. The "
        "oracle is the best that any model of these images can reach."
    )
    return render(figure, "arms", caption)
