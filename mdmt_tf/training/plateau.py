"""Lower the learning rate on a plateau, with the semantics of PyTorch.

Keras' own `ReduceLROnPlateau` counts differently (an absolute margin, one epoch less of
patience) and loses its count when a run is interrupted.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from mdmt_tf.config.schema import PlateauSection
from mdmt_tf.data.samples import Samples
from mdmt_tf.metrics.table import improves
from mdmt_tf.tasks import Task

# As in torch: the rate is not changed by less than this.
_SMALLEST_CHANGE = 1e-8


class Plateau(keras.callbacks.Callback):
    """r <- max(factor r, min_learning_rate) after more than `patience` bad epochs.

    Args:
        settings: of `training.plateau`.
        task, metric: of `training.select_on`; followed if `follows` is "selected".
        tasks, labels: those of `total_loss`; followed if `follows` is "total".

    An epoch is bad unless its metric is better than the best so far by the relative
    `threshold`: below best (1 - threshold), or above best (1 + threshold) for metrics
    that should rise. After each reduction the count begins again. All epochs count,
    including the warm-up, except those in which the metric is not defined.

    The state is `progress` (best, bad_epochs); the optimizer keeps the rate.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau with threshold_mode="rel" and
    cooldown=0.
    """

    def __init__(
        self,
        settings: PlateauSection,
        task: str,
        metric: str,
        tasks: Sequence[Task] = (),
        labels: Mapping[str, int] | None = None,
    ):
        super().__init__()
        self._settings = settings
        self._tasks = tasks
        self._labels = labels or {}
        self._key = f"validation/{task}/{metric}"
        self._falls = settings.follows == "total" or improves(metric, 0.0, 1.0)
        self.progress = {"best": None, "bad_epochs": 0}

    def on_epoch_end(self, epoch, logs=None):
        settings = self._settings
        is_total = settings.follows == "total"
        value = (
            total_loss(logs, self._tasks, self._labels) if is_total else logs[self._key]
        )
        if np.isnan(value):
            return
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
        if best is None:
            return True
        if self._falls:
            return value < best * (1.0 - self._settings.threshold)
        return value > best * (1.0 + self._settings.threshold)


def total_loss(
    logs: Mapping[str, float], tasks: Sequence[Task], labels: Mapping[str, int]
) -> float:
    """The validation losses of all tasks together, sum_t l_t n_t a_t L_t / sum_t n_t.

    l_t is `Task.weight`, n_t the number of labelled validation rows, L_t the metric
    `loss` on them, and a_t L_t that loss as it is trained, see `Task.trained_factor`.
    This is eq. 2 of Ruffini et al. 2024 on the validation rows, up to a constant
    factor, with each task's first loss.

    Args:
        logs: of an epoch, with `validation/<task>/loss`.
        tasks: the trained tasks, as fitted.
        labels: of the validation rows, see `count_labels`.
    Returns: the loss; NaN if no row of any task is labelled.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> tasks = [make_task(kind="regression", name=name) for name in ("age", "gcs")]
        >>> logs = {"validation/age/loss": 2.0, "validation/gcs/loss": 6.0}
        >>> total_loss(logs, tasks, {"age": 30, "gcs": 10})
        3.0
    """
    total = rows = 0.0
    for task in tasks:
        # Labels; the training loss averages over those of an image.
        n = labels[task.name] / len(task.components)
        if n:
            loss = task.trained_factor * logs[f"validation/{task.name}/loss"]
            total += task.weight * n * loss
            rows += n
    return total / rows if rows else float("nan")


def count_labels(samples: Samples) -> dict[str, int]:
    """Task -> its labels of the rows, of a multilabel row several.

    Those of images, also where metrics are of patients: all tasks are counted alike.
    """
    return {name: int(known.sum()) for name, known in samples.known.items()}
