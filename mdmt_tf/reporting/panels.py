"""Colours, axes and counts of finished cells, shared by the plots."""

from matplotlib.figure import Figure

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.metrics.text import in_percent
from mdmt_tf.reporting.drawing import INK
from mdmt_tf.reporting.groups import Group

# Okabe & Ito 2008: distinguishable with any colour vision.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    INK,
)


def panels(count: int, width: float, height: float, most: int = 4, **options):
    """A figure and `count` axes in rows of at most `most`."""
    columns = min(count, most)
    rows = -(-count // columns)
    figure = Figure(
        figsize=(max(columns * width, 5.0), rows * height + 0.4), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count]


def scale(metric: str) -> float:
    """Factor to the unit in which a metric is shown."""
    return 100.0 if in_percent(metric) else 1.0


def finished(groups: list[Group]) -> tuple[int, int]:
    """(finished cells, all cells)."""
    total = sum(len(group.cells) for group in groups)
    return sum(int((g.cells["state"] == FINISHED).sum()) for g in groups), total
