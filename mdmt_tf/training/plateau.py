"""Lower the learning rate on a plateau, with the semantics of PyTorch.

Keras' own `ReduceLROnPlateau` counts otherwise (an absolute margin, one epoch of
patience less) and forgets its count when a run is interrupted.
"""

import keras
import numpy as np

from mdmt_tf.config.schema import PlateauSection
from mdmt_tf.metrics.table import improves

# Of torch: a smaller change of the rate is not made.
_SMALLEST_CHANGE = 1e-8


class Plateau(keras.callbacks.Callback):
    """r <- max(factor r, min_learning_rate) after more than `patience` bad epochs.

    An epoch is bad unless its metric is better than the best so far by the relative
    `threshold`: below best (1 - threshold), or above best (1 + threshold) for metrics
    that should rise. After each reduction the count begins anew. It counts from the
    first epoch on, in the warm-up too. A metric that is not defined is bad.

    `progress` (best, bad_epochs) is all that it remembers; the rate is kept by the
    optimizer.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau with threshold_mode="rel" and
    cooldown=0.
    """

    def __init__(self, settings: PlateauSection, task: str, metric: str):
        super().__init__()
        self._settings = settings
        self._key = f"validation/{task}/{metric}"
        self._falls = improves(metric, 0.0, 1.0)
        self.progress = {"best": None, "bad_epochs": 0}

    def on_epoch_end(self, epoch, logs=None):
        value, settings = logs[self._key], self._settings
        if self._is_better(value):
            self.progress.update(best=value, bad_epochs=0)
        else:
            self.progress["bad_epochs"] += 1
        if self.progress["bad_epochs"] <= settings.patience:
            return
        self.progress["bad_epochs"] = 0
        optimizer = self.model.optimizer
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        lower = max(rate * settings.factor, settings.min_learning_rate)
        if rate - lower > _SMALLEST_CHANGE:
            optimizer.learning_rate = lower

    def _is_better(self, value):
        best = self.progress["best"]
        if np.isnan(value):
            return False
        if best is None:
            return True
        if self._falls:
            return value < best * (1.0 - self._settings.threshold)
        return value > best * (1.0 + self._settings.threshold)
