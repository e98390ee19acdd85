"""The plots of an external validation: strata, reliability, confusion, values."""

from collections.abc import Iterator
from functools import partial

import matplotlib
import pandas as pd

from mdmt_tf.marks import start_of_plot
from mdmt_tf.reporting.assessed_calibration import decision_curve, reliability
from mdmt_tf.reporting.assessed_plots import confusion, forest, values, with_classes
from mdmt_tf.reporting.drawing import STYLE, Drawing, render
from mdmt_tf.reporting.external_results import ExternalResults
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.tasks import Task

KINDS = {
    "strata": forest,
    "confusion": confusion,
    "values": values,
}


def draw_all(results: ExternalResults) -> Iterator[Drawing]:
    """Every plot that has something to show, for every task."""
    start = start_of_plot(results.is_synthetic)
    for task in results.tasks:
        rows = labelled_rows(results.table, task)
        if rows.empty:
            continue
        for name, draw in _plots_of(results, task, rows):
            with matplotlib.rc_context(STYLE):
                drawn = draw()
                if drawn is None:
                    continue
                figure, title, caption = drawn
                what = f"{task.title}, {results.dataset}"
                figure.suptitle(f"{start}{title}: {what}")
                yield render(figure, name, f"{start}{what}. {caption}")


def _plots_of(results: ExternalResults, task: Task, rows: pd.DataFrame):
    """Names of plots, and functions that draw them."""
    for kind, draw in KINDS.items():
        yield f"{kind}_{task.name}", partial(draw, results, task, rows)
    for component, _ in with_classes(task, rows):
        name = component.name.replace("/", "_")
        yield f"calibration_{name}", partial(reliability, results, component)
        yield f"decision_{name}", partial(decision_curve, results, task, component)
