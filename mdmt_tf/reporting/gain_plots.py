"""The plot of gains against the number of training labels."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mdmt_tf.metrics.table import leading
from mdmt_tf.metrics.text import in_percent
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.drawing import INK
from mdmt_tf.reporting.gains import Gain, gains_of
from mdmt_tf.reporting.panels import COLOURS, panels, scale
from mdmt_tf.reporting.table_files import plain_heading
from mdmt_tf.tasks import Task

# Largest over least number of labels from which the axis is logarithmic.
_WIDE = 20


def gains(aggregates: Aggregates, task: Task, validation: str):
    """Difference with its interval by the number of labels, one line per comparison."""
    if not aggregates.results.benchmark.fractions:
        return None
    metric = leading(task)
    points = [
        gain
        for gain in gains_of(aggregates, task, validation)
        if not np.isnan(gain.differences[metric].value) and not np.isnan(gain.labels)
    ]
    if not points:
        return None
    places = list(dict.fromkeys((gain.varied, gain.rest) for gain in points))
    lines = list(dict.fromkeys(_label(gain) for gain in points))
    figure, axes = panels(len(places), 3.6, 2.9, most=3, sharey=True)
    for axis, (varied, rest) in zip(axes, places, strict=True):
        own = [gain for gain in points if (gain.varied, gain.rest) == (varied, rest)]
        _draw(axis, own, lines, metric)
        axis.axhline(0, color=INK, linewidth=0.8)
        axis.set_title(rest)
        is_task = varied in aggregates.results.tasks
        unit = "patients with a label of" if is_task else "training patients of"
        axis.set_xlabel(f"{unit} {varied}")
        axis.grid(axis="y", linewidth=0.3)
    unit = " (points)" if in_percent(metric) else ""
    for axis in axes[::3]:
        axis.set_ylabel(f"gain in {plain_heading(metric)}{unit}")
    handles = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=2
    )
    caption = (
        f"Gain in {plain_heading(metric)} against the number of patients with a "
        "training label, or of training patients of a dataset (mean over folds). Bars: "
        "95 % interval of the primary comparison; a point without a bar has none."
    )
    return figure, "Gain by the number of labels", caption


def _draw(axis, points: Sequence[Gain], lines: Sequence[str], metric: str) -> None:
    """The curves of a panel."""
    widest = max(gain.labels for gain in points)
    least = min((gain.labels for gain in points if gain.labels), default=widest)
    # Numbers of images over powers of ten would be one spot and a few points.
    is_wide = widest > _WIDE * least
    if is_wide:
        axis.set_xscale("symlog", linthresh=least)
    for place, line in enumerate(lines):
        curve = [gain for gain in points if _label(gain) == line]
        if not curve:
            continue
        # Moved a little, so that intervals do not hide each other.
        step = place - (len(lines) - 1) / 2
        at = np.array([gain.labels for gain in curve])
        at = at * 1.05**step if is_wide else at + step * 0.015 * widest
        found = [gain.differences[metric] for gain in curve]
        values = np.array([d.value for d in found]) * scale(metric)
        ends = np.array([[d.low, d.high] for d in found]).T * scale(metric)
        axis.errorbar(
            at,
            values,
            yerr=np.nan_to_num(np.abs(ends - values)),
            color=COLOURS[place % len(COLOURS)],
            marker="o",
            markersize=4,
            linewidth=1,
            capsize=2,
            label=line,
        )


def _label(gain: Gain) -> str:
    """What is compared, without the fractions of the other tasks, see the titles."""
    return dataclasses.replace(gain, rest="").line
