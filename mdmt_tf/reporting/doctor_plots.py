"""The plots of a diagnosis: what predicts each label, and repeated images."""

from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mdmt_tf.diagnosis.examination import Diagnosis
from mdmt_tf.diagnosis.shortcuts import STRONG, Shortcut
from mdmt_tf.marks import start_of_plot
from mdmt_tf.reporting.doctor_tables import by_label
from mdmt_tf.reporting.drawing import INK, STYLE, Drawing, render
from mdmt_tf.reporting.panels import COLOURS, panels

_MOST_PAIRS = 12


def draw_all(diagnosis: Diagnosis) -> Iterator[Drawing]:
    """A plot for each label, and the pictures of the closest pairs."""
    synthetic = any(dataset.synthetic for dataset in diagnosis.material.datasets)
    start = start_of_plot(synthetic)
    for (task, dataset), own in by_label(diagnosis.shortcuts):
        with matplotlib.rc_context(STYLE):
            yield _shortcuts(task, dataset, own, start)
    if diagnosis.repeats:
        with matplotlib.rc_context(STYLE):
            yield _repeats(diagnosis, start)


def _shortcuts(task: str, dataset: str, own: list[Shortcut], start: str) -> Drawing:
    own = sorted(own, key=lambda one: -one.predicted.auc)
    figure = Figure(figsize=(6.4, 1.3 + 0.26 * len(own)), layout="constrained")
    axis = figure.subplots()
    for place, one in enumerate(own):
        error = 1.96 * abs(one.predicted.auc - 0.5) / max(abs(one.predicted.z), 1e-6)
        axis.plot(
            [0.5 - error, 0.5 + error], [place] * 2, color="0.5", alpha=0.3, linewidth=5
        )
        image, patient = one.predicted.image.auc, one.predicted.patient.auc
        axis.plot(image, place, "o", color=COLOURS[0], mfc="none", label="by image")
        axis.plot(patient, place, "o", color=COLOURS[0], label="by patient")
    axis.axvline(0.5, color=INK, linewidth=0.8)
    axis.axvline(STRONG, color=INK, linewidth=0.8, linestyle=":")
    axis.set_yticks(range(len(own)), [one.name for one in own])
    axis.set_ylim(len(own) - 0.5, -0.5)
    axis.set_xlabel("AUC, cross-validated by patient")
    axis.legend(*_once(axis), loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.suptitle(f"{start}{task}, {dataset}: predicted without the anatomy")
    n = own[0].predicted.image.n, own[0].predicted.patient.n
    caption = (
        f"{start}{task}, {dataset}: AUC (or concordance) of each measure alone, by "
        f"image (open, n = {n[0]}) and by patient (n = {n[1]}). Grey: 95 % of "
        f"predictions that know nothing. Dotted: {STRONG:g}, a strong suspect."
    )
    return render(figure, f"shortcuts_{task}_{dataset}".replace("/", "_"), caption)


def _once(axis) -> tuple[list, list]:
    """Handles and labels of the legend, each label once."""
    handles, labels = axis.get_legend_handles_labels()
    by_name = dict(zip(labels, handles, strict=True))
    return list(by_name.values()), list(by_name)


def _repeats(diagnosis: Diagnosis, start: str) -> Drawing:
    shown = diagnosis.repeats[:_MOST_PAIRS]
    pictures = np.concatenate(
        [dataset.pictures.compared for dataset in diagnosis.material.datasets]
    )
    figure, axes = panels(len(shown), 2.8, 1.9, most=3)
    for axis, repeat in zip(axes, shown, strict=True):
        pair = [pictures[row] for row in repeat.rows]
        axis.imshow(np.hstack(pair), cmap="gray", vmin=0, vmax=255)
        axis.set_axis_off()
        names = "\n".join(_short(one.image_id) for one in (repeat.first, repeat.second))
        kind = f"{repeat.kind}, {repeat.similarity:.2f}"
        axis.set_title(f"{names}\n{kind}", fontsize=7)
    figure.suptitle(f"{start}Repeated images")
    caption = (
        f"{start}The first {len(shown)} of {len(diagnosis.repeats)} pairs of images "
        "that are nearly the same, those of different patients first. These are images "
        "of patients: share them as such."
    )
    return render(figure, "repeats", caption)


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
