"""One of k ordered classes."""

import numpy as np

from mdmt_tf.tasks.classes import (
    ClassTask,
    OrderedClasses,
    cumulative_probabilities,
)
from mdmt_tf.tasks.losses import (
    Loss,
    mean_over_outputs,
    sigmoid_cross_entropy,
    sigmoid_squared_error,
)


class Ordinal(OrderedClasses, ClassTask):
    """One of k ordered classes: k - 1 cumulative logits of P(class > j)."""

    kind = "ordinal"
    # It minimises the expected error in classes, and may be an improbable class.
    prediction_rule = "median"
    # Means over the k - 1 thresholds; "mse" is the ranked probability score over k - 1.
    losses = {
        "bce": Loss(mean_over_outputs(sigmoid_cross_entropy)),
        "mse": Loss(mean_over_outputs(sigmoid_squared_error), 0.5),
    }

    @property
    def n_outputs(self) -> int:
        return self.n_classes - 1

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 where the class is above j, float32 (n, k - 1); whether it is known."""
        classes = self.encode(labels)
        known = classes >= 0
        filled = np.where(known, classes, 0)
        above = filled[:, np.newaxis] > np.arange(self.n_classes - 1)
        return above.astype(np.float32), known

    def probabilities(self, logits, ops=np):
        """The probability of each class, (n, k), see `cumulative_probabilities`."""
        return cumulative_probabilities(logits, ops)

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The number of thresholds j with P(class > j) > 1/2: the median class."""
        probabilities = np.asarray(probabilities, np.float64)
        above = 1.0 - np.cumsum(probabilities, axis=-1)[:, :-1]
        return (above > 0.5).sum(axis=-1)

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        return self.mixture_text(-np.diff([1, *target, 0]))

    def score(self, logits, target, ops):
        """The sum of the cumulative logits, which grows with the class."""
        return ops.sum(logits, axis=-1)
