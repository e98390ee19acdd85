"""Pictures for TensorBoard: example images, confusion matrices, reliability diagrams.

TensorBoard shows a picture as a card of about 300 x 200 pixels, so each picture is
small, has one subject, and large text. Pictures of synthetic data say so.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.imaging.montage import to_picture
from mdmt_tf.metrics.calibration import equal_mass_bins
from mdmt_tf.metrics.rows import confusion_matrices
from mdmt_tf.saliency.files import PredictedSamples
from mdmt_tf.saliency.overlays import small_picture
from mdmt_tf.tasks import Answer, Task

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Example images, and their size in inches; a line of text in inches and letters.
EXAMPLES = 8
_WIDTH, _LINE, _LETTERS = 3.2, 0.19, 38
_DPI = 100
_NOTE = {"fontsize": 7, "color": "#b00020"}
# Tasks of an example image that have a line; panels of a confusion matrix.
_MOST_LINES, _MOST_PANELS = 10, 9


def draw_examples(
    images: np.ndarray,
    targets: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    probabilities: Mapping[str, np.ndarray],
    tasks: Sequence[Task],
    note: str,
) -> np.ndarray:
    """The first images of a training batch, a picture each, (n, H, W, 3).

    Above an image are its label, its weight and its prediction for each task that has a
    label. Of a volume some slices are shown.

    Args:
        images: (n, *spatial, c) in [0, 1].
        targets, weights: of the batch.
        probabilities: predictions for these images, see `Task.probabilities`.
        tasks: in the order of the lines.
        note: description of the data.
    """
    count = min(EXAMPLES, len(images))
    shown = [to_picture(np.clip(image, 0, 1)) for image in images[:count]]
    predicted = PredictedSamples(images=images, ids=(), probabilities=probabilities)
    texts = [_lines(row, tasks, targets, weights, predicted) for row in range(count)]
    # The longest text makes room in all pictures.
    head = max(map(len, texts)) * _LINE + 0.08
    tall, wide = shown[0].shape
    foot = _LINE * len(_noted(note))
    height = head + _WIDTH * tall / wide + foot
    whole = count * height
    figure = _figure(_WIDTH, whole)
    for row, (image, text) in enumerate(zip(shown, texts, strict=True)):
        bottom = (count - 1 - row) * height
        place = (0, (bottom + foot) / whole, 1, (height - head - foot) / whole)
        axis = figure.add_axes(place)
        axis.imshow(image, cmap="gray", vmin=0, vmax=1, aspect="auto")
        axis.axis("off")
        top = (bottom + height - 0.05) / whole
        _write(figure, text, top, {"fontsize": 10, "va": "top"})
        _write(figure, _noted(note), (bottom + 0.05) / whole, _NOTE)
    # Rounding may have added a line of pixels.
    pixels = _render(figure)
    each = len(pixels) // count
    return pixels[: each * count].reshape(count, each, *pixels.shape[1:])


def _lines(row: int, tasks, targets, weights, predicted) -> list[str]:
    """The text of one example: a line, or more, of each task that it has a label of."""
    lines = []
    for task in tasks:
        weight = np.asarray(weights[task.name][row])
        if not weight.any():
            continue
        target = task.target_text(np.asarray(targets[task.name][row]), weight > 0)
        answer = prediction_text(task, predicted, row)
        text = f"{task.name}: {target}, w {weight.max():.2g} \u2192 {answer}"
        lines.append(textwrap.wrap(text, _LETTERS, subsequent_indent="   "))
    more = len(lines) - _MOST_LINES
    kept = [line for of_task in lines[:_MOST_LINES] for line in of_task]
    return [*kept, f"and {more} tasks more"] if more > 0 else kept or ["no label"]


def prediction_text(task: Task, predicted: PredictedSamples, row: int) -> str:
    """The predicted class with its probability, or the value."""
    _, facts = predicted.explanation(row, task)
    # Of several labels, the most probable one.
    label = f"{facts['class_explained']} " if task.label_shape else ""
    chance = facts["probability"]
    return f"{label}{facts['predicted']}" + (
        "" if chance is None else f" ({chance:.2f})"
    )


def draw_saliency(
    image: np.ndarray, saliency: np.ndarray, lines: Sequence[str], note: str
) -> np.ndarray:
    """An image and a map of it, below lines of text; (H, W, 3).

    Args:
        image, saliency: (h, w) or (d, h, w), see `overlays.small_picture`.
        lines: of any length; each is cut to the width of the picture.
        note: description of the data.
    """
    picture = small_picture(image, saliency)
    tall, wide = picture.shape[:2]
    head, foot = _LINE * len(lines) + 0.08, _LINE * len(_noted(note))
    height = head + _WIDTH * tall / wide + foot
    figure = _figure(_WIDTH, height)
    axis = figure.add_axes((0, foot / height, 1, (height - head - foot) / height))
    axis.imshow(picture, aspect="auto", interpolation="bilinear")
    axis.axis("off")
    cut = [textwrap.shorten(line, _LETTERS, placeholder=" ...") for line in lines]
    _write(figure, cut, 1 - 0.05 / height, {"fontsize": 10, "va": "top"})
    _write(figure, _noted(note), 0.05 / height, _NOTE)
    return _render(figure)


def draw_confusion(answers, note: str) -> np.ndarray | None:
    """Counts and fractions of the true class, of each component; (1, H, W, 3).

    Args:
        answers: components with their labels and probabilities.
        note: description of the data.
    Returns: None for numbers.
    """
    named = {component.name: component for component, *_ in answers}
    matrices = list(confusion_matrices(answers).items())[:_MOST_PANELS]
    if not matrices:
        return None
    columns = int(np.ceil(np.sqrt(len(matrices))))
    rows = -(-len(matrices) // columns)
    figure = _figure(3.8 * columns, 3.5 * rows, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[len(matrices) :]:
        axis.remove()
    for axis, (name, counts) in zip(axes, matrices, strict=False):
        _draw_matrix(axis, counts, named[name])
    _title(figure, note)
    return _render(figure)[None]


def _draw_matrix(axis, counts: np.ndarray, task: Answer) -> None:
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    names = [textwrap.shorten(name, 12, placeholder="...") for name in task.class_names]
    # Long names of many classes would run into each other.
    turned = 30 if len(names) > 3 and max(map(len, names)) > 4 else 0
    axis.set_xticks(range(len(names)), names, fontsize=10, rotation=turned)
    axis.set_yticks(range(len(names)), names, fontsize=10)
    axis.set_xlabel("predicted", fontsize=10)
    axis.set_ylabel("true", fontsize=10)
    axis.set_title(f"{task.name}, n = {counts.sum()}", fontsize=11)
    for (row, column), count in np.ndenumerate(counts):
        fraction = fractions[row, column]
        axis.text(
            column,
            row,
            f"{count}\n{fraction:.0%}",
            ha="center",
            va="center",
            fontsize=11 if len(names) < 5 else 8,
            color="white" if fraction > 0.5 else "black",
        )


def draw_reliability(answers, note: str) -> np.ndarray | None:
    """Observed frequency by raw probability, in bins of equal mass; (1, H, W, 3).

    One curve of each class, or of the positive class of two.

    Args, Returns: see `draw_confusion`; None, too, without labelled rows.
    """
    curves = []
    for component, labels, chances in answers:
        for index, label in enumerate(component.class_names):
            if len(labels) and not (component.n_classes == 2 and not index):
                several = len(answers) > 1
                name = component.name.rpartition("/")[2] if several else label
                curves.append((name, chances[:, index], labels == index))
    if not curves:
        return None
    figure = _figure(3.6, 3.7, layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":")
    for colour, (name, score, positive) in zip(_COLOURS, curves, strict=False):
        predicted, observed, low, high = equal_mass_bins(score, positive)
        axis.plot(predicted, observed, "o-", color=colour, label=name, clip_on=False)
        if len(curves) == 1:
            axis.vlines(predicted, low, high, color=colour, linewidth=1)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("predicted probability", fontsize=10)
    axis.set_ylabel("observed frequency", fontsize=10)
    axis.legend(loc="upper left", fontsize=9, frameon=False)
    name = answers[0][0].name.partition("/")[0]
    axis.set_title(f"{name}, n = {len(curves[0][1])}", fontsize=11)
    _title(figure, note)
    return _render(figure)[None]


def _figure(width: float, height: float, **options):
    # Not pyplot, which would keep figures alive and choose a window system.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, **options)


def _title(figure, note: str) -> None:
    figure.supxlabel("\n".join(_noted(note)), **_NOTE)


def _write(figure, lines: Sequence[str], y: float, options: dict) -> None:
    figure.text(0.02, y, "\n".join(lines), linespacing=1.2, **options)


def _noted(note: str) -> list[str]:
    """The lines of a note; the first words say whether data are synthetic."""
    return textwrap.wrap(note, 56, max_lines=2, placeholder=" ...")


def _render(figure) -> np.ndarray:
    """The pixels of a figure, uint8 (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
