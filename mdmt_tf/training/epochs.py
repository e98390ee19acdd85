"""The epochs of a fit, from the first or from a saved state to the best weights."""

import functools
from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.sampling import steps_per_epoch
from mdmt_tf.errors import Interrupted
from mdmt_tf.training import callbacks
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.interruption import Interruption
from mdmt_tf.training.judging import Judge
from mdmt_tf.training.lost_step import stop_when_lost
from mdmt_tf.training.plateau import Plateau, count_labels
from mdmt_tf.training.progress_lines import ProgressLines
from mdmt_tf.training.saving import SaveState
from mdmt_tf.training.tensorboard.charts import VALIDATION
from mdmt_tf.training.tensorboard.of_fit import tensorboard_of


def train_epochs(
    fit: Fit,
    model: keras.Model,
    answering: keras.Model,
    losses: Mapping,
    saved: Path | None,
    interruption: Interruption,
) -> None:
    """Train the model and save the weights of its best epoch.

    Args:
        answering: the model of the validation, with the same weights.
        losses: of `compile_model`.
        saved: the state to go on from.
    Raises: Interrupted when it is requested, with the state and the weights saved.
    """
    config, run, write = fit.config, fit.run, fit.write
    settings = config.training
    steps = steps_per_epoch(fit.training_set.draws.total, settings.batch_size)
    selection = callbacks.Selection(
        task=settings.select_on.task,
        metric=settings.select_on.metric,
        warmup_epochs=settings.warmup_epochs,
        patience=settings.patience,
    )
    history = callbacks.History(run.history)
    remembering = {"selection": selection, "history": history}
    if settings.plateau is not None:
        remembering["plateau"] = Plateau(
            settings.plateau,
            settings.select_on.task,
            settings.select_on.metric,
            # The head of a task without training labels only drifts with the backbone.
            [own for own in fit.inputs.tasks if own.name in config.trained_tasks],
            count_labels(fit.inputs.samples["validation"]),
        )
    stop = stop_when_lost(fit, model, functools.partial(training_batches, fit))
    state = SaveState(
        run.last_state, remembering, settings.epochs, interruption, stop.look
    )
    progress = ProgressLines(
        fit.inputs.answers,
        settings.epochs,
        steps,
        settings.select_on.task,
        settings.select_on.metric,
        fit.line,
        may_stop=settings.patience is not None,
    )
    validate = Judge(fit, answering, VALIDATION, fit.inputs.samples[VALIDATION])
    evaluate = callbacks.EvaluateEpoch(losses, validate)
    epoch = 0
    if saved is not None:
        epoch = state.restore(model, saved)
        evaluate.seconds_before = state.seconds_before
        progress.first_step = state.first_step
        # The file may be torn.
        history.write()
        selection.count()
    if epoch >= settings.epochs or selection.progress["stopped"]:
        selection.write_best(model, run.best_weights)
        return
    sessions = _sessions(epoch, state.first_step, settings.epochs)
    first, *_ = datasets = [training_batches(fit, *session) for session in sessions]
    shown = []
    if settings.tensorboard:
        shown.append(tensorboard_of(fit, answering, first, validate))
    write(progress.header())
    called = [stop, evaluate, *remembering.values(), *shown, state, progress]
    try:
        for (begun, end, done), dataset in zip(sessions, datasets, strict=True):
            model.fit(
                dataset,
                initial_epoch=begun,
                epochs=end,
                steps_per_epoch=steps - done,
                shuffle=False,
                verbose=0,
                callbacks=called,
            )
            if interruption.requested:
                raise Interrupted
            if model.stop_training:
                break
    except Interrupted:
        if selection.best is not None:
            selection.write_best(model, run.best_weights)
        raise
    selection.write_best(model, run.best_weights)


def _sessions(epoch: int, step: int, epochs: int) -> list[tuple[int, int, int]]:
    """First epoch, end, and steps that are done, of each call of `fit`.

    Two where an epoch has begun, because Keras' epochs have equal numbers of steps.
    """
    if not step:
        return [(epoch, epochs, 0)]
    rest = [(epoch + 1, epochs, 0)] if epoch + 1 < epochs else []
    return [(epoch, epoch + 1, step), *rest]


def training_batches(fit: Fit, epoch: int, epochs: int, step: int) -> tf.data.Dataset:
    """The training batches of the epochs, without the first steps of the first one."""
    config = fit.config
    return pipeline.training_dataset(
        fit.training_set,
        fit.inputs.images,
        batch_size=config.training.batch_size,
        seed=config.seed,
        epochs=epochs,
        first_epoch=epoch,
        first_step=step,
        augmentation=Augmentation.of(config.pipeline.augmentation),
        layers=fit.layers,
        normalization=config.normalization,
        with_dataset=config.model.is_per_dataset,
    )
