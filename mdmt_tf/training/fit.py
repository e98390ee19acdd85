"""What the steps of a fit share, and the predictions of its model."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from mdmt_tf.config import Config
from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.samples import Samples
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The values that the steps of a fit share, named as in `train`."""

    config: Config
    run: RunFolder
    inputs: Inputs
    training_set: TrainingSet
    layers: AugmentationLayers
    manifest: dict
    write: Callable[[str], object]
    is_terminal: bool


def predict(
    model: keras.Model, samples: Samples, inputs: Inputs, config: Config
) -> dict[str, np.ndarray]:
    """{task: probabilities (n, classes)} of samples, in their order."""
    dataset = pipeline.image_dataset(
        samples.image,
        inputs.images,
        batch_size=config.training.batch_size,
        normalization=config.normalization,
    )
    logits = model.predict(dataset, verbose=0)
    return {
        task.name: task.probabilities(logits[task.name][: len(samples)])
        for task in inputs.tasks
    }
