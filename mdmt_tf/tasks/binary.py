"""One of two classes, with one logit."""

import numpy as np

from mdmt_tf.tasks.classes import ClassTask, cumulative_probabilities
from mdmt_tf.tasks.losses import (
    Loss,
    mean_over_outputs,
    sigmoid_cross_entropy,
    sigmoid_focal,
    sigmoid_squared_error,
)


class Binary(ClassTask):
    """One of two classes: one logit, that of the second; sigmoid cross-entropy."""

    kind = "binary"
    prediction_rule = "argmax"
    # Cross-entropy of the two classes with the logits 0 and z is that of sigmoid(z).
    losses = {
        "bce": Loss(mean_over_outputs(sigmoid_cross_entropy)),
        "cross_entropy": Loss(mean_over_outputs(sigmoid_cross_entropy)),
        "focal": Loss(mean_over_outputs(sigmoid_focal), mixes=False),
        "mse": Loss(mean_over_outputs(sigmoid_squared_error), 0.5),
    }

    @property
    def n_classes(self) -> int:
        return 2

    @property
    def grades(self) -> tuple[float, ...]:
        """0 and 1, unless the names of the classes are numbers."""
        return super().grades or (0.0, 1.0)

    @property
    def n_outputs(self) -> int:
        return 1

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """0 or 1, float32 (n, 1), and whether it is known."""
        classes = self.encode(labels)
        known = classes >= 0
        return np.where(known, classes, 0).astype(np.float32)[:, np.newaxis], known

    def probabilities(self, logits, ops=np):
        """1 - p and p = sigmoid(logit), (n, 2)."""
        return cumulative_probabilities(logits, ops)

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        return self.mixture_text([1 - target[0], target[0]])

    def score(self, logits, target, ops):
        """The logit for the second class, minus the logit for the first."""
        return logits[:, 0] * np.where(target == 1, 1.0, -1.0).astype(np.float32)
