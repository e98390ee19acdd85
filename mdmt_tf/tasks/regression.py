"""A number."""

from collections.abc import Iterator

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.tasks.base import Problem, Property, Task, label_is_known

_QUARTERS = ("quarter 1", "quarter 2", "quarter 3", "quarter 4")


class Regression(Task):
    """A number: one output, squared error."""

    kind = "regression"
    # The likelihood of a Gaussian has half the squared error.
    likelihood_factor = 0.5

    @property
    def class_names(self) -> tuple[str, ...]:
        return ()

    @property
    def n_outputs(self) -> int:
        return 1

    @property
    def properties(self) -> frozenset[Property]:
        return frozenset({Property.NUMBER, Property.SCALE})

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.cut_points or self.classes or self.class_weights:
            yield (), ": a regression has no classes, cut_points or class_weights."
        if self.oversample:
            yield (
                ("oversample",),
                ": a regression has no classes to draw equally often.",
            )

    def baseline_problem(self) -> str | None:
        return "is a regression; a baseline needs classes."

    def encode(self, labels: np.ndarray) -> np.ndarray:
        labels = np.asarray(labels)
        if labels.dtype.kind not in "biuf":
            raise DataError(
                f"task {self.name!r}: expected numbers for a regression. Received: "
                f"{labels[0]!r}, for example. Is `from` the right field?"
            )
        # -1 means unknown in integers only; in floats it is NaN.
        return np.where(label_is_known(labels), labels, np.nan).astype(np.float64)

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value, float32 (n, 1), and whether it is known."""
        values = self.encode(labels)
        known = ~np.isnan(values)
        return np.where(known, values, 0.0).astype(np.float32)[:, np.newaxis], known

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

    def loss(self, targets, logits, ops):
        return ops.mean(ops.square(targets - logits), axis=-1)

    def probabilities(self, logits, ops=np):
        """The value itself, (n, 1)."""
        return ops.array(logits, dtype="float64")

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The value, float64 (n,)."""
        return np.asarray(probabilities, np.float64)[:, 0]

    def row_loss(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The squared error."""
        return (self.prediction(probabilities) - targets) ** 2

    @property
    def probability_columns(self) -> tuple[str, ...]:
        return ("prediction",)

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        return f"{float(target[0]):g}"

    def score(self, logits, target, ops):
        """The output."""
        return ops.sum(logits, axis=-1)

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
