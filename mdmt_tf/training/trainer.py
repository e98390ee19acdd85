"""One fit, from prepared data to a finished run folder."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.normalize import denormalize
from mdmt_tf.data.sampling import fill_epoch, steps_per_epoch
from mdmt_tf.data.training_set import TrainingSet, build_training_set
from mdmt_tf.errors import ConfigError, Interrupted
from mdmt_tf.metrics.computation import labelled_answers, metrics_of_answers
from mdmt_tf.metrics.rows import confusion_matrices
from mdmt_tf.models.dataset_normalization import set_fractions
from mdmt_tf.models.from_config import answering_model, build_from_config
from mdmt_tf.models.weights import pretrained
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import build_manifest, data_note
from mdmt_tf.runs.patients import metrics_for_patients
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.training import callbacks, checkpoint, description
from mdmt_tf.training.conclusion import conclude, export_so_far
from mdmt_tf.training.fit import Fit, predict
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.interruption import Interruption
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.lost_step import stop_when_lost
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.plateau import Plateau
from mdmt_tf.training.recalibration import recalibrate_start
from mdmt_tf.training.resuming import change, reopens, resumable
from mdmt_tf.training.saving import SaveState
from mdmt_tf.training.strategy import (
    build_strategy,
    check_batch_size,
    device_names,
)
from mdmt_tf.training.tensorboard import TensorBoard
from mdmt_tf.training.weighting import build_weighting


def train(
    config: Config,
    *,
    resume_from: str | os.PathLike | None = None,
    write: Callable[[str], object] = lambda text: None,
    is_terminal: bool = False,
) -> RunFolder:
    """Fit a model and write a finished run folder.

    Args:
        config: resolved settings; for a resumed run, those that it started with, or
            with changes that `mdmt_tf.runs.changes` allows.
        resume_from: folder of an interrupted run to resume; None for a new run.
        write: receives the progress, line by line.
        is_terminal: whether a line may be overwritten.
    Raises: ConfigError, DataError, LeakageError for errors that the user can correct;
        if possible, before the run folder is made. Interrupted after Ctrl-C.
    """
    strategy = build_strategy(config.training.devices)
    check_batch_size(config.training.batch_size, strategy)
    if resume_from is None:
        inputs = open_inputs(config)
        training_set = _training_set(config, inputs)
        layers = _augmentation_layers(config, inputs)
        initial = pretrained.describe(config.model.backbone, config.model.weights)
        manifest = build_manifest(
            config,
            inputs.describe_datasets(),
            inputs.judged,
            device_names(strategy),
            initial,
            inputs.synthetic_images,
        )
        run = RunFolder.create(config, manifest, inputs.tasks, inputs.split.write)
    else:
        run = RunFolder.open(resume_from)
        inputs = open_run_inputs(run, config)
        training_set = _training_set(config, inputs)
        layers = _augmentation_layers(config, inputs)
        manifest = run.read_json(run.manifest)
        if run.is_finished and not reopens(run, config):
            write(f"{run.path} is finished; nothing to do.\n")
            return run

    fit = Fit(
        config=config,
        run=run,
        inputs=inputs,
        training_set=training_set,
        layers=layers,
        manifest=manifest,
        write=write,
        is_terminal=is_terminal,
    )
    with resumable(run), inputs.images.errors_named():
        fit = change(fit)
        if run.is_finished:
            return run  # Another process was faster.
        write(description.overview(config, run, inputs, training_set, manifest))
        with Interruption(write) as interruption:
            try:
                model = _train(fit, strategy, interruption)
            except Interrupted:
                _export_so_far(fit)
                raise
        conclude(fit, model)
    return run


def _train(
    fit: Fit, strategy: tf.distribute.Strategy, interruption: Interruption
) -> keras.Model:
    """Train, or go on; the model of the best epoch, in single precision."""
    config, run = fit.config, fit.run
    state = checkpoint.newest_state(run.last_state, fit.write)
    with _precision(config.training.precision):
        with strategy.scope():
            # A resumed run takes its weights from the saved state.
            weights = config.model.weights if state is None else None
            model = build_from_config(config, weights)
            weighting = build_weighting(config.training.weighting, fit.inputs.tasks)
            fitted = weighting.attach(model, config.model.backbone)
            answering = answering_model(config, model)
            losses = compile_model(fitted, fit.inputs.tasks, _optimizer(config))
        if state is None:
            begin(fit, model)
        _fit(fit, fitted, answering, losses, state, interruption)
    if strategy.num_replicas_in_sync > 1 or config.training.precision != "float32":
        # The evaluated and exported model runs in single precision on one device.
        model = build_from_config(config)
    model.load_weights(run.best_weights)
    return model


def _export_so_far(fit: Fit) -> None:
    """What can be used of a run that was interrupted."""
    run, config = fit.run, fit.config
    progress = checkpoint.read_progress(run.last_state)
    best_epoch = progress["selection"]["best_epoch"]
    if best_epoch is None:
        fit.write("no epoch is selected so far: training warms up\n")
        return
    text = f"best epoch so far: {best_epoch + 1}, weights in {run.best_weights}\n"
    fit.write(text)
    if config.training.saved_model:
        fit.write("exporting it (again Ctrl-C: leave at once) ...\n")
        model = build_from_config(config)
        model.load_weights(run.best_weights)
        export_so_far(fit, model, progress["next_epoch"], best_epoch)
        fit.write(f"exported to {run.saved_model_so_far}\n")


def _training_set(config: Config, inputs: Inputs) -> TrainingSet:
    settings, training = config.pipeline, config.training
    rows = build_training_set(
        inputs.samples["train"],
        settings.sampling,
        settings.temperature,
        settings.weight_by,
    )
    if training.steps is None:
        return rows
    steps = training.steps // training.epochs
    try:
        draws = fill_epoch(rows.draws, steps, training.batch_size)
    except ValueError as error:
        raise ConfigError(
            f"training.steps = {training.steps}: too few for {training.epochs} epochs "
            f"(training.epochs). {error}"
        ) from error
    return dataclasses.replace(rows, draws=draws)


def _augmentation_layers(config: Config, inputs: Inputs) -> AugmentationLayers:
    augmentation = Augmentation.of(config.pipeline.augmentation)
    layers = augmentation.layers if augmentation else ()
    return AugmentationLayers(layers, inputs.tasks, inputs.images.shape)


def _optimizer(config: Config) -> keras.optimizers.Optimizer:
    settings = config.training
    return build_optimizer(
        settings.optimizer,
        settings.learning_rate,
        settings.weight_decay,
        amsgrad=settings.amsgrad,
        accumulate=settings.accumulate,
    )


def begin(fit: Fit, model: keras.Model) -> None:
    """Set the statistics of normalisation that training begins with.

    Args:
        fit: its settings, and its training rows.
        model: of `build_from_config`, with the weights to start from.
    """
    if (statistics := fit.statistics) is not None:
        backbone = model.get_layer(fit.config.model.backbone)
        set_fractions(backbone, list(statistics.values()))
    if fit.config.recalibrates:
        fit.write("computing the statistics of normalisation ...\n")
        with _precision("float32"):
            recalibrate_start(fit, model)


def _fit(
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
            fit.inputs.tasks,
        )
    stop = stop_when_lost(fit, model, functools.partial(_dataset, fit))
    state = SaveState(
        run.last_state, remembering, settings.epochs, interruption, stop.look
    )
    progress = callbacks.ProgressLines(
        fit.inputs.answers,
        settings.epochs,
        steps,
        settings.select_on.metric,
        write,
        fit.is_terminal,
    )
    confusion: dict[str, np.ndarray] = {}
    validate = functools.partial(_validate, fit, answering, confusion)
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
    first, *_ = datasets = [_dataset(fit, *session) for session in sessions]
    shown = [_tensorboard(fit, first, confusion)] if settings.tensorboard else []
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


def _dataset(fit: Fit, epoch: int, epochs: int, step: int) -> tf.data.Dataset:
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


def _validate(
    fit: Fit, model: keras.Model, confusion: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Exact metrics of each answer on the validation rows; updates `confusion`.

    The confusion matrices are always of images.
    """
    validation = fit.inputs.samples["validation"]
    rows = validation.rows.assign(split="validation", fold=fit.inputs.split.fold)
    probabilities = predict(model, validation, fit.inputs, fit.config)
    metrics = {}
    for task in fit.inputs.answers:
        labels, chances = validation.labels_of(task), probabilities[task.name]
        answers = labelled_answers(task, labels, chances)
        if fit.config.pipeline.weight_by == "patient":
            table = predictions.prediction_table(task, rows, labels, chances)
            known = predictions.labelled_rows(table, task)
            metrics[task.name] = metrics_for_patients(known, task)
        else:
            metrics[task.name] = metrics_of_answers(answers)
        confusion.update(confusion_matrices(answers))
    return metrics


def _tensorboard(
    fit: Fit, dataset: tf.data.Dataset, confusion: dict[str, np.ndarray]
) -> TensorBoard:
    normalization = fit.config.normalization

    def example_batch():
        inputs, targets, weights = next(iter(dataset.take(1)))
        images = tf.nest.flatten(inputs)[0]
        return denormalize(images, *normalization), targets, weights

    # TensorBoard shows the name of the folder with every curve.
    name = "synthetic_data" if fit.manifest["synthetic"] else "real_data"
    return TensorBoard(
        fit.run.tensorboard / name,
        fit.inputs.answers,
        settings=fit.config.to_plain(),
        note=data_note(fit.manifest),
        example_batch=example_batch,
        confusion=lambda: confusion,
    )


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Build layers that compute in this precision; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
