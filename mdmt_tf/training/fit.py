"""What the steps of a fit share, and the predictions of its model."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.samples import Samples
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.models.dataset_normalization import UNSEEN
from mdmt_tf.runs.evaluation import check_numbers
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.line import Line
from mdmt_tf.tasks.derived import with_derived


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The values that the steps of a fit share, named as in `train`.

    Without a folder `run`, nothing can be saved, as in `dry_run`.
    """

    config: Config
    run: RunFolder | None
    inputs: Inputs
    training_set: TrainingSet
    layers: AugmentationLayers
    manifest: dict
    line: Line

    @property
    def write(self) -> Callable[[str], object]:
        """Receives texts for the user, in place of the line of progress."""
        return self.line.write

    @property
    def statistics(self) -> dict[str, float] | None:
        """Fraction of each dataset in the statistics for images of no dataset.

        None if all datasets have the same statistics of normalisation.
        """
        if not self.config.model.is_per_dataset:
            return None
        names = [dataset.name for dataset in self.inputs.datasets]
        chosen = self.config.model.unseen_dataset
        if chosen in names:
            return {name: float(name == chosen) for name in names}
        rows = np.bincount(self.training_set.samples.dataset, minlength=len(names))
        # Those that are for training alone do not stand for the images to come.
        judged = rows * np.isin(names, self.inputs.judged)
        rows = judged if judged.any() else rows
        return dict(zip(names, (rows / rows.sum()).tolist(), strict=True))


def predict(
    model: keras.Model,
    samples: Samples,
    inputs: Inputs,
    config: Config,
    *,
    unseen: bool = False,
) -> dict[str, np.ndarray]:
    """{answer: probabilities (n, classes)} of samples, in their order.

    Args:
        unseen: whether to predict the images as if they were of no dataset of the run;
            it matters where each dataset has its own statistics of normalisation.
    Raises: MdmtError for a prediction that is no number.
    """
    dataset = inputs_of(samples, inputs, config, unseen=unseen)
    logits = model.predict(dataset, verbose=0)
    logits = {task.name: logits[task.name][: len(samples)] for task in inputs.tasks}
    # Before probabilities: that of an infinite logit is 1.
    check_numbers(logits, samples)
    predicted = {
        task.name: task.probabilities(logits[task.name]) for task in inputs.tasks
    }
    return with_derived(predicted, inputs.derived)


def inputs_of(
    samples: Samples, inputs: Inputs, config: Config, *, unseen: bool = False
) -> tf.data.Dataset:
    """The inputs of the model for samples, see `pipeline.image_dataset`."""
    numbers = None
    if config.model.is_per_dataset:
        numbers = np.full(len(samples), UNSEEN) if unseen else samples.dataset
    return pipeline.image_dataset(
        samples.image,
        inputs.images,
        batch_size=config.training.batch_size,
        normalization=config.normalization,
        dataset=numbers,
    )
