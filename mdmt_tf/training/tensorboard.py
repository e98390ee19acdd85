"""TensorBoard files of a run.

Scalars: losses and metrics of each task, its weight if weights are learned, learning
rate. Images: an example batch with its targets and weights, confusion matrices on the
validation rows. Text: the settings, and a description of the data. Every picture of
synthetic data is marked.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import yaml

from mdmt_tf.imaging.montage import to_picture
from mdmt_tf.tasks import Answer, Task
from mdmt_tf.tasks.derived import divide


class TensorBoard(keras.callbacks.Callback):
    """Write the epoch's `logs` and pictures.

    Args:
        folder: folder of the event files.
        answers: tasks of the model, and derived answers.
        settings: the resolved configuration, plain values.
        note: description of the data, shown with every picture.
        example_batch: (image in [0, 1], targets, weights) of a training step.
        confusion: {component of a task: counts (k, k)} on the validation rows, of this
            epoch.
    """

    def __init__(
        self,
        folder: Path,
        answers: Sequence[Answer],
        settings: dict,
        note: str,
        example_batch: Callable[[], tuple],
        confusion: Callable[[], dict[str, np.ndarray]],
    ):
        super().__init__()
        self._folder, self._answers, self._settings = folder, answers, settings
        self._note, self._example_batch, self._confusion = (
            note,
            example_batch,
            confusion,
        )
        self._writer = None

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default():
            text = yaml.safe_dump(self._settings, sort_keys=False)
            tf.summary.text("data", self._note, step=0)
            indented = "".join(f"    {line}\n" for line in text.splitlines())
            tf.summary.text("config", indented, step=0)
            tasks, _ = divide(self._answers)
            picture = draw_batch(self._example_batch(), tasks, self._note)
            tf.summary.image("example batch", picture, step=0, description=self._note)

    def on_epoch_end(self, epoch, logs=None):
        with self._writer.as_default():
            for name, value in logs.items():
                # n is the same in every epoch; undefined values are left out.
                if not name.endswith("/n") and not np.isnan(value):
                    tf.summary.scalar(_tag(name), value, step=epoch)
            if logs["selected"]:
                for name, counts in self._confusion().items():
                    picture = draw_confusion(counts, self._component(name), self._note)
                    tag = f"confusion/{name}"
                    tf.summary.image(tag, picture, step=epoch, description=self._note)
        self._writer.flush()

    def _component(self, name: str) -> Answer:
        components = (c for answer in self._answers for c in answer.components)
        return next(component for component in components if component.name == name)

    def on_train_end(self, logs=None):
        self._writer.close()


def _tag(name: str) -> str:
    """`validation/prognosis/auc` -> `prognosis/validation_auc`: one card per task.

    `weight/prognosis` is unchanged: the weights of all tasks are on one card.
    """
    parts = name.split("/")
    if len(parts) == 3:
        return f"{parts[1]}/{parts[0]}_{parts[2]}"
    return name if parts[0] == "weight" else "run/" + "_".join(parts)


def draw_batch(batch, tasks: Sequence[Task], note: str, most: int = 16) -> np.ndarray:
    """The first images of a training batch with targets and weights; (1, H, W, 3).

    Of a volume some slices are shown.
    """
    images, targets, weights = batch
    count = min(most, len(images))
    shown = [to_picture(np.clip(image, 0, 1)) for image in images[:count]]
    figure, axes = _figure(note, 4, -(-count // 4), cell=(2.3, 2.6))
    for axis in axes[count:]:
        axis.remove()
    for index, axis in enumerate(axes[:count]):
        axis.imshow(shown[index], cmap="gray", vmin=0, vmax=1)
        lines = []
        for task in tasks:
            weight = np.asarray(weights[task.name][index])
            target = np.asarray(targets[task.name][index])
            text = task.target_text(target, weight > 0) if weight.any() else "-"
            lines.append(f"{task.name}: {text} (w {weight.max():.2g})")
        axis.set_title("\n".join(lines), fontsize=7)
        axis.axis("off")
    return _render(figure)


def draw_confusion(counts: np.ndarray, task: Answer, note: str) -> np.ndarray:
    """A confusion matrix with counts and fractions of the true class; (1, H, W, 3)."""
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axis,) = _figure(note, 1, 1, cell=(4.5, 4.0))
    axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    names = task.class_names
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(f"{task.name}, validation", fontsize=9)
    for (row, column), count in np.ndenumerate(counts):
        fraction = fractions[row, column]
        axis.text(
            column,
            row,
            f"{count}\n{fraction:.0%}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if fraction > 0.5 else "black",
        )
    return _render(figure)


def _figure(note: str, columns: int, rows: int, cell: tuple[float, float]):
    # Not pyplot, which would keep figures alive and choose a window system.
    from matplotlib.figure import Figure

    size = (cell[0] * columns, cell[1] * rows)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    figure.suptitle(note, fontsize=8)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _render(figure) -> np.ndarray:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return tf.image.decode_png(buffer.getvalue(), channels=3)[None]
