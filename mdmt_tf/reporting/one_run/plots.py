"""The plots of one task of a run, and its learning curves."""

from functools import partial

import matplotlib
import pandas as pd

from mdmt_tf.marks import start_of_plot
from mdmt_tf.metrics.table import METRICS, leading
from mdmt_tf.reporting import assessed_calibration
from mdmt_tf.reporting.assessed_plots import confusion, forest, values, with_classes
from mdmt_tf.reporting.calibration_plots import decision_curve_plot
from mdmt_tf.reporting.curve_plots import class_curves, curves_plot
from mdmt_tf.reporting.drawing import STYLE, Drawing, render
from mdmt_tf.reporting.one_run.results import RunResults
from mdmt_tf.reporting.panels import COLOURS, panels, scale
from mdmt_tf.reporting.table_files import heading
from mdmt_tf.runs.kept_epoch import kept_epoch
from mdmt_tf.runs.patients import by_patient, labelled
from mdmt_tf.runs.predictions import labelled_rows, rows_of_components
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.operating_points import decision_curve
from mdmt_tf.tasks import Answer, Task


def draw_task(results: RunResults, task: Answer) -> dict[str, list[Drawing]]:
    """The plots of a task by what they show; lists without a plot are left out.

    Returns: discrimination, calibration, strata -> plots.
    """
    rows = labelled_rows(results.table, task)
    if rows.empty:
        return {}
    what = f"{task.title}, {results.split}"
    return _drawn(results, what, _plots_of(results, task, rows))


def draw_learning(results: RunResults) -> list[Drawing]:
    """Learning curves of the tasks, in their order; tasks without any are left out."""
    if results.history is None:
        return []
    found = []
    for task in results.tasks:
        draw = partial(learning_curves, results, task)
        plots = {"learning": [(f"learning_{task.name}", draw)]}
        found += _drawn(results, task.name, plots).get("learning", [])
    return found


def _drawn(results: RunResults, what: str, plots) -> dict[str, list[Drawing]]:
    start = start_of_plot(results.is_synthetic)
    found = {}
    for part, of_part in plots.items():
        for name, draw in of_part:
            with matplotlib.rc_context(STYLE):
                drawn = draw()
                if drawn is None:
                    continue
                figure, title, caption = drawn
                figure.suptitle(f"{start}{title}: {what}")
                drawing = render(figure, name, f"{start}{what}. {caption}")
                found.setdefault(part, []).append(drawing)
    return found


def _plots_of(results: RunResults, task: Answer, rows: pd.DataFrame):
    """part -> names of plots, and functions that draw them."""
    components = [
        (component.name.replace("/", "_"), component)
        for component, _ in with_classes(task, rows)
    ]
    return {
        "discrimination": [
            *(
                (f"curves_{name}", partial(curves, results, task, component))
                for name, component in components
            ),
            (f"confusion_{task.name}", partial(confusion, results, task, rows)),
            (f"values_{task.name}", partial(values, results, task, rows)),
        ],
        "calibration": [
            (f"{kind}_{name}", partial(draw, component))
            for name, component in components
            for kind, draw in (
                (
                    "calibration",
                    partial(assessed_calibration.reliability, results),
                ),
                ("decision", partial(decision, results, task)),
            )
        ],
        "strata": [(f"strata_{task.name}", partial(forest, results, task, rows))],
    }


def curves(results: RunResults, task: Answer, component: Task):
    """ROC and precision-recall curves, by what the task is judged by."""
    rows, unit = labelled_rows(results.table, task), results.unit(task)
    if unit == "patient":
        rows = labelled(by_patient(rows, task))
    of_component = {one.name: own for one, own in rows_of_components(rows, task)}
    own = of_component[component.name]
    # A task with several components has the means of their metrics.
    known = results.of_unit(task)["metrics"] if len(task.components) == 1 else None
    found = class_curves(component, own, resamples=results.resamples, known=known)
    return curves_plot(component, found, unit)


def decision(results: RunResults, task: Answer, component: Task):
    """Net benefit by threshold, of raw probabilities where none are calibrated."""
    if "decision_curve" in results.assessment[task.name]:
        return assessed_calibration.decision_curve(
            results, task, component, resamples=results.resamples
        )
    same = {component.name: Calibration(prior_ratio=(1.0,) * component.n_classes)}
    found = decision_curve(results.table, [component], same).get(component.name)
    if found is None:
        return None
    band = assessed_calibration.net_benefit_of(
        results.table, component, found["threshold"], results.resamples
    )
    return decision_curve_plot(component, found, {}, band, are_calibrated=False)


def learning_curves(results: RunResults, task: Answer):
    """The loss of training and validation, and the leading metric of validation."""
    history, metric = results.history, leading(task)
    epochs = history["epoch"].to_numpy() + 1
    losses = {
        "training": (f"train/{task.name}/loss", COLOURS[0]),
        "validation": (f"validation/{task.name}/loss", COLOURS[4]),
    }
    of_metric = f"validation/{task.name}/{metric}"
    parts = []
    if _has_values(history, *(column for column, _ in losses.values())):
        parts.append(("loss", losses))
    if _has_values(history, of_metric):
        parts.append((heading(metric), {"validation": (of_metric, COLOURS[4])}))
    if not parts:
        return None
    best = None
    if "selected" in history:
        best = kept_epoch(history, results.config.training.select_on).number
    figure, axes = panels(len(parts), 3.1, 2.8)
    for axis, (label, lines) in zip(axes, parts, strict=True):
        for name, (column, colour) in lines.items():
            if _has_values(history, column):
                factor = scale(metric) if column == of_metric else 1.0
                line = history[column].to_numpy(float) * factor
                axis.plot(epochs, line, "o-", color=colour, markersize=3, label=name)
        if best is not None:
            axis.axvline(best, color="grey", linewidth=0.8, linestyle=":")
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(linewidth=0.3)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=2)
    caption = (
        "By epoch. The training loss is that of the optimisation, with augmentation, "
        "dropout and class weights; the validation loss is the plain one, so the two "
        "may differ in level."
    )
    if best is not None:
        caption += f" Dotted: epoch {best:g}, whose weights were kept."
    row = METRICS[metric]
    if row.lower_is_better:
        caption += f" Lower {row.title} is better."
    return figure, "Learning curves", caption


def _has_values(history: pd.DataFrame, *columns: str) -> bool:
    return any(c in history and history[c].notna().any() for c in columns)
