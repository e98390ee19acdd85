"""The rows of training, with their weights and how often they are drawn."""

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from mdmt_tf.data.samples import Samples
from mdmt_tf.data.sampling import Draws, plan_draws, steps_per_epoch
from mdmt_tf.errors import DataError


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """n rows to train with.

    Attributes:
        samples: the rows.
        weights: task -> float32 (n, *label_shape), I(x, task) times the weight of the
            class and of the patient.
        row_weights: task -> the same without the weight of the class, and as if classes
            were not oversampled: their sums are the prevalence of the classes.
        class_counts: task -> int64, labels of each class, see `Task.class_counts`.
        draws: how often an epoch draws the rows of each dataset and class.
    """

    samples: Samples
    weights: Mapping[str, np.ndarray]
    row_weights: Mapping[str, np.ndarray]
    class_counts: Mapping[str, np.ndarray]
    draws: Draws


def build_training_set(
    samples: Samples,
    sampling: str = "union",
    temperature: float = 1.0,
    weight_by: str = "image",
    untrained: Collection[str] = (),
) -> TrainingSet:
    """Count the classes of the rows, and derive weights and draws.

    Args:
        samples: rows to train with.
        sampling, temperature: see `mdmt_tf.data.sampling`.
        weight_by: "image": each labelled row has the same weight; "patient": see
            `patient_weights`. Balanced class weights then give each class the same sum
            of weights, so they count the patients of a class instead of its rows. A
            patient with rows of several classes counts for each by its fraction.
        untrained: tasks whose labels are left out on purpose; they may have none.
    Raises: DataError for another task without any known label, or with balanced class
        weights and a class without rows.
    """
    counts = {
        task.name: task.class_counts(samples.labels[task.name])
        for task in samples.tasks
    }
    for task in samples.tasks:
        if task.name not in untrained and not counts[task.name].sum():
            raise DataError(
                f"task {task.name!r}: no image in the training split has a known label "
                f"(from {task.sources_text})."
            )
    draws = plan_draws(
        samples.dataset, oversampled_classes(samples), sampling, temperature
    )
    weights, row_weights = {}, {}
    for task in samples.tasks:
        labels, known = samples.labels[task.name], samples.known[task.name]
        masses = counts[task.name]
        if not masses.sum():
            # Its head is in the model, but nothing trains it.
            nothing = np.zeros(known.shape, np.float32)
            weights[task.name] = row_weights[task.name] = nothing
            continue
        of_rows = natural = known.astype(np.float32)
        if weight_by == "patient":
            group = _separate(draws)
            of_rows = patient_weights(known, samples.patient, group)
            if task.class_weights == "balanced":
                masses = np.bincount(labels[known], of_rows[known], len(masses))
            of_rows = of_rows.astype(np.float32)
            if group.any():
                group = samples.dataset
            natural = patient_weights(known, samples.patient, group)
            natural = natural.astype(np.float32)
        row_weights[task.name] = natural
        weights[task.name] = of_rows * task.label_weights(labels, masses)
    return TrainingSet(
        samples=samples,
        weights=weights,
        row_weights=row_weights,
        class_counts=counts,
        draws=draws,
    )


def check_classes(rows: TrainingSet, tasks: Collection[str]) -> None:
    """Make sure that the rows have two classes of each task that tells classes apart.

    Args:
        rows: the training set.
        tasks: names of those to look at. With a fraction of the labels, or of the
            patients of a dataset, a single class may be what was drawn.
    Raises: DataError for a task with a single class.
    """
    for task in rows.samples.tasks:
        counts = rows.class_counts[task.name]
        is_single = task.n_classes > 1 and (counts > 0).sum() == 1
        if task.name in tasks and not task.label_shape and is_single:
            (only,) = np.flatnonzero(counts)
            name = task.class_names[only]
            raise DataError(
                f"task {task.name!r}: all {counts[only]} labelled images in the "
                f"training split are of the class {name!r} (from {task.sources_text}), "
                "so nothing can be learned. Look at the labels and at the cut points, "
                "or leave the task out."
            )


def count_steps(samples: Samples, batch_size: int) -> int:
    """Steps of an epoch that passes over the training rows once.

    The number does not depend on `sampling`, see `mdmt_tf.data.sampling`.
    """
    draws = plan_draws(samples.dataset, oversampled_classes(samples))
    return steps_per_epoch(draws.total, batch_size)


def patient_weights(
    known: np.ndarray, patient: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Weights of the rows by which each patient counts once.

    A row has the weight 1 / (rows of its patient whose label is known), times a factor
    by which the mean over the rows with a known label is 1. So the scale of the loss
    does not change.

    Args:
        known: bool (n, *label_shape). Each label of a vector has weights of its own.
        patient: int (n,), number of the patient of each row.
        group: int (n,). A patient counts once in each group, and the mean is 1 in each.
    Returns: float64 like `known`, 0 where the label is not known.

    Example:
        >>> known = np.array([True, True, True, False, True])
        >>> patient = np.array([0, 0, 0, 0, 1])
        >>> patient_weights(known, patient, np.zeros(5, int)).round(3).tolist()
        [0.667, 0.667, 0.667, 0.0, 2.0]
    """
    _, place = np.unique(np.stack([group, patient], 1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    columns = []
    for own in known.reshape(len(known), -1).T:
        images = np.bincount(place, own)[place]
        once = np.divide(own, images, out=np.zeros(len(own)), where=own)
        rows, patients = np.bincount(group, own), np.bincount(group, once)
        scale = np.divide(rows, patients, out=np.zeros(len(rows)), where=rows > 0)
        columns.append(once * scale[group])
    return np.stack(columns, axis=1).reshape(known.shape)


def _separate(draws: Draws) -> np.ndarray:
    """The groups of rows whose sums of weights the sampling determines, int (n,).

    If an epoch has every row once, all rows are one group, and patients of all datasets
    count alike. Otherwise datasets or classes are drawn more often on purpose, and the
    weights of patients leave the balance between them as it is.
    """
    once = np.array_equal(draws.counts, np.bincount(draws.stream))
    return np.zeros_like(draws.stream) if once else draws.stream


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
