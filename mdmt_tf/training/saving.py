"""Save the state of a fit after an epoch, after some time within one, or on request."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from mdmt_tf.errors import Interrupted
from mdmt_tf.training import checkpoint
from mdmt_tf.training.interruption import Interruption


class SaveState(keras.callbacks.Callback):
    """Save `checkpoints/last.h5`, after the callbacks that have a state.

    A state within an epoch also has the number of finished steps, and the sums of the
    training metrics of the epoch until then.

    Args:
        path: path of the newest state.
        remembering: name -> callback whose `progress` is saved; among them "selection".
        epochs: number of epochs of the whole training.
        interruption: once it is requested, the state is saved and training ends: within
            an epoch by `Interrupted`, after one by `stop_training`.
        check: called before a state is saved; it raises an error if the numbers of the
            fit are lost.
    """

    # Least time between two files; the last epoch always writes one. An interrupted run
    # repeats the steps since the last file, with the same results.
    SECONDS = 20.0
    # Likewise within an epoch, which may take hours.
    SECONDS_WITHIN = 600.0

    def __init__(
        self,
        path: Path,
        remembering: Mapping[str, keras.callbacks.Callback],
        epochs: int,
        interruption: Interruption | None = None,
        check: Callable[[], object] = lambda: None,
    ):
        super().__init__()
        self._path, self._remembering, self._epochs = path, remembering, epochs
        self._interruption = interruption or Interruption()
        self._check = check
        self.first_step, self.seconds_before, self._metrics = 0, 0.0, None

    def on_train_begin(self, logs=None):
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._begun = epoch, time.perf_counter()
        if self._metrics is not None:
            # Keras has reset them just before.
            for variable, value in zip(
                self.model.metrics_variables, self._metrics, strict=True
            ):
                variable.assign(np.array(value, variable.dtype))
            self._metrics = None

    def on_train_batch_end(self, batch, logs=None):
        is_due = time.monotonic() - self._saved >= self.SECONDS_WITHIN
        if not is_due and not self._interruption.requested:
            return
        step = self.first_step + batch + 1
        if step == self.first_step + self.params["steps"]:
            return  # The end of the epoch has a state of its own.
        values = checkpoint.values_of(self.model.metrics_variables)
        self._save(
            self._epoch,
            step=step,
            seconds=self.seconds_before + time.perf_counter() - self._begun,
            metrics=[value.tolist() for value in values],
        )
        if self._interruption.requested:
            raise Interrupted

    def on_epoch_end(self, epoch, logs=None):
        self.first_step, self.seconds_before = 0, 0.0
        is_last = epoch + 1 == self._epochs or self.model.stop_training
        is_due = time.monotonic() - self._saved >= self.SECONDS
        if is_last or is_due or self._interruption.requested:
            self._save(epoch + 1)
        if self._interruption.requested:
            self.model.stop_training = True

    def _save(self, next_epoch: int, **within) -> None:
        self._check()
        progress = {name: item.progress for name, item in self._remembering.items()}
        progress |= {"next_epoch": next_epoch, **within}
        best = self._remembering["selection"].best
        checkpoint.save_state(self._path, self.model, progress, best)
        self._saved = time.monotonic()

    def restore(self, model: keras.Model, path: Path) -> int:
        """Restore a saved state; returns the next epoch to train.

        `first_step` and `seconds_before` are of that epoch: its first step, and the
        time that the steps before have taken.
        """
        progress, best = checkpoint.load_state(path, model)
        self._remembering["selection"].best = best
        for name, item in self._remembering.items():
            item.progress = progress[name]
        # States of earlier versions are those of the end of an epoch.
        self.first_step = progress.get("step", 0)
        self.seconds_before = progress.get("seconds", 0.0)
        self._metrics = progress.get("metrics")
        return progress["next_epoch"]
