"""The rows of training, with their weights and how often they are drawn."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mdmt_tf.data.samples import Samples
from mdmt_tf.data.sampling import Draws, plan_draws
from mdmt_tf.errors import DataError


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """n rows to train with.

    Attributes:
        samples: the rows.
        weights: task -> float32 (n, *label_shape), I(x, task) times the weight of the
            class.
        class_counts: task -> int64, labels of each class, see `Task.class_counts`.
        draws: how often an epoch draws the rows of each dataset and class.
    """

    samples: Samples
    weights: Mapping[str, np.ndarray]
    class_counts: Mapping[str, np.ndarray]
    draws: Draws


def build_training_set(
    samples: Samples, sampling: str = "union", temperature: float = 1.0
) -> TrainingSet:
    """Count the classes of the rows, and derive weights and draws.

    Args:
        samples: rows to train with.
        sampling, temperature: see `mdmt_tf.data.sampling`.
    Raises: DataError for a task without any known label, or with balanced class weights
        and a class without rows.
    """
    counts, weights = {}, {}
    for task in samples.tasks:
        labels, known = samples.labels[task.name], samples.known[task.name]
        counts[task.name] = task.class_counts(labels)
        if not counts[task.name].sum():
            raise DataError(
                f"task {task.name!r}: no image in the training split has a known label "
                f"(from {task.sources_text})."
            )
        factors = task.label_weights(labels, counts[task.name])
        weights[task.name] = known.astype(np.float32) * factors
    draws = plan_draws(
        samples.dataset, oversampled_classes(samples), sampling, temperature
    )
    return TrainingSet(
        samples=samples, weights=weights, class_counts=counts, draws=draws
    )


def oversampled_classes(samples: Samples) -> np.ndarray:
    """int64 (n,): the class by which a row is oversampled.

    It is the class of the task for which the dataset of the row is oversampled. It is
    -1 if there is no such task, or the class is unknown.
    """
    classes = np.full(len(samples), -1)
    for task in samples.tasks:
        if task.oversample:
            known = samples.known[task.name]
            classes[known] = samples.labels[task.name][known]
    return classes
