"""Lower the learning rate on a plateau, with the semantics of PyTorch.

Keras' own `ReduceLROnPlateau` counts differently (an absolute margin, one epoch less of
patience) and loses its count when a run is interrupted.
"""

import keras
import numpy as np

from mdmt_tf.config.schema import PlateauSection
from mdmt_tf.metrics.table import improves

# As in torch: the rate is not changed by less than this.
_SMALLEST_CHANGE = 1e-8


class Plateau(keras.callbacks.Callback):
    """r <- max(factor r, min_learning_rate) after more than `patience` bad epochs.

    An epoch is bad unless its metric is better than the best so far by the relative
    `threshold`: below best (1 - threshold), or above best (1 + threshold) for metrics
    that should rise. After each reduction the count begins again. All epochs count,
    including the warm-up. An epoch without a defined metric is bad.

    The state is `progress` (best, bad_epochs); the optimizer keeps the rate.

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
