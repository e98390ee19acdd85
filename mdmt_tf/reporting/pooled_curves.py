"""ROC, precision-recall and decision curves of a benchmark, pooled over its fits.

Each function draws one task under one validation, of the experiment that the task is
about, and returns (figure, title, caption), or None when there is nothing to draw.
"""

import dataclasses

import pandas as pd

from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.assessed_calibration import net_benefit_of
from mdmt_tf.reporting.assessed_plots import with_classes
from mdmt_tf.reporting.calibration_plots import decision_curve_plot
from mdmt_tf.reporting.curve_plots import class_curves, curves_plot
from mdmt_tf.reporting.groups import Unit
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.operating_points import decision_curve
from mdmt_tf.tasks import Task

_POOLED = (
    "Predictions of all folds, seeds and backbones are pooled, so that those of "
    "different models are compared with each other, too; Table 1 has means over folds."
)


def roc(aggregates: Aggregates, task: Task, validation: str):
    """ROC and precision-recall curves, with bands over patients."""
    unit = aggregates.units(task.name)[0]
    experiment, rows = _rows(aggregates, task, validation, unit)
    found = []
    for component, own in with_classes(task, rows) if len(rows) else ():
        curves = class_curves(component, own, resamples=aggregates.resamples)
        if len(task.components) > 1:
            curves = [dataclasses.replace(one, name=component.name) for one in curves]
        found += [(component, one) for one in curves]
    if not found:
        return None
    drawn = curves_plot(
        found[0][0], [curve for _, curve in found], f"prediction by {unit}"
    )
    if drawn is None:
        return None
    figure, title, caption = drawn
    return figure, f"{title} of {experiment}", f"{experiment}. {caption} {_POOLED}"


def decision(aggregates: Aggregates, task: Task, validation: str):
    """Net benefit by threshold, of the raw probabilities of a task with two classes."""
    if len(task.components) > 1 or task.n_classes != 2:
        return None
    experiment, rows = _rows(aggregates, task, validation, "image")
    same = {task.name: Calibration(prior_ratio=(1.0, 1.0))}
    curve = decision_curve(rows, [task], same).get(task.name) if len(rows) else None
    if curve is None:
        return None
    band = net_benefit_of(rows, task, curve["threshold"], aggregates.resamples)
    figure, title, caption = decision_curve_plot(
        task, curve, {}, band, are_calibrated=False
    )
    return figure, f"{title} of {experiment}", f"{experiment}. {caption} {_POOLED}"


def _rows(
    aggregates: Aggregates, task: Task, validation: str, unit: Unit
) -> tuple[str, pd.DataFrame]:
    """The candidate, else the first experiment that has them, and its pooled rows."""
    results = aggregates.results
    trained = [
        name
        for name in results.experiments_of(task.name, validation, with_fractions=False)
        if not results.is_baseline(name) and not results.is_permuted(name, task.name)
    ]
    first = [results.benchmark.candidate]
    first += [candidate for candidate, _ in results.pairs(task.name, validation)]
    for name in sorted(trained, key=lambda name: name not in first):
        groups = aggregates.of(validation, name, task.name, unit)
        rows = [own for group in groups for own in group.rows]
        if rows:
            return name, pd.concat(rows, ignore_index=True)
    return "", pd.DataFrame()
