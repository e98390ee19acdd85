"""Pictures for TensorBoard: example images, confusion matrices, reliability diagrams.

TensorBoard shows a picture as a card of about 300 x 200 pixels, so each picture is
small, has one subject, and large text. Pictures of synthetic data say so.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.imaging.montage import to_picture
from mdmt_tf.metrics.calibration import equal_mass_bins
from mdmt_tf.metrics.rows import BINS, confusion_matrices
from mdmt_tf.saliency.overlays import small_picture
from mdmt_tf.saliency.samples import PredictedSamples
from mdmt_tf.tasks import Answer, Task

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DPI = 100
_NOTE = {"fontsize": 7, "color": "#b00020"}
_TEXT = {"fontsize": 10, "va": "top"}
# Height of a line of text in inches.
_LINE = 0.19
# Example images, their size in inches, the room for text on their right, and the
# letters and lines that fit into it.
EXAMPLES = 8
_SIDE, _RIGHT, _LETTERS, _LINES = 2.3, 2.2, 25, 11
# Width of a picture of saliency, and the letters of a line.
_WIDTH, _ACROSS = 3.2, 38
# Images in a bin of a reliability diagram, if there are enough.
_IN_BIN = 15
# Panels of a picture of confusion matrices.
_MOST_PANELS = 9


def draw_examples(
    images: np.ndarray,
    targets: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    probabilities: Mapping[str, np.ndarray],
    tasks: Sequence[Task],
    note: str,
) -> np.ndarray:
    """The first images of a training batch, a picture each, (n, H, W, 3).

    Beside an image are its label, its weight and its prediction for each task. Of a
    volume some slices are shown.

    Args:
        images: (n, *spatial, c) in [0, 1].
        targets, weights: of the batch.
        probabilities: predictions for these images, see `Task.probabilities`.
        tasks: in the order of the lines.
        note: description of the data.
    """
    count = min(EXAMPLES, len(images))
    predicted = PredictedSamples(images=images, ids=(), probabilities=probabilities)
    # All in one figure, which takes less time than one each.
    height = _SIDE + _LINE * len(_noted(note))
    whole = count * height
    figure = _figure(_SIDE + _RIGHT, whole)
    for row in range(count):
        bottom = (count - 1 - row) * height
        under = (bottom + height - _SIDE) / whole
        axis = figure.add_axes((0, under, _SIDE / (_SIDE + _RIGHT), _SIDE / whole))
        shown = to_picture(np.clip(images[row], 0, 1))
        axis.imshow(shown, cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
        lines = _lines(row, tasks, targets, weights, predicted)
        x, top = (_SIDE + 0.1) / (_SIDE + _RIGHT), (bottom + height - 0.08) / whole
        figure.text(x, top, "\n".join(lines), linespacing=1.2, **_TEXT)
        _write(figure, _noted(note), (bottom + 0.05) / whole, _NOTE)
    # Rounding may have added a line of pixels.
    pixels = _render(figure)
    each = len(pixels) // count
    return pixels[: each * count].reshape(count, each, *pixels.shape[1:])


def _lines(row: int, tasks, targets, weights, predicted) -> list[str]:
    """The text of one example.

    A paragraph for each task, or, if these are too long, a line for each task that the
    image has a label of.
    """
    long, short = [], []
    for task in tasks:
        weight = np.asarray(weights[task.name][row])
        answer = f"\u2192 {prediction_text(task, predicted, row)}"
        if not weight.any():
            long += [task.name, "  no label", *_wrapped(f"  {answer}")]
            continue
        target = task.target_text(np.asarray(targets[task.name][row]), weight > 0)
        label = f"{target}, w {weight.max():.2g}"
        long += [task.name, *_wrapped(f"  true {label}"), *_wrapped(f"  {answer}")]
        short += _wrapped(f"{task.name}: {label} {answer}")
    lines = long if len(long) <= _LINES else short or ["no label"]
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "..."]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _LETTERS, subsequent_indent="    ", max_lines=3)


def prediction_text(answer: Answer, predicted: PredictedSamples, row: int) -> str:
    """The predicted class with its probability, or the value."""
    _, facts = predicted.explanation(row, answer)
    # Of several labels, the most probable one.
    label = f"{facts['class_explained']} " if answer.label_shape else ""
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
    cut = [textwrap.shorten(line, _ACROSS, placeholder=" ...") for line in lines]
    _write(figure, cut, 1 - 0.05 / height, _TEXT)
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
    figure = _figure(3.1 * columns, 2.9 * rows, layout="constrained")
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

    There are up to 10 bins, fewer if they had less than 15 images. One curve for each
    class, or for the positive class of two.

    Args, Returns: see `draw_confusion`; None, too, without labelled rows.
    """
    curves = []
    n = max((len(labels) for _, labels, _ in answers), default=0)
    for component, labels, chances in answers:
        for index, label in enumerate(component.class_names):
            if len(labels) and not (component.n_classes == 2 and not index):
                several = len(answers) > 1
                name = component.name.rpartition("/")[2] if several else label
                curves.append((name, chances[:, index], labels == index))
    if not curves:
        return None
    # Bins of a few images would be noise.
    bins = int(np.clip(n // _IN_BIN, 3, BINS))
    figure = _figure(3.1, 2.9, layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":")
    for colour, (name, score, positive) in zip(_COLOURS, curves, strict=False):
        predicted, observed, low, high = equal_mass_bins(score, positive, bins)
        axis.plot(predicted, observed, "o-", color=colour, label=name, clip_on=False)
        if len(curves) == 1:
            axis.vlines(predicted, low, high, color=colour, linewidth=1)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("predicted probability", fontsize=10)
    axis.set_ylabel("observed frequency", fontsize=10)
    axis.legend(loc="upper left", fontsize=9, frameon=False)
    name = answers[0][0].name.partition("/")[0]
    axis.set_title(f"{name}, n = {n}", fontsize=11)
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
