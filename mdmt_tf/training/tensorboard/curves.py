"""Precision-recall curves for the PR CURVES tab of TensorBoard.

TensorBoard's own function needs a graph of TensorFlow 1. The numbers that it stores are
computed here instead, with those of its format.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorboard.plugins.pr_curve import metadata

from mdmt_tf.tasks import Answer

# As many as TensorBoard has by default.
_THRESHOLDS = 201
# Curves of one answer; more would be pages of charts.
_MOST = 6


def write_curves(tag, answers) -> None:
    """Write the curves of one answer to the default writer, at the default step.

    Args:
        tag: function from the name of a class to that of its chart.
        answers: its components with their labels and probabilities. A class without
            labelled rows, or that all rows have, has no curve.
    """
    described = metadata.create_summary_metadata("", _DESCRIPTION, _THRESHOLDS)
    for name, positive, score in _of_classes(answers):
        counts = curve(positive, score)
        tf.summary.write(tag(name), counts, metadata=described)


_DESCRIPTION = (
    "Precision and recall of the class at each threshold of its raw probability, by "
    "image. validation: of the epochs whose weights were kept."
)


def curve(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Counts, precision and recall at 201 thresholds from 0 to 1.

    Args:
        positive: bool (n,), the truth.
        score: (n,) in [0, 1]; rows with the score of a threshold are above it.
    Returns: float32 (6, 201): true positives, false positives, true negatives, false
        negatives, precision (0 where nothing is above), recall.

    Example:
        >>> found = curve(np.array([True, False]), np.array([0.8, 0.3]))
        >>> found[:, 100].tolist()  # the threshold 0.5
        [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    """
    positive = np.asarray(positive, bool)
    last = _THRESHOLDS - 1
    place = np.floor(np.asarray(score, np.float64) * last).astype(int)
    above = [
        np.bincount(place[rows], minlength=_THRESHOLDS)[::-1].cumsum()[::-1]
        for rows in (positive, ~positive)
    ]
    true, false = (counts.astype(np.float64) for counts in above)
    precision = true / np.maximum(true + false, 1)
    recall = true / max(positive.sum(), 1)
    rest = [(~positive).sum() - false, positive.sum() - true]
    return np.stack([true, false, *rest, precision, recall]).astype(np.float32)


def _of_classes(
    answers: list[tuple[Answer, np.ndarray, np.ndarray]],
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The name of each class, who has it, and its probabilities."""
    found = []
    for component, labels, chances in answers:
        several = len(answers) > 1
        for index, label in enumerate(component.class_names):
            # The positive class of two says all.
            if component.n_classes == 2 and not index:
                continue
            name = component.name.rpartition("/")[2] if several else label
            # TensorBoard sorts: in the order of the classes.
            name = f"{len(found) + 1} {name}" if component.n_classes > 2 else name
            found.append((name, labels == index, chances[:, index]))
    for name, positive, score in found[:_MOST]:
        if positive.any() and not positive.all():
            yield name, positive, score
