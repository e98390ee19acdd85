"""Saliency maps of some validation images for TensorBoard, at the end of training."""

import functools

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorboard.plugins.image import metadata

from mdmt_tf.data.normalize import normalize
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, explanation, overlays
from mdmt_tf.saliency.files import PredictedSamples
from mdmt_tf.saliency.maps import GRAD_CAM, Explainer
from mdmt_tf.tasks import Task
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.tensorboard.charts import VALIDATION
from mdmt_tf.training.tensorboard.of_fit import charts_of, folder_of
from mdmt_tf.training.tensorboard.pictures import prediction_text

# Tasks with maps; each takes as long as the others.
_MOST_TASKS = 3


def write_saliency(fit: Fit, model: keras.Model) -> None:
    """Write Grad-CAM of `training.tensorboard_saliency` images, evenly spread.

    They are the same images for all runs with this split. Pictures have no ids.

    Args:
        model: with the weights of the kept epoch.
    """
    config, charts = fit.config, charts_of(fit)
    tasks = charts.tasks[:_MOST_TASKS]
    most = config.training.tensorboard_saliency
    samples = choice.of_split(fit.inputs, VALIDATION, most)
    networks = explanation.Networks(
        config, model, len(samples.images), samples.datasets
    )
    predicted = PredictedSamples(
        images=samples.images,
        ids=samples.ids,
        probabilities=explanation.probabilities(
            config, tasks, networks, samples.images
        ),
        labels=samples.labels,
        geometry=samples.geometry,
    )
    explainer = Explainer(networks.of(0), tasks)
    pictures: dict[str, list[bytes]] = {task.name: [] for task in tasks}
    for number, image in enumerate(samples.images):
        networks.give(explainer, number)
        batch = np.asarray(normalize(image[np.newaxis], *config.normalization))
        draw = functools.partial(_picture, predicted, number, data_note(fit.manifest))
        for task in tasks:
            target, _ = predicted.explanation(number, task)
            (saliency,) = explainer.maps(batch, task.name, [GRAD_CAM], target)[GRAD_CAM]
            pictures[task.name].append(draw(task, saliency))
    writer = tf.summary.create_file_writer(str(folder_of(fit) / VALIDATION))
    described = metadata.create_summary_metadata("", _DESCRIPTION)
    with writer.as_default(step=_kept_epoch(fit)):
        for name, own in pictures.items():
            # Width and height, which TensorBoard does not use, and PNG files.
            encoded = tf.constant([b"0", b"0", *own])
            tag = charts.tag(name, "saliency")
            tf.summary.write(tag, encoded, metadata=described)
    writer.close()


_DESCRIPTION = (
    "Validation images and where the evidence for the score is (Grad-CAM), by the "
    "weights that were kept."
)


def _picture(
    samples: PredictedSamples, number: int, note: str, task: Task, saliency: np.ndarray
) -> bytes:
    target, facts = samples.explanation(number, task)
    truth = f", true {facts['true_class']}" if facts["true_class"] else ""
    about = samples.geometry[number]
    words = task.explained_words(target)
    title = f"{task.name}: evidence for {words}"
    if not saliency.any():
        title += " (none: the map is zero)"
    return overlays.draw(
        samples.images[number][..., 0],
        saliency,
        f"{title}\npredicted {prediction_text(task, samples, number)}{truth}",
        note,
        spacing=None if about is None else about.spacing_mm,
        left="" if about is None else about.left,
    )


def _kept_epoch(fit: Fit) -> int:
    """The number of epochs until the kept weights."""
    history = pd.read_csv(fit.run.history)
    return int(history.loc[history["selected"] == 1, "epoch"].max()) + 1
