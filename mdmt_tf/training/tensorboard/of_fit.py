"""The TensorBoard files of a fit: what its callback shows, and saliency at the end."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import yaml

from mdmt_tf.data.normalize import denormalize
from mdmt_tf.data.samples import spread
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.judging import Judge
from mdmt_tf.training.tensorboard.callback import TensorBoard
from mdmt_tf.training.tensorboard.charts import (
    TRAIN,
    VALIDATION,
    Charts,
    without_paths,
)
from mdmt_tf.training.tensorboard.pictures import EXAMPLES


def tensorboard_of(
    fit: Fit, model: keras.Model, dataset: tf.data.Dataset, validation: Judge
) -> TensorBoard:
    """The callback of a fit.

    Args:
        model: model of the validation, with the weights that are trained.
        dataset: training batches; the first one is shown.
        validation: has been called when the callback is.
    """
    judges = {VALIDATION: validation}
    rows = fit.inputs.samples[TRAIN]
    if most := fit.config.training.tensorboard_train_images:
        chosen = rows.take(np.array(spread(len(rows), most)))
        judges[TRAIN] = Judge(fit, model, TRAIN, chosen)
    settings = yaml.safe_dump(without_paths(fit.config.to_plain()), sort_keys=False)
    return TensorBoard(
        folder_of(fit),
        charts_of(fit),
        texts={
            "data": data_note(fit.manifest),
            "config": "".join(f"    {line}\n" for line in settings.splitlines()),
        },
        judges=judges,
        example=_Example(fit, model, dataset),
    )


def charts_of(fit: Fit) -> Charts:
    """The names of the charts of a fit."""
    select_on = fit.config.training.select_on
    return Charts(fit.inputs.answers, select_on.task, select_on.metric)


def folder_of(fit: Fit) -> Path:
    """The folder of the event files, whose name TensorBoard shows with every curve."""
    synthetic = fit.manifest["synthetic"]
    return fit.run.tensorboard / ("synthetic_data" if synthetic else "real_data")


class _Example:
    """Images of the first training step, and the present predictions for them."""

    def __init__(self, fit: Fit, model: keras.Model, dataset: tf.data.Dataset):
        self._fit, self._model, self._dataset = fit, model, dataset
        self._batch: tuple | None = None

    def __call__(self) -> tuple:
        if self._batch is None:
            batch = next(iter(self._dataset.take(1)))
            self._batch = tf.nest.map_structure(lambda part: part[:EXAMPLES], batch)
        inputs, targets, weights = self._batch
        logits = self._model(inputs, training=False)
        predicted = {
            task.name: task.probabilities(np.asarray(logits[task.name]))
            for task in self._fit.inputs.tasks
        }
        images = denormalize(
            tf.nest.flatten(inputs)[0], *self._fit.config.normalization
        )
        return images, targets, weights, predicted
