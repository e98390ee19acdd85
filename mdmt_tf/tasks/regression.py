"""A number."""

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.tasks.answer import Answer, Property, label_is_known
from mdmt_tf.tasks.base import Problem, Task
from mdmt_tf.tasks.losses import Loss, huber, mean_over_outputs, squared_error

_QUARTERS = ("quarter 1", "quarter 2", "quarter 3", "quarter 4")


class NumberAnswer(Answer):
    """An answer that is a number."""

    @property
    def title(self) -> str:
        return self.name if self.unit is None else f"{self.name} ({self.unit})"

    @property
    def class_names(self) -> tuple[str, ...]:
        return ()

    @property
    def properties(self) -> frozenset[Property]:
        return frozenset({Property.NUMBER, Property.SCALE})

    @property
    def grades(self) -> tuple[float, ...]:
        return ()

    def encode(self, labels: np.ndarray) -> np.ndarray:
        labels = np.asarray(labels)
        if labels.dtype.kind not in "biuf":
            raise DataError(
                f"task {self.name!r}: expected numbers for a regression. Received: "
                f"{labels[0]!r}, for example. Is `from` the right field?"
            )
        # -1 means unknown in integers only; in floats it is NaN.
        return np.where(label_is_known(labels), labels, np.nan).astype(np.float64)

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The value, float64 (n,)."""
        return np.asarray(probabilities, np.float64)[:, 0]

    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The squared error."""
        return (self.prediction(probabilities) - targets) ** 2

    @property
    def probability_columns(self) -> tuple[str, ...]:
        return ("prediction",)

    def explanation(self, probabilities, encoded, target):
        known = encoded is not None and np.isfinite(encoded)
        return {
            "class_explained": "value",
            "predicted": f"{probabilities[0]:.4g}",
            "probability": None,
            "true_class": f"{encoded:.4g}" if known else "",
        }

    def explained_words(self, target: int | None) -> str:
        return "the value"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression(NumberAnswer, Task):
    """A number: one output, standardised.

    The value is mean + std * output, in the unit of the label. The loss compares the
    output with (label - mean) / std, and is the negative log-likelihood of that label
    at unit variance, such as half the squared error. So its gradient does not depend on
    the unit, and begins about as large as that of a cross-entropy.

    Attributes:
        mean, std: of the known labels of the training split, each row counted once,
            after `fitted`. 0 and 1 before, and without `standardize`.
        is_fitted: whether these are from the labels. If not, the loss is the whole
            squared error in the unit of the label.
    """

    kind = "regression"
    prediction_rule = "value"
    losses = {
        "mse": Loss(mean_over_outputs(squared_error), likelihood_factor=0.5),
        "huber": Loss(mean_over_outputs(huber), mixes=False),
    }
    is_standardized = True

    mean: float = 0.0
    std: float = 1.0
    is_fitted: bool = False

    @property
    def likelihood_factor(self) -> float:
        """1 after `fitted`, because the loss has the factor already."""
        return 1.0 if self.is_fitted else super().likelihood_factor

    @property
    def trained_factor(self) -> float:
        """1 / (2 std^2): half the squared error of standardised values.

        Example:
            >>> Regression(name="age").fitted(np.array([30.0, 50.0])).trained_factor
            0.005
        """
        return 0.5 / self.std**2 if self.is_fitted else 1.0

    @property
    def n_outputs(self) -> int:
        return 1

    @property
    def initial_scale(self) -> float:
        """1/2 if standardised, so that predictions begin near the mean.

        The outputs of new heads are 1 to 5 in size. The gradient of a squared error
        grows with them, while that of a cross-entropy is bounded. With 1/2, the
        gradients of the shared backbone begin within a factor of 5 of each other.
        """
        return 0.5 if self.standardize else 1.0

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.cut_points or self.classes or self.class_weights:
            yield (), ": a regression has no classes, cut_points or class_weights."
        if self.oversample:
            yield (
                ("oversample",),
                ": a regression has no classes to draw equally often.",
            )

    def description(self) -> dict:
        """Also mean and std of the training labels: value = mean + std * output."""
        return super().description() | {"mean": self.mean, "std": self.std}

    def baseline_problem(self) -> str | None:
        return (
            "is a regression; a baseline of fields needs classes. Of images, thumbnail "
            "and features predict numbers, too."
        )

    def fitted(self, encoded: np.ndarray) -> "Regression":
        """The task with mean and std (divided by n) of the known labels.

        Labels that are all equal have the std 1 instead of 0, with a warning. Without
        `standardize`, or without known labels, returns the task itself.

        Raises: DataError when a label is infinite, or too large to be squared, or when
            all are too close to each other.

        Example:
            >>> age = Regression(name="age").fitted(np.array([30.0, 50.0, np.nan]))
            >>> age.mean, age.std
            (40.0, 10.0)
        """
        values = encoded[~np.isnan(encoded)]
        if not (self.standardize and len(values)):
            return self
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = float(values.mean()), float(values.std())
        are_equal = values.min() == values.max()
        if not np.isfinite([mean, std]).all() or (std == 0 and not are_equal):
            raise DataError(
                f"task {self.name!r}: the labels of the training split, from "
                f"{values.min():g} to {values.max():g}, cannot be standardised. "
                "Expected finite numbers whose squares are neither too large nor too "
                "small. Correct the label field, or mark such labels as unknown."
            )
        if are_equal:
            warnings.warn(
                f"task {self.name!r}: all {len(values)} labels of the training split "
                f"are {values[0]:g}. The std is 0, and 1 is used instead.",
                DataWarning,
                stacklevel=2,
            )
            mean, std = float(values[0]), 1.0
        return dataclasses.replace(self, mean=mean, std=std, is_fitted=True)

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The standardised value, float32 (n, 1), and whether it is known."""
        values = self.encode(labels)
        known = ~np.isnan(values)
        scaled = (np.where(known, values, self.mean) - self.mean) / self.std
        return scaled.astype(np.float32)[:, np.newaxis], known

    def class_counts(self, encoded: np.ndarray) -> np.ndarray:
        """The known values, int64 (1,)."""
        return np.array([np.count_nonzero(~np.isnan(encoded))])

    def counts_text(self, counts: np.ndarray) -> str:
        return f"{counts[0]} values"

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """Quarters of the values by rank."""
        values = self.encode(labels)
        known = ~np.isnan(values)
        quarters = np.quantile(values[known], (0.25, 0.5, 0.75)) if any(known) else []
        places = np.where(known, np.digitize(values, quarters), -1)
        return np.array([*_QUARTERS, "unknown"], object)[places]

    def training_loss(self, targets, logits, ops):
        loss = super().training_loss(targets, logits, ops)
        return super().likelihood_factor * loss if self.is_fitted else loss

    def reported_loss(self, targets, logits, ops):
        """The squared error in the unit of the labels."""
        return self.std**2 * super().reported_loss(targets, logits, ops)

    def probabilities(self, logits, ops=np):
        """The value in the unit of the labels, (n, 1)."""
        return self.mean + self.std * ops.array(logits, dtype="float64")

    @property
    def scale(self) -> float:
        return self.std

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        return f"{self.mean + self.std * float(target[0]):g}"

    def score(self, logits, target, ops):
        """The value in the unit of the labels."""
        return self.mean + self.std * ops.sum(logits, axis=-1)
