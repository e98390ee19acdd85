"""One of k classes."""

import numpy as np

from mdmt_tf.tasks.classes import ClassTask
from mdmt_tf.tasks.losses import (
    Loss,
    raw_squared_error,
    softmax_binary_cross_entropy,
    softmax_cross_entropy,
    softmax_focal,
    softmax_squared_error,
)


class Categorical(ClassTask):
    """One of k classes: k logits, softmax cross-entropy."""

    kind = "categorical"
    prediction_rule = "argmax"
    losses = {
        "cross_entropy": Loss(softmax_cross_entropy),
        "focal": Loss(softmax_focal, mixes=False),
        "mse": Loss(softmax_squared_error, 0.5),
        "bce": Loss(softmax_binary_cross_entropy),
        "raw_mse": Loss(raw_squared_error, 0.5, logit_scale=2.0),
    }

    @property
    def n_outputs(self) -> int:
        return self.n_classes

    def targets(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class int32 (n,), and whether it is known."""
        classes = self.encode(labels)
        known = classes >= 0
        return np.where(known, classes, 0).astype(np.int32), known

    def mixable_targets(self, targets, ops):
        """The fraction of each class, (n, k)."""
        return ops.one_hot(targets, self.n_classes, dtype="float32")

    def probabilities(self, logits, ops=np):
        """softmax(logits), (n, k); for the loss raw_mse see `raw_squared_error`."""
        logits = self._logits(ops.array(logits, dtype="float64"))
        powers = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))
        return powers / ops.sum(powers, axis=-1, keepdims=True)

    def reported_loss(self, targets, logits, ops):
        return super().reported_loss(targets, self._logits(logits), ops)

    def _logits(self, outputs):
        scale = self._chosen_loss.logit_scale
        return outputs if scale == 1 else scale * outputs

    def target_text(self, target: np.ndarray, known: np.ndarray) -> str:
        if np.ndim(target) == 0:
            return self.class_names[int(target)]
        return self.mixture_text(target)

    def score(self, logits, target, ops):
        """The logit of the class."""
        return ops.take_along_axis(logits, np.asarray(target)[:, np.newaxis], 1)[:, 0]
