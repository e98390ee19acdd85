"""The plots of a report: distributions, pairs, learning curves.

Each function draws one task under one validation and returns a matplotlib figure, or
None when there is nothing to draw. No global state of matplotlib is changed.
"""

from collections.abc import Iterator

import matplotlib
import numpy as np
import pandas as pd

from mdmt_tf.metrics.table import headline
from mdmt_tf.metrics.text import plural
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.drawing import INK, STYLE, Drawing, render
from mdmt_tf.reporting.gain_plots import gains
from mdmt_tf.reporting.groups import Group
from mdmt_tf.reporting.headings import task_by
from mdmt_tf.reporting.marks import start_of_title
from mdmt_tf.reporting.panels import COLOURS, finished, panels, scale
from mdmt_tf.reporting.pooled_curves import decision, roc
from mdmt_tf.reporting.pooled_plots import calibration, confusion
from mdmt_tf.reporting.table_files import heading
from mdmt_tf.tasks import Task

_MARKERS = "os^Dv"
# More lines than these are drawn as one picture inside the SVG.
_MANY_LINES = 60


def draw_all(aggregates: Aggregates) -> Iterator[Drawing]:
    """Every plot that has something to show, for every task and validation."""
    results = aggregates.results
    several = len(results.benchmark.cross_validation) > 1
    for task in results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            suffix = f"_{validation}" if several else ""
            for kind, draw in KINDS.items():
                with matplotlib.rc_context(STYLE):
                    drawn = draw(aggregates, task, validation)
                    if drawn is None:
                        continue
                    figure, title, caption = drawn
                    start = start_of_title(results)
                    name = task_by(
                        aggregates, task.name, aggregates.units(task.name)[0]
                    )
                    figure.suptitle(f"{start}{title}: {name}, {validation}")
                    yield render(
                        figure,
                        f"{kind}_{task.name}{suffix}",
                        f"{start}{name}, {validation}. {caption}",
                        folded=task.name in results.terms,
                    )


def box(aggregates: Aggregates, task: Task, validation: str):
    """Distribution over backbones and folds; a box if all cells are finished."""
    results = aggregates.results
    experiments = results.experiments_of(task.name, validation, with_fractions=False)
    metrics = headline(task)
    values = {
        (e, f): _values(aggregates.of(validation, e, task.name), f)
        for e in experiments
        for f in metrics
    }
    if not any(len(found) for found in values.values()):
        return None
    height = 1.2 + 0.42 * len(experiments)
    figure, axes = panels(len(metrics), 3.0, height, sharey=True)
    generator = np.random.default_rng(0)
    labels = []
    for experiment in experiments:
        done, total = finished(aggregates.of(validation, experiment, task.name))
        n = len(values[experiment, metrics[0]])
        labels.append(
            f"{experiment}\n" + (f"n = {n}" if done == total else f"{done} of {total}")
        )
    for axis, name in zip(axes, metrics, strict=True):
        for place, experiment in enumerate(experiments):
            found = values[experiment, name] * scale(name)
            done, total = finished(aggregates.of(validation, experiment, task.name))
            colour = COLOURS[place % len(COLOURS)]
            if done == total and len(found) > 1:
                axis.boxplot(
                    [found],
                    positions=[place],
                    orientation="horizontal",
                    widths=0.55,
                    showfliers=False,
                    medianprops={"color": INK},
                    boxprops={"color": colour},
                    whiskerprops={"color": colour},
                    capprops={"color": colour},
                )
            spread = place + generator.uniform(-0.18, 0.18, len(found))
            axis.plot(found, spread, "o", color=colour, markersize=3, alpha=0.7)
        axis.set_xlabel(heading(name))
        axis.set_yticks(range(len(experiments)), labels)
        axis.set_ylim(len(experiments) - 0.5, -0.5)
        axis.grid(axis="x", linewidth=0.3)
    caption = (
        f"Each point is one fit on the {results.split} set of one fold (unit: backbone "
        "x fold x seed, n below the name). Box: quartiles and median; whiskers: to the "
        "last point within 1.5 box lengths. An incomplete experiment has points only."
    )
    return figure, "Distribution over backbones and folds", caption


def _values(groups: list[Group], metric: str) -> np.ndarray:
    """The defined values of all finished cells."""
    found = [g.metrics.loc[g.metrics["figure"] == metric, "value"] for g in groups]
    return np.concatenate([values.dropna().to_numpy(float) for values in found])


def slopes(aggregates: Aggregates, task: Task, validation: str):
    """Means over folds, with one line per backbone; None where there is only one."""
    results = aggregates.results
    experiments = [
        e
        for e in results.experiments_of(task.name, validation, with_fractions=False)
        if not results.is_baseline(e)
    ]
    backbones = results.benchmark.backbones
    metrics = headline(task)
    means = {
        f: np.array(
            [
                [
                    aggregates.group(validation, b, e, task.name).mean(f).number
                    for e in experiments
                ]
                for b in backbones
            ]
        )
        for f in metrics
    }
    if min(len(experiments), len(backbones)) < 2 or all(
        np.isnan(m).all() for m in means.values()
    ):
        return None
    figure, axes = panels(len(metrics), 2.6, 3.2)
    places = np.arange(len(experiments))
    for axis, name in zip(axes, metrics, strict=True):
        for index, backbone in enumerate(backbones):
            axis.plot(
                places,
                means[name][index] * scale(name),
                color=COLOURS[index % len(COLOURS)],
                marker=_MARKERS[index // len(COLOURS) % len(_MARKERS)],
                markersize=4,
                linewidth=1,
                label=backbone,
            )
        # An incomplete backbone has NaN, so no point.
        axis.plot(
            places,
            means[name].mean(axis=0) * scale(name),
            color=INK,
            linestyle="--",
            linewidth=2,
            label="mean",
        )
        axis.set_xticks(places, experiments, rotation=30, ha="right")
        axis.set_xlim(-0.3, len(experiments) - 0.7)
        axis.set_ylabel(heading(name))
        axis.grid(axis="y", linewidth=0.3)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside right center", fontsize=7)
    complete = int((~np.isnan(means[metrics[0]])).all(axis=1).sum())
    caption = (
        f"Mean over folds and seeds of each backbone (unit: backbone; {complete} of "
        f"{len(backbones)} are complete in every experiment); dashed: mean over "
        "backbones, where all are complete. An incomplete backbone has no point."
    )
    return figure, "The same backbones in every experiment", caption


def curves(aggregates: Aggregates, task: Task, validation: str):
    """Loss by epoch, with thin lines for the fits and a bold line for their median."""
    results = aggregates.results
    names = {
        "training": (f"train/{task.name}/loss", COLOURS[0]),
        "validation": (f"validation/{task.name}/loss", COLOURS[4]),
    }
    found = {}
    for experiment in results.experiments_of(
        task.name, validation, with_fractions=False
    ):
        groups = aggregates.of(validation, experiment, task.name)
        cells = pd.concat([group.cells for group in groups])
        fits = [
            results.histories[fit]
            for fit in dict.fromkeys(cells["fit"])
            if fit in results.histories
        ]
        if any(column in h for h in fits for column, _ in names.values()):
            found[experiment] = fits, groups
    if not found:
        return None
    figure, axes = panels(len(found), 2.8, 2.4, sharey=True)
    for axis, (experiment, (fits, groups)) in zip(axes, found.items(), strict=True):
        for label, (column, colour) in names.items():
            series = [h.set_index("epoch")[column] for h in fits if column in h]
            series = [line.astype(float) for line in series]
            for line in series:
                axis.plot(
                    line.index + 1,
                    line,
                    color=colour,
                    linewidth=0.5,
                    alpha=max(0.1, min(0.4, 8 / len(series))),
                    rasterized=len(series) > _MANY_LINES,
                )
            if series:
                median = pd.concat(series, axis=1).median(axis=1)
                axis.plot(
                    median.index + 1, median, color=colour, linewidth=2, label=label
                )
        done, total = finished(groups)
        of = "" if done == total else f", {done} of {plural(total, 'cell')}"
        axis.set_title(f"{experiment} ({plural(len(fits), 'fit')}{of})")
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(linewidth=0.3)
    for axis in axes[:: min(len(found), 4)]:
        axis.set_ylabel("loss")
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=2)
    caption = (
        "Loss by epoch (unit: fit, n in the titles; thin lines: fits, bold: median of "
        "the fits still training in that epoch). The training loss is that of the "
        "optimisation, with augmentation, dropout and class weights; the validation "
        "loss is the plain one, so the two may differ in level."
    )
    return figure, "Learning curves", caption


KINDS = {
    "gains": gains,
    "box": box,
    "slopes": slopes,
    "curves": curves,
    "roc": roc,
    "confusion": confusion,
    "calibration": calibration,
    "decision": decision,
}
