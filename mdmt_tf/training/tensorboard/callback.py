"""The callback that writes the event files of a run.

Two folders, `train` and `validation`, are two runs for TensorBoard, so that it draws
their curves in one chart. Scalars: losses and metrics, learned weights, learning rate.
Images: example images of a training batch with labels, weights and predictions;
confusion matrices and reliability diagrams of validation. Curves: precision and recall.
Text: the settings, and a description of the data. A step is a number of epochs that are
done, as in the terminal; step 0 is before the first.
"""

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.training.judging import Judge
from mdmt_tf.training.tensorboard.charts import TRAIN, VALIDATION, Charts, describe
from mdmt_tf.training.tensorboard.curves import write_curves
from mdmt_tf.training.tensorboard.pictures import (
    draw_confusion,
    draw_examples,
    draw_reliability,
)

# Largest fraction of the time of training that drawing takes before its end.
_DRAWING = 0.05


class TensorBoard(keras.callbacks.Callback):
    """Write scalars after each epoch, pictures and curves of epochs that are kept.

    Drawing takes longer than writing numbers. It is put off while it would take more
    than 5 % of the time; the last kept epoch is drawn in any case, at the end.

    Args:
        folder: folder of the event files.
        charts: names of the charts.
        texts: title -> text. `data` is shown with every picture.
        judges: `validation`, which has been called in this epoch; `train`, which is
            called here, where metrics of training are charts.
        example: the (images in [0, 1], targets, weights) of a training step, and the
            predictions {task: probabilities} for them by the present weights.

    Attributes:
        drawing: seconds that the pictures have taken.
    """

    def __init__(
        self,
        folder: Path,
        charts: Charts,
        texts: Mapping[str, str],
        judges: Mapping[str, Judge],
        example: Callable[[], tuple],
    ):
        super().__init__()
        self._folder, self._charts, self._texts = folder, charts, texts
        self._judges, self._example = judges, example
        self._writers: dict = {}
        self._undrawn: tuple | None = None
        self.drawing = 0.0

    def on_train_begin(self, logs=None):
        self._began = time.perf_counter()
        is_new = not any(self._folder.rglob("events*"))
        self._writers = {
            name: tf.summary.create_file_writer(str(self._folder / name))
            for name in (TRAIN, VALIDATION)
        }
        with self._writers[TRAIN].as_default(step=0):
            for title, text in self._texts.items():
                tf.summary.text(title, text)
        # A resumed run has the picture of its beginning.
        if is_new:
            self._draw_examples(0)

    def on_epoch_end(self, epoch, logs=None):
        self._step = epoch + 1
        metrics = dict(logs)
        if TRAIN in self._judges:
            for answer, values in self._judges[TRAIN]().items():
                # The loss of training is that of its steps.
                own = {f"{TRAIN}/{answer}/{name}": v for name, v in values.items()}
                metrics = own | metrics
        self._write_scalars(metrics)
        if logs["selected"]:
            self._write_curves()
            # Later epochs replace what the judge has.
            self._undrawn = (self._step, dict(self._judges[VALIDATION].answers))
            elapsed = time.perf_counter() - self._began
            if self.drawing <= _DRAWING * elapsed:
                self._draw_kept(*self._undrawn)
                self._draw_examples(self._step)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs=None):
        if self._undrawn is not None:
            self._draw_kept(*self._undrawn)
            self._draw_examples(self._step)
        for writer in self._writers.values():
            writer.close()

    def _write_scalars(self, metrics: Mapping[str, float]) -> None:
        for key, value in metrics.items():
            place = self._charts.place(key)
            # An undefined value is left out: a gap is no number.
            if place is None or not np.isfinite(value):
                continue
            folder, tag = place
            with self._writers[folder].as_default(step=self._step):
                tf.summary.scalar(tag, value, description=describe(key))

    def _write_curves(self) -> None:
        for split, judge in self._judges.items():
            with self._writers[split].as_default(step=self._step):
                for answer in self._charts.answers:
                    # Those of every part of a sum would be too many charts.
                    if answer.name not in self._charts.terms:
                        tag = functools.partial(self._charts.tag, answer.name)
                        write_curves(tag, judge.answers[answer.name])

    def _draw_examples(self, step: int) -> None:
        """Write example images with the predictions of the present weights."""
        begun, note = time.perf_counter(), self._texts["data"]
        pictures = draw_examples(*self._example(), self._charts.tasks, note)
        about = f"{note}. {_EXAMPLES}"
        with self._writers[TRAIN].as_default(step=step):
            tf.summary.image(
                "examples", pictures, max_outputs=len(pictures), description=about
            )
        self.drawing += time.perf_counter() - begun

    def _draw_kept(self, step: int, answers: Mapping[str, list]) -> None:
        """Write the pictures of what a kept epoch predicts for validation."""
        begun, note = time.perf_counter(), self._texts["data"]
        with self._writers[VALIDATION].as_default(step=step):
            for answer in self._charts.answers:
                for name, draw in _DRAWN.items():
                    if (picture := draw(answers[answer.name], note)) is not None:
                        tag = self._charts.tag(answer.name, name)
                        tf.summary.image(tag, picture, description=note)
        self._undrawn = None
        self.drawing += time.perf_counter() - begun


_DRAWN = {"confusion": draw_confusion, "reliability": draw_reliability}
_EXAMPLES = (
    "Training images as the model sees them, with augmentation: label, weight (w) and, "
    "after the arrow, the prediction with its probability."
)
