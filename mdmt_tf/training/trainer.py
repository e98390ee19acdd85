"""One fit, from prepared data to a finished run folder."""

import contextlib
import dataclasses
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.normalize import denormalize
from mdmt_tf.data.profile import describe_training_images
from mdmt_tf.data.samples import Samples, spread
from mdmt_tf.data.sampling import steps_per_epoch
from mdmt_tf.data.training_set import TrainingSet, build_training_set
from mdmt_tf.metrics.computation import labelled_answers, metrics_of_answers
from mdmt_tf.metrics.rows import confusion_matrices
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.models.weights import pretrained
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import build_manifest, data_note
from mdmt_tf.runs.patients import metrics_for_patients
from mdmt_tf.saliency import choice, explanation
from mdmt_tf.serving import export
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.calibration_fit import fit_calibrations, prior_ratios
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.training import callbacks, description
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.plateau import Plateau
from mdmt_tf.training.strategy import (
    build_strategy,
    check_batch_size,
    device_names,
)
from mdmt_tf.training.tensorboard import TensorBoard
from mdmt_tf.training.weighting import build_weighting


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """The values that the steps of a fit share, named as in `train`."""

    config: Config
    run: RunFolder
    inputs: Inputs
    training_set: TrainingSet
    layers: AugmentationLayers
    manifest: dict
    write: Callable[[str], object]
    is_terminal: bool


def train(
    config: Config,
    *,
    resume_from: str | os.PathLike | None = None,
    write: Callable[[str], object] = lambda text: None,
    is_terminal: bool = False,
) -> RunFolder:
    """Fit a model and write a finished run folder.

    Args:
        config: resolved settings; for a resumed run, those that it started with.
        resume_from: folder of an interrupted run to resume; None for a new run.
        write: receives the progress, line by line.
        is_terminal: whether a line may be overwritten.
    Raises: ConfigError, DataError, LeakageError for errors that the user can correct;
        if possible, before the run folder is made.
    """
    strategy = build_strategy(config.training.devices)
    check_batch_size(config.training.batch_size, strategy)
    if resume_from is None:
        inputs = open_inputs(config)
        training_set = _training_set(config, inputs)
        layers = _augmentation_layers(config, inputs)
        initial = pretrained.describe(config.model.backbone, config.model.weights)
        manifest = build_manifest(
            config, inputs.describe_datasets(), device_names(strategy), initial
        )
        run = RunFolder.create(config, manifest, inputs.tasks, inputs.split.write)
    else:
        run = RunFolder.open(resume_from)
        inputs = open_run_inputs(run, config)
        training_set = _training_set(config, inputs)
        layers = _augmentation_layers(config, inputs)
        manifest = run.read_json(run.manifest)
        if run.is_finished:
            write(f"{run.path} is finished; nothing to do.\n")
            return run

    fit = _Fit(
        config=config,
        run=run,
        inputs=inputs,
        training_set=training_set,
        layers=layers,
        manifest=manifest,
        write=write,
        is_terminal=is_terminal,
    )
    write(description.overview(config, run, inputs, training_set, manifest))
    with _precision(config.training.precision):
        with strategy.scope():
            # A resumed run takes its weights from the saved state.
            new = not run.last_state.is_file()
            weights = config.model.weights if new else None
            model = build_from_config(config, weights)
            weighting = build_weighting(config.training.weighting, inputs.tasks)
            fitted = weighting.attach(model, config.model.backbone)
            losses = compile_model(fitted, inputs.tasks, _optimizer(config))
        _fit(fit, fitted, losses)
    if strategy.num_replicas_in_sync > 1 or config.training.precision != "float32":
        # The evaluated and exported model runs in single precision on one device.
        model = build_from_config(config)
    model.load_weights(run.best_weights)
    _conclude(fit, model)
    return run


def predict(
    model: keras.Model, samples: Samples, inputs: Inputs, config: Config
) -> dict[str, np.ndarray]:
    """{task: probabilities (n, classes)} of samples, in their order."""
    dataset = pipeline.image_dataset(
        samples.image,
        inputs.images,
        batch_size=config.training.batch_size,
        normalization=config.normalization,
    )
    logits = model.predict(dataset, verbose=0)
    return {
        task.name: task.probabilities(logits[task.name][: len(samples)])
        for task in inputs.tasks
    }


def _training_set(config: Config, inputs: Inputs) -> TrainingSet:
    settings = config.pipeline
    return build_training_set(
        inputs.samples["train"],
        settings.sampling,
        settings.temperature,
        settings.weight_by,
    )


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


def _fit(fit: _Fit, model: keras.Model, losses: Mapping) -> None:
    """Train the model and save the weights of its best epoch."""
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
            settings.plateau, settings.select_on.task, settings.select_on.metric
        )
    state = callbacks.SaveState(run.last_state, remembering)
    progress = callbacks.ProgressLines(
        fit.inputs.tasks,
        settings.epochs,
        steps,
        settings.select_on.metric,
        write,
        fit.is_terminal,
    )
    first_epoch = state.restore(model) if run.last_state.is_file() else 0
    if first_epoch >= settings.epochs or selection.progress["stopped"]:
        selection.write_best(model, run.best_weights)
        return
    dataset = pipeline.training_dataset(
        fit.training_set,
        fit.inputs.images,
        batch_size=settings.batch_size,
        seed=config.seed,
        epochs=settings.epochs,
        first_epoch=first_epoch,
        augmentation=Augmentation.of(config.pipeline.augmentation),
        layers=fit.layers,
        normalization=config.normalization,
    )
    confusion: dict[str, np.ndarray] = {}
    validate = functools.partial(_validate, fit, model, confusion)
    shown = [_tensorboard(fit, dataset, confusion)] if settings.tensorboard else []
    write(progress.header())
    model.fit(
        dataset,
        initial_epoch=first_epoch,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[
            callbacks.EvaluateEpoch(losses, validate),
            *remembering.values(),
            *shown,
            state,
            progress,
        ],
    )
    selection.write_best(model, run.best_weights)


def _validate(
    fit: _Fit, model: keras.Model, confusion: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Exact metrics of each task on the validation rows; updates `confusion`.

    The confusion matrices are always of images.
    """
    validation = fit.inputs.samples["validation"]
    rows = validation.rows.assign(split="validation", fold=fit.inputs.split.fold)
    probabilities = predict(model, validation, fit.inputs, fit.config)
    metrics = {}
    for task in fit.inputs.tasks:
        labels, chances = validation.labels[task.name], probabilities[task.name]
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
    fit: _Fit, dataset: tf.data.Dataset, confusion: dict[str, np.ndarray]
) -> TensorBoard:
    normalization = fit.config.normalization

    def example_batch():
        images, targets, weights = next(iter(dataset.take(1)))
        return denormalize(images, *normalization), targets, weights

    # TensorBoard shows the name of the folder with every curve.
    name = "synthetic_data" if fit.manifest["synthetic"] else "real_data"
    return TensorBoard(
        fit.run.tensorboard / name,
        fit.inputs.tasks,
        settings=fit.config.to_plain(),
        note=data_note(fit.manifest),
        example_batch=example_batch,
        confusion=lambda: confusion,
    )


def _conclude(fit: _Fit, model: keras.Model) -> None:
    """Write predictions, export, saliency, metrics; `metrics.json` comes last."""
    config, run, inputs, write = fit.config, fit.run, fit.inputs, fit.write
    manifest = dict(fit.manifest)
    training_images = describe_training_images(inputs)
    storage.write_json(run.training_images, training_images)
    probabilities = {
        split: predict(model, samples, inputs, config)
        for split, samples in inputs.samples.items()
        if len(samples)
    }
    table = predictions.gather(inputs.samples, probabilities, inputs.split.fold)
    predictions.write(table, run.predictions)
    calibrations = _calibrate(fit, table)
    # Other runs may start from these weights.
    model.get_layer(config.model.backbone).save_weights(run.backbone_weights)

    if config.training.saved_model:
        write("exporting the SavedModel and comparing it with the trained model ...\n")
        about = description.information(config, inputs, manifest, training_images)
        unchecked = run.path / "saved_model.unchecked"
        export.export_model(
            model,
            inputs.tasks,
            unchecked,
            about,
            config.normalization,
            calibrations=calibrations,
        )
        manifest["export"] = _check_export(
            unchecked, inputs, probabilities, calibrations
        )
        # Only a checked export gets its final name.
        shutil.rmtree(run.saved_model, ignore_errors=True)
        unchecked.rename(run.saved_model)
    if config.training.saliency:
        write("explaining some predictions ...\n")
        explanation.explain_run(
            config,
            inputs.tasks,
            model,
            choice.of_split(
                inputs, _judged_split(probabilities), config.training.saliency
            ),
            run.saliency,
            note=data_note(manifest),
        )
    storage.write_json(run.assessment, _assessment(table, inputs.tasks, calibrations))
    manifest["finished"] = storage.now()
    storage.write_json(run.manifest, manifest)
    storage.write_json(run.metrics, predictions.metrics_of(table, inputs.tasks))


def _calibrate(fit: _Fit, table: pd.DataFrame) -> dict[str, Calibration]:
    """Fit calibrations on the validation split, and write `calibration.json`."""
    validation = table[table["split"] == "validation"]
    ratios = prior_ratios(fit.training_set)
    calibrations = fit_calibrations(validation, fit.inputs.tasks, ratios)
    fit.write(description.calibrations_text(calibrations))
    stored = {name: own.to_plain() for name, own in calibrations.items()}
    storage.write_json(fit.run.calibration, stored)
    return calibrations


def _assessment(table, tasks, calibrations) -> dict[str, dict]:
    """`assessment.json`; calibrations are judged on the test split only."""
    assessment = assess_splits(table, tasks)
    tested = table[table["split"] == "test"]
    if len(tested):
        sections = calibration_sections(tested, tasks, calibrations)
        for task, of_task in sections.items():
            assessment["test"][task] |= of_task
    return assessment


def _check_export(path, inputs, probabilities, calibrations, most: int = 16) -> dict:
    """Compare the SavedModel with what the model predicted for real images."""
    split = _judged_split(probabilities)
    samples = inputs.samples[split]
    rows = spread(len(samples), most)
    images = [inputs.images.stored(samples.image[row]) for row in rows]
    expected = {name: values[rows] for name, values in probabilities[split].items()}
    largest = export.check_export(path, inputs.tasks, images, expected, calibrations)
    return {"compared_images": len(rows), "largest_difference": largest}


def _judged_split(predicted: Mapping) -> str:
    """The test split, or validation if the fold has no test rows."""
    return "test" if "test" in predicted else "validation"


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Build layers that compute in this precision; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
