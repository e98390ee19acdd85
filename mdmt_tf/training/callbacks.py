"""Callbacks at the end of an epoch: evaluate, select, stop, record.

The callbacks run in the order of `trainer.py` and share the epoch's `logs`. The first
adds exact metrics under `<split>/<task>/<metric>`, the others read them. The state that
a callback needs to resume an interrupted run is its `progress`, plain values, which
`saving.SaveState` saves.
"""

import csv
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from mdmt_tf.errors import MdmtError
from mdmt_tf.metrics.table import improves
from mdmt_tf.models.weights import weights_file
from mdmt_tf.storage import replacing
from mdmt_tf.training import checkpoint
from mdmt_tf.training.losses import MaskedLoss
from mdmt_tf.training.weighting.model import current_weights

NAN = float("nan")


class EvaluateEpoch(keras.callbacks.Callback):
    """Add the epoch's metrics to `logs`.

    `train/<task>/loss` is the masked mean of `Task.reported_loss`, with class weights,
    augmentation and dropout. `weight/<task>` is the learned weight of a task, if
    weights are learned. `validation/<task>/<metric>` are exact metrics on the labelled
    validation rows.
    """

    def __init__(
        self,
        training_losses: Mapping[str, MaskedLoss],
        validate: Callable[[], dict[str, dict[str, float]]],
    ):
        super().__init__()
        self._losses = training_losses
        self._validate = validate
        # Time of the first epoch in the sessions before.
        self.seconds_before = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        trained = self.seconds_before + time.perf_counter() - self._start
        self.seconds_before = 0.0
        train_loss = float(logs["loss"])
        if not np.isfinite(train_loss):
            raise MdmtError(
                f"the training loss is {train_loss} in epoch {epoch + 1}: the weights "
                "are lost. Lower training.learning_rate, or use precision float32. The "
                "epochs before are in history.csv."
            )
        logs.clear()
        logs["train/loss"] = train_loss
        for name, metric in self._losses.items():
            logs[f"train/{name}/loss"] = float(metric.result())
        for name, weight in current_weights(self.model).items():
            logs[f"weight/{name}"] = weight
        for name, metrics in self._validate().items():
            for metric, value in metrics.items():
                logs[f"validation/{name}/{metric}"] = value
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(rate)
        logs["seconds"] = round(trained, 2)


class Selection(keras.callbacks.Callback):
    """Keep the weights of the best epoch; stop when no later epoch is better.

    During the first `warmup_epochs` epochs nothing is selected and patience does not
    count. This is the warm-up of Ruffini et al., which does not change the learning
    rate. An epoch in which the metric is not defined (for example, no labelled row of
    one class) says nothing: it is not selected, and patience does not count it. Until
    the metric has been defined once, the last epoch is kept.

    `best` holds the values of the model's variables in that epoch. They stay in memory,
    because writing a file of weights took a third of the time of a small epoch.
    """

    def __init__(
        self,
        task: str,
        metric: str,
        warmup_epochs: int,
        patience: int | None,
    ):
        super().__init__()
        self._metric = metric
        self.best: list[np.ndarray] | None = None
        self._key = f"validation/{task}/{metric}"
        self._warmup, self._patience = warmup_epochs, patience
        self.progress = {
            "best": None,
            "best_epoch": None,
            "waited": 0,
            "stopped": False,
        }

    def on_epoch_end(self, epoch, logs=None):
        logs["selected"] = 0
        if epoch < self._warmup:
            return
        value, best = logs[self._key], self.progress["best"]
        if np.isnan(value):
            if best is None:
                self._keep(epoch)
            return
        if improves(self._metric, value, NAN if best is None else best):
            self.progress.update(best=value, waited=0)
            self._keep(epoch)
            logs["selected"] = 1
            return
        self.progress["waited"] += 1
        self.count()
        if self.progress["stopped"]:
            self.model.stop_training = True

    def count(self) -> None:
        """Whether patience is at its end; it may have been raised for a resumed run."""
        over = self._patience is not None and self.progress["waited"] >= self._patience
        self.progress["stopped"] = over

    def _keep(self, epoch):
        self.progress["best_epoch"] = epoch
        self.best = checkpoint.values_of(self.model.variables)

    def write_best(self, model: keras.Model, path: Path) -> None:
        """Restore the model of the best epoch and save its weights."""
        for variable, value in zip(model.variables, self.best, strict=True):
            variable.assign(value)
        # Renamed into place, so that the file is always complete.
        with replacing(path, suffix=".weights.h5", durable=True) as partial:
            weights_file.save(model, partial)


class History(keras.callbacks.Callback):
    """`history.csv` with one row per epoch, rewritten and renamed into place."""

    def __init__(self, path: Path):
        super().__init__()
        self._path = path
        self.progress: list[dict] = []

    def on_epoch_end(self, epoch, logs=None):
        self.progress.append({"epoch": epoch, **logs})
        self.write()

    def write(self) -> None:
        """Write the epochs so far, if there are any."""
        if not self.progress:
            return
        with (
            replacing(self._path) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(self.progress[-1]), lineterminator="\n")
            writer.writeheader()
            for row in self.progress:
                writer.writerow(
                    {key: "" if _is_nan(value) else value for key, value in row.items()}
                )


def _is_nan(value) -> bool:
    return isinstance(value, float) and np.isnan(value)
