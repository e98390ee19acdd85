"""What training takes from its rows: the weight of each, and how often it is drawn."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mdmt_tf.data.samples import Samples
from mdmt_tf.data.sampling import Draws, plan_draws
from mdmt_tf.errors import DataError
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """Rows to train with, n of them.

    Attributes:
        samples: the rows.
        weights: task -> float32 (n, ...), I(x, task) times the weight of the class.
        class_counts: task -> int64 (n_classes,), rows of each class; (1,), the known
            rows, for a regression.
        draws: how often an epoch takes rows of which dataset and class.
    """

    samples: Samples
    weights: Mapping[str, np.ndarray]
    class_counts: Mapping[str, np.ndarray]
    draws: Draws


def build_training_set(
    samples: Samples, sampling: str = "union", temperature: float = 1.0
) -> TrainingSet:
    """Count the classes of the rows and derive weights and draws from that.

    Args:
        samples: rows to train with.
        sampling, temperature: see `mdmt_tf.data.sampling`.
    Raises: DataError for a task without any known label, or without a row of a class
        where its class weights are to be balanced.
    """
    counts, weights = {}, {}
    for task in samples.tasks:
        labels, known = samples.labels[task.name], samples.known[task.name]
        counts[task.name] = count_classes(task, labels)
        if not counts[task.name].sum():
            raise DataError(
                f"task {task.name!r}: no image in the training split has a known label "
                f"(from {', '.join(f'{d}.{f}' for d, f in task.sources.items())})."
            )
        of_class = class_weights(task, counts[task.name])
        weights[task.name] = (
            known.astype(np.float32) * of_class[np.maximum(_classes(labels), 0)]
        )
    draws = plan_draws(
        samples.dataset, oversampled_classes(samples), sampling, temperature
    )
    return TrainingSet(
        samples=samples, weights=weights, class_counts=counts, draws=draws
    )


def oversampled_classes(samples: Samples) -> np.ndarray:
    """int64 (n,), the class of the task for which the dataset of a row is oversampled;
    -1 where it is for none, or the class is unknown."""
    classes = np.full(len(samples), -1)
    for task in samples.tasks:
        if task.oversample:
            known = samples.known[task.name]
            classes[known] = samples.labels[task.name][known]
    return classes


def class_weights(task: Task, counts: np.ndarray) -> np.ndarray:
    """The factor of the loss of a row, for each class of the task.

    Args:
        task: its `class_weights` are "balanced", numbers, or None.
        counts: int (n_classes,), training rows of each class.
    Returns: float32 (n_classes,); (1,) of 1 for a regression. "balanced" is
        n / (k n_c), so that each class has the same sum and the mean over rows is 1.
    Raises: DataError for "balanced" when a class has no training row.
    """
    if task.class_weights is None:
        return np.ones(len(counts), np.float32)
    if task.class_weights != "balanced":
        return np.asarray(task.class_weights, np.float32)
    if not counts.all():
        empty = task.class_names[int(np.argmin(counts))]
        raise DataError(
            f"task {task.name!r}: class_weights = balanced, but class {empty!r} has no "
            "image in the training split. Give numbers, or merge classes."
        )
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def count_classes(task: Task, labels: np.ndarray) -> np.ndarray:
    """Rows of each class, int64 (n_classes,); known rows, (1,), for a regression."""
    classes = _classes(labels)
    return np.bincount(classes[classes >= 0], minlength=max(task.n_classes, 1))


def _classes(labels: np.ndarray) -> np.ndarray:
    """Class indices; a value of a regression is class 0, NaN is -1."""
    if labels.dtype.kind == "f":
        return np.where(np.isnan(labels), -1, 0)
    return labels
