"""What a training will be, measured on a few steps; nothing is written.

The data are opened and the model is built as for a training. A few steps and a few
batches of validation are timed, and the rest follows by multiplication.
"""

import dataclasses
import math
import resource
import sys
import time
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.sampling import steps_per_epoch
from mdmt_tf.models.parameters import count_parameters
from mdmt_tf.models.weights import pretrained
from mdmt_tf.screen.line import Line
from mdmt_tf.training import strategy as devices
from mdmt_tf.training import trainer
from mdmt_tf.training.epochs import training_batches
from mdmt_tf.training.fit import Fit, predict
from mdmt_tf.training.losses import TaskLoss
from mdmt_tf.training.undefined_metric import warn_of_undefined
from mdmt_tf.training.weighting.model import current_weights

# Steps after the first one, which builds the graph, and seconds for them.
_STEPS, _SECONDS = 10, 20.0
# Batches for the loss at the start, and of the validation.
_BATCHES = 4


@dataclasses.dataclass(frozen=True)
class TaskLossAtStart:
    """The loss of a task before the first step.

    Attributes:
        loss: mean of `Task.training_loss` over the labelled rows; NaN without any.
        weight: of the task, times that of the method of weighting.
        fraction: of the total loss.
    """

    loss: float
    weight: float
    fraction: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Sizes of a fit, its loss at the start, and what its steps took.

    Attributes:
        image_shape, batch_size: of the input.
        outputs: task -> number of logits.
        backbone: number of its parameters.
        parameters, trained: number of all parameters, and of those that are trained.
        has_weights: whether it started from the weights of the settings; otherwise from
            random values, because the weights are not here.
        losses: task -> its loss at the start.
        steps, epochs: steps of an epoch, and epochs.
        timed: number of steps that were timed.
        first_step, step, validation: seconds of the first step, of the others, and of
            the validation of one epoch.
        memory: most bytes that the process has had, on the host or on one GPU.
        devices: names.
    """

    image_shape: tuple[int, ...]
    batch_size: int
    outputs: Mapping[str, int]
    backbone: int
    parameters: int
    trained: int
    has_weights: bool
    losses: Mapping[str, TaskLossAtStart]
    steps: int
    epochs: int
    timed: int
    first_step: float
    step: float
    validation: float
    memory: int
    devices: tuple[str, ...]

    @property
    def epoch_seconds(self) -> float:
        """One epoch with its validation."""
        return self.steps * self.step + self.validation

    @property
    def seconds(self) -> float:
        """All epochs, with the graph that the first step builds."""
        build = max(self.first_step - self.step, 0.0)
        return build + self.epochs * self.epoch_seconds


def measure(config: Config, inputs: Inputs) -> Measured:
    """Build the model of the settings and time a few steps.

    Weights that are not on this machine are replaced by random values.

    Args:
        config: resolved settings of a fit; its data are prepared.
        inputs: of `open_inputs`.
    Raises: ConfigError, DataError for errors that the user can correct.
    """
    warn_of_undefined(config, inputs)
    strategy = devices.build_strategy(config.training.devices)
    devices.check_batch_size(config.training.batch_size, strategy)
    fit = Fit(
        config=config,
        run=None,
        inputs=inputs,
        training_set=trainer.training_set_of(config, inputs),
        layers=trainer.augmentation_layers(config, inputs),
        manifest={},
        line=Line(lambda text: None, is_terminal=False),
    )
    model = config.model
    has_weights = pretrained.is_ready(model.backbone, model.weights)
    if not has_weights:
        model = model.model_copy(update={"weights": None, "start_heads": False})
        config = config.model_copy(update={"model": model})
    steps = steps_per_epoch(fit.training_set.draws.total, config.training.batch_size)
    names = tuple(devices.device_names(strategy))
    with trainer.precision(config.training.precision):
        with strategy.scope():
            networks = trainer.build_networks(config, inputs, model.weights)
        trainer.begin(fit, networks.model)
        losses = _losses(fit, networks)
        times = _time_steps(fit, networks.fitted, steps)
        validation = _time_validation(fit, networks.answering)
    counts = count_parameters(networks.model, config.model.backbone)
    later = np.diff(times)
    return Measured(
        image_shape=tuple(inputs.images.shape),
        batch_size=config.training.batch_size,
        outputs={task.name: task.n_outputs for task in inputs.tasks},
        backbone=counts["backbone"],
        parameters=counts["model"],
        trained=sum(math.prod(v.shape) for v in networks.model.trainable_variables),
        has_weights=has_weights,
        losses=losses,
        steps=steps,
        epochs=config.training.epochs,
        timed=len(later),
        first_step=times[0],
        # An epoch of one step has no other: the first one is all that is known.
        step=float(later.mean()) if len(later) else times[0],
        validation=validation,
        memory=_most_memory(names),
        devices=names,
    )


def _losses(fit: Fit, networks: trainer.Networks) -> dict[str, TaskLossAtStart]:
    """The mean loss of each task over the first batches, before any step."""
    learned, tasks = current_weights(networks.fitted), fit.inputs.tasks
    # Sums over labels, numbers of labels, and what Keras minimises, see `losses`.
    sums, counts, parts = ({task.name: 0.0 for task in tasks} for _ in range(3))
    # A batch has few labels of a rare task, so several are taken.
    for inputs, targets, known in training_batches(fit, 0, 1, 0).take(_BATCHES):
        logits = networks.model(inputs, training=True)
        for task in tasks:
            loss = TaskLoss(task, reduction=None)
            values = loss(targets[task.name], tf.cast(logits[task.name], tf.float32))
            weights = tf.reshape(known[task.name], tf.shape(values))
            sums[task.name] += float(tf.reduce_sum(values * weights))
            counts[task.name] += float(tf.reduce_sum(weights))
            parts[task.name] += float(tf.reduce_mean(values * weights))
    weight = {task.name: task.weight * learned.get(task.name, 1.0) for task in tasks}
    parts = {name: weight[name] * part for name, part in parts.items()}
    whole = sum(parts.values())
    return {
        name: TaskLossAtStart(
            loss=sums[name] / counts[name] if counts[name] else math.nan,
            weight=weight[name],
            fraction=part / whole if whole else math.nan,
        )
        for name, part in parts.items()
    }


class _Times(keras.callbacks.Callback):
    """Seconds since the begin at the end of each step; stops after some time."""

    def __init__(self):
        super().__init__()
        self.ends: list[float] = []
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter() - self._begun)
        if self.ends[-1] - self.ends[0] > _SECONDS:
            self.model.stop_training = True


def _time_steps(fit: Fit, model: keras.Model, steps: int) -> list[float]:
    """Seconds until the end of each step, the first of which builds the graph."""
    times = _Times()
    # A short epoch is repeated.
    epochs = math.ceil((1 + _STEPS) / steps)
    model.fit(
        training_batches(fit, 0, epochs, 0),
        epochs=epochs,
        steps_per_epoch=min(1 + _STEPS, steps),
        shuffle=False,
        verbose=0,
        callbacks=[times],
    )
    return times.ends


def _time_validation(fit: Fit, model: keras.Model) -> float:
    """Seconds for the predictions of the validation split."""
    validation, size = fit.inputs.samples["validation"], fit.config.training.batch_size
    batches = math.ceil(len(validation) / size)
    if not batches:
        return 0.0
    few = validation.take(np.arange(min(len(validation), _BATCHES * size)))
    # The first prediction builds the graph.
    predict(model, few.take(np.arange(min(len(few), size))), fit.inputs, fit.config)
    begun = time.perf_counter()
    predict(model, few, fit.inputs, fit.config)
    return (time.perf_counter() - begun) * batches / math.ceil(len(few) / size)


def _most_memory(names: tuple[str, ...]) -> int:
    gpus = [name for name in names if name.startswith("GPU")]
    if gpus:
        infos = [tf.config.experimental.get_memory_info(name) for name in gpus]
        return max(info["peak"] for info in infos)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
