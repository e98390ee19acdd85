"""What a task is: its classes, its targets, which labels of which datasets feed it.

A task is facts only. One model serves any number of tasks; a sample counts for a task
exactly when the indicator I(x, task) says so: when the dataset of x feeds the task and
the label of x is known (eq. 2 of Ruffini et al., MICCAI 2024).

This module needs numpy only, so that folds, tables and statistics can use it without
loading TensorFlow.
"""

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from mdmt_tf.errors import DataError


class Kind(str, enum.Enum):
    """How the target of a task is coded, and so its loss and its metrics."""

    CATEGORICAL = "categorical"  # one of k classes: k logits, softmax cross-entropy
    BINARY = "binary"  # one of 2 classes: 1 logit, sigmoid cross-entropy
    ORDINAL = "ordinal"  # k ordered classes: k - 1 cumulative logits P(class > j)
    REGRESSION = "regression"  # a number: 1 output, squared error


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One thing to predict from an image.

    Attributes:
        name: key of the model's output, its loss, its metrics and its rows in tables.
        kind: see `Kind`.
        classes: names of the classes, in the order of their index. The last class of a
            two-class task is the positive one. May be empty where there are cut points.
        cut_points: ascending bounds that turn a numeric label into a class, the lower
            bound inclusive: (5, 9, 14) are 4 classes, a label of 5 is in the second.
        sources: dataset name -> label field of that dataset.
        weight: factor of this task's loss in the total loss.
        class_weights: factor of the loss of a row by its class; "balanced" stands for
            n / (k n_c) counted on the training rows; None for 1.
        oversample: whether training draws the rows of each class equally often, those
            of smaller classes several times an epoch; see `mdmt_tf.data.sampling`.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    weight: float = 1.0
    class_weights: tuple[float, ...] | str | None = None
    oversample: bool = False
    descending: bool = False

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for regression."""
        if self.kind is Kind.REGRESSION:
            return 0
        if self.kind is Kind.BINARY:
            return 2
        return len(self.classes) or len(self.cut_points) + 1

    @property
    def n_outputs(self) -> int:
        """Width of the model's output for this task."""
        if self.kind is Kind.CATEGORICAL:
            return self.n_classes
        if self.kind is Kind.ORDINAL:
            return self.n_classes - 1
        return 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; made from the cut points where none were given."""
        if self.kind is Kind.REGRESSION:
            return ()
        if self.classes:
            return self.classes
        if not self.cut_points:
            return tuple(str(index) for index in range(self.n_classes))
        cuts = [f"{cut:g}" for cut in self.cut_points]
        inner = [f"{a} to <{b}" for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        names = (f"<{cuts[0]}", *inner, f">={cuts[-1]}")
        return names[::-1] if self.descending else names

    def to_class(self, labels: np.ndarray) -> np.ndarray:
        """Class index of each label, -1 where the label is unknown.

        Args:
            labels: array (n,) in the dataset's own words. Unknown is -1 in an integer
                array, NaN in a floating one, "" in one of strings.
        Returns: int64 (n,); for regression 0 where known and -1 where unknown.
        Raises: DataError for a label that is no class of this task.
        """
        labels = np.asarray(labels)
        known = label_is_known(labels)
        result = np.full(len(labels), -1, np.int64)
        if self.kind is Kind.REGRESSION:
            result[known] = 0
        elif self.cut_points:
            # Lower bound inclusive, as eq. 4 has it: G < 5 -> 0, 5 <= G < 9 -> 1, ...
            steps = np.digitize(labels[known].astype(float), self.cut_points)
            result[known] = len(self.cut_points) - steps if self.descending else steps
        elif labels.dtype.kind in "OSU":
            index = {name: i for i, name in enumerate(self.class_names)}
            self._refuse(labels, known & ~np.isin(labels, list(index)))
            result[known] = [index[label] for label in labels[known]]
        else:
            values = np.where(known, labels, 0)
            wrong = (values < 0) | (values >= self.n_classes) | (values % 1 != 0)
            self._refuse(labels, known & wrong)
            result[known] = labels[known].astype(np.int64)
        return result

    def to_target(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets of the loss and the indicator I(x, task) for each label.

        Args:
            labels: as for `to_class`.
        Returns:
            target: categorical int32 (n,), the class; binary float32 (n, 1), 0 or 1;
                ordinal float32 (n, k - 1), 1 where the class is above j; regression
                float32 (n, 1). Rows of unknown label hold zeros, a finite placeholder:
                a NaN times a weight of 0 would still be NaN.
            known: bool (n,).
        """
        classes = self.to_class(labels)
        known = classes >= 0
        filled = np.where(known, classes, 0)
        if self.kind is Kind.CATEGORICAL:
            return filled.astype(np.int32), known
        if self.kind is Kind.BINARY:
            return filled.astype(np.float32)[:, None], known
        if self.kind is Kind.ORDINAL:
            above = filled[:, None] > np.arange(self.n_classes - 1)
            return above.astype(np.float32), known
        values = np.where(known, np.asarray(labels, np.float64), 0.0)
        return values.astype(np.float32)[:, None], known

    def to_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """What the model says about each class, from its logits.

        Args:
            logits: float (n, n_outputs).
        Returns: float64 (n, n_classes), rows sum to 1; regression: (n, 1), the value.
            Ordinal logits give P(class > j); where those rise with j, which no
            distribution can, the running minimum is taken.
        """
        logits = np.asarray(logits, np.float64)
        if self.kind is Kind.REGRESSION:
            return logits
        if self.kind is Kind.CATEGORICAL:
            powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        # The two-sided form cannot overflow.
        above = 0.5 * (1.0 + np.tanh(0.5 * logits))
        above = np.minimum.accumulate(above, axis=-1)
        edge = np.ones((len(above), 1))
        return -np.diff(np.concatenate([edge, above, 0 * edge], axis=-1), axis=-1)

    def to_prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The predicted class (int64), or value (float64) for regression, of each row.

        Args:
            probabilities: (n, n_classes), or (n, 1) for regression. An ordinal class is
                the number of thresholds j with P(class > j) > 1/2, the median of the
                distribution; any other class is the most probable one.
        """
        probabilities = np.asarray(probabilities, np.float64)
        if self.kind is Kind.REGRESSION:
            return probabilities[:, 0]
        if self.kind is Kind.ORDINAL:
            above = 1.0 - np.cumsum(probabilities, axis=-1)[:, :-1]
            return (above > 0.5).sum(axis=-1)
        return probabilities.argmax(axis=-1)

    def _refuse(self, labels: np.ndarray, wrong: np.ndarray) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"task {self.name!r}: label {labels[row]!r} in row {row} is none of "
                f"its {self.n_classes} classes ({', '.join(self.class_names)}); "
                f"{int(wrong.sum())} such rows. Expected a class index, -1 or NaN for "
                "unknown, or a class name. Is `from` the right field, or are "
                "`cut_points` missing?"
            )


def label_is_known(labels: np.ndarray) -> np.ndarray:
    """Bool (n,): False for -1 in integers, NaN in floats, "" in strings."""
    labels = np.asarray(labels)
    if labels.dtype.kind in "OSU":
        return labels != ""
    if labels.dtype.kind == "f":
        return ~np.isnan(labels)
    if labels.dtype.kind == "b":
        return np.ones(len(labels), bool)
    return labels != -1
