"""One fit, from prepared data to a finished run folder. Reads top to bottom."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.data import pipeline
from mdmt_tf.data.inputs import Inputs, check_same_data, open_inputs
from mdmt_tf.data.normalize import denormalize
from mdmt_tf.data.samples import Samples, spread
from mdmt_tf.data.sampling import plan_draws, steps_per_epoch
from mdmt_tf.metrics.computation import labelled_answers, metrics_of_answers
from mdmt_tf.metrics.rows import confusion_matrices
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.freezing import freeze
from mdmt_tf.models.multitask import build_model
from mdmt_tf.models.weights import pretrained
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import build_manifest
from mdmt_tf.saliency import explanation
from mdmt_tf.serving import export
from mdmt_tf.tasks import Task
from mdmt_tf.training import callbacks, description
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.plateau import Plateau
from mdmt_tf.training.strategy import (
    build_strategy,
    check_batch_size,
    device_names,
)
from mdmt_tf.training.tensorboard import TensorBoard


def train(
    config: Config,
    *,
    resume_from: str | os.PathLike | None = None,
    write: Callable[[str], object] = lambda text: None,
    is_terminal: bool = False,
) -> RunFolder:
    """Fit a model and leave a finished run folder.

    Args:
        config: resolved settings; for a resumed run those it was started with.
        resume_from: folder of an interrupted run to go on with; None for a new one.
        write: receives the progress, line by line.
        is_terminal: whether a line may be written over.
    Raises: ConfigError, DataError, LeakageError for what the user can mend, before the
        run folder is made where that is possible.
    """
    strategy = build_strategy(config.training.devices)
    check_batch_size(config.training.batch_size, strategy)
    if resume_from is None:
        inputs = open_inputs(config)
        initial = pretrained.describe(config.model.backbone, config.model.weights)
        manifest = build_manifest(
            config, inputs.describe_datasets(), device_names(strategy), initial
        )
        run = RunFolder.create(config, manifest, inputs.split.write)
    else:
        run = RunFolder.open(resume_from)
        inputs = open_inputs(config, run.split)
        manifest = run.read_json(run.manifest)
        check_same_data(inputs, manifest, run.path)
        if run.is_finished:
            write(f"{run.path} is finished; nothing to do.\n")
            return run

    write(description.overview(config, run, inputs, manifest))
    with _precision(config.training.precision):
        with strategy.scope():
            # A resumed run has its weights from the state that it left.
            new = not run.last_state.is_file()
            weights = config.model.weights if new else None
            model = build(config, inputs.tasks, weights)
            losses = compile_model(model, inputs.tasks, _optimizer(config, model))
        _fit(config, run, inputs, manifest, model, losses, write, is_terminal)
    if strategy.num_replicas_in_sync > 1 or config.training.precision != "float32":
        # What is evaluated and exported runs in single precision on any one device.
        model = build(config, inputs.tasks)
    model.load_weights(run.best_weights)
    _conclude(config, run, inputs, manifest, model, write)
    return run


def build(
    config: Config, tasks: Sequence[Task], weights: str | Mapping | None = None
) -> keras.Model:
    """The model of the settings for their tasks, its backbone filled with `weights`.

    Random weights depend on the seed alone. Layers compute in the precision of Keras'
    global policy.
    """
    mean, _ = config.normalization
    backbone = build_backbone(
        config.model.backbone,
        image_shape=(*config.image_shape, len(mean)),
        weights=weights,
        seed=config.seed,
        batch_norm=config.model.batch_norm,
        dropout=config.model.backbone_dropout,
    )
    freeze(backbone, config.model.freeze)
    return build_model(
        backbone,
        tasks,
        heads=config.model.heads,
        seed=config.seed,
        dropout=config.model.head_dropout,
    )


def predict(
    model: keras.Model, samples: Samples, inputs: Inputs, config: Config
) -> dict[str, np.ndarray]:
    """{task: probabilities (n, classes)} of samples, in their order."""
    dataset = pipeline.evaluation_dataset(
        samples,
        inputs.images,
        batch_size=config.training.batch_size,
        normalization=config.normalization,
    )
    logits = model.predict(dataset, verbose=0)
    return {
        task.name: task.probabilities(logits[task.name][: len(samples)])
        for task in inputs.tasks
    }


def _optimizer(config: Config, model: keras.Model) -> keras.optimizers.Optimizer:
    settings = config.training
    optimizer = build_optimizer(
        settings.optimizer,
        settings.learning_rate,
        settings.weight_decay,
        amsgrad=settings.amsgrad,
        accumulate=settings.accumulate,
    )
    # Built beforehand, or the training step would be traced twice.
    optimizer.build(model.trainable_variables)
    return optimizer


def _fit(config, run, inputs, manifest, model, losses, write, is_terminal) -> None:
    settings = config.training
    train_set, validation = inputs.parts["train"], inputs.parts["validation"]
    draws = plan_draws(
        train_set.dataset,
        train_set.oversampled_classes,
        config.pipeline.sampling,
        config.pipeline.temperature,
    )
    steps = steps_per_epoch(draws.total, settings.batch_size)
    confusion = {}

    def validate() -> dict[str, dict[str, float]]:
        probabilities = predict(model, validation, inputs, config)
        metrics = {}
        for task in inputs.tasks:
            answers = labelled_answers(
                task, validation.labels[task.name], probabilities[task.name]
            )
            metrics[task.name] = metrics_of_answers(answers)
            confusion.update(confusion_matrices(answers))
        return metrics

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
    progress = callbacks.Progress(
        inputs.tasks,
        settings.epochs,
        steps,
        settings.select_on.metric,
        write,
        is_terminal,
    )
    first_epoch = state.restore(model) if run.last_state.is_file() else 0
    if first_epoch >= settings.epochs or selection.progress["stopped"]:
        selection.write_best(model, run.best_weights)
        return
    dataset = pipeline.training_dataset(
        train_set,
        inputs.images,
        draws,
        batch_size=settings.batch_size,
        seed=config.seed,
        epochs=settings.epochs,
        first_epoch=first_epoch,
        augmentation=config.pipeline.augmentation,
        normalization=config.normalization,
    )
    shown = []
    if settings.tensorboard:

        def example_batch():
            images, targets, weights = next(iter(dataset.take(1)))
            return denormalize(images, *config.normalization), targets, weights

        # The name of the folder stands beside every curve.
        name = "synthetic_data" if manifest["synthetic"] else "real_data"
        board = TensorBoard(
            run.tensorboard / name,
            inputs.tasks,
            settings=config.to_plain(),
            note=description.data_note(manifest),
            example_batch=example_batch,
            confusion=lambda: confusion,
        )
        shown.append(board)
    write(progress.header())
    model.fit(
        dataset,
        initial_epoch=first_epoch,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[
            callbacks.Evaluation(losses, validate),
            *remembering.values(),
            *shown,
            state,
            progress,
        ],
    )
    selection.write_best(model, run.best_weights)


def _conclude(config, run, inputs, manifest, model, write) -> None:
    """Predictions, export, comparison, saliency, metrics; the metrics come last."""
    probabilities = {
        part: predict(model, samples, inputs, config)
        for part, samples in inputs.parts.items()
        if len(samples)
    }
    table = predictions.gather(inputs.parts, probabilities, inputs.split.fold)
    predictions.write(table, run.predictions)
    # What other runs may start from.
    model.get_layer(config.model.backbone).save_weights(run.backbone_weights)

    if config.training.saved_model:
        write("exporting the SavedModel and comparing it with the trained model ...\n")
        about = description.information(config, inputs, manifest)
        unchecked = run.path / "saved_model.unchecked"
        export.export_model(model, inputs.tasks, unchecked, about, config.normalization)
        manifest["export"] = _check_export(unchecked, inputs, probabilities)
        # Only now it has the name under which it may be served.
        shutil.rmtree(run.saved_model, ignore_errors=True)
        unchecked.rename(run.saved_model)
    if config.training.saliency:
        write("explaining what the model says of some images ...\n")
        explanation.explain_run(
            config,
            model,
            explanation.of_part(
                inputs, _judged_part(probabilities), config.training.saliency
            ),
            run.saliency,
            note=description.data_note(manifest),
        )
    manifest["finished"] = storage.now()
    storage.write_json(run.manifest, manifest)
    storage.write_json(run.metrics, predictions.metrics_of(table, inputs.tasks))


def _check_export(path, inputs, probabilities, most: int = 16) -> dict:
    """Compare the SavedModel with what the model said about real images."""
    part = _judged_part(probabilities)
    samples = inputs.parts[part]
    rows = spread(len(samples), most)
    images = [inputs.images.stored(samples.image[row]) for row in rows]
    expected = {name: values[rows] for name, values in probabilities[part].items()}
    largest = export.check_export(path, images, expected)
    return {"compared_images": len(rows), "largest_difference": largest}


def _judged_part(parts) -> str:
    """The test part, or validation where a fold tests nothing."""
    return "test" if "test" in parts else "validation"


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers built inside compute in this precision; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
