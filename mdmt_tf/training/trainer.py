"""One fit, from prepared data to a finished run folder."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping

import keras
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.sampling import fill_epoch, steps_per_epoch
from mdmt_tf.data.training_set import TrainingSet, build_training_set, check_classes
from mdmt_tf.errors import ConfigError, Interrupted
from mdmt_tf.models.dataset_normalization import set_fractions
from mdmt_tf.models.from_config import answering_model, build_from_config
from mdmt_tf.models.weights import lineage, pretrained, weights_file
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.kept_epoch import not_chosen, read_kept_epoch
from mdmt_tf.runs.manifest import build_manifest
from mdmt_tf.screen.line import Line
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.training import checkpoint, description
from mdmt_tf.training.conclusion import conclude, export_so_far
from mdmt_tf.training.epochs import train_epochs
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.interruption import Interruption
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.recalibration import recalibrate_start
from mdmt_tf.training.resuming import change, reopens, resumable
from mdmt_tf.training.start import check_start, data_of_start
from mdmt_tf.training.strategy import (
    build_strategy,
    check_batch_size,
    device_names,
)
from mdmt_tf.training.undefined_metric import warn_of_undefined
from mdmt_tf.training.weighting import build_weighting

# Seconds between two lines of progress in a log, within an epoch.
_EVERY = 300.0


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
        is_terminal: whether a line may be rewritten.
    Raises: ConfigError, DataError, LeakageError for errors that the user can correct;
        if possible, before the run folder is made. Interrupted after Ctrl-C.
    """
    strategy = build_strategy(config.training.devices)
    check_batch_size(config.training.batch_size, strategy)
    if resume_from is None:
        inputs = open_inputs(config)
        training_set = training_set_of(config, inputs)
        layers = augmentation_layers(config, inputs)
        model, settings = config.model, config.pipeline
        start = data_of_start(model.backbone, model.weights)
        data = inputs.datasets, inputs.split.datasets
        check_start(start, *data, settings.allow_identical_images)
        initial = pretrained.describe(model.backbone, model.weights)
        manifest = build_manifest(
            config,
            inputs.describe_datasets(),
            inputs.judged,
            device_names(strategy),
            initial,
            inputs.synthetic_images,
            lineage.of_lists(*data),
            start,
        )
        run = RunFolder.create(config, manifest, inputs.tasks, inputs.split.write)
    else:
        run = RunFolder.open(resume_from)
        inputs = open_run_inputs(run, config)
        training_set = training_set_of(config, inputs)
        layers = augmentation_layers(config, inputs)
        manifest = run.read_json(run.manifest)
        if run.is_finished and not reopens(run, config):
            write(f"{run.path} is finished; nothing to do.\n")
            return run

    line = Line(write, is_terminal=is_terminal, every=_EVERY)
    fit = Fit(
        config=config,
        run=run,
        inputs=inputs,
        training_set=training_set,
        layers=layers,
        manifest=manifest,
        line=line,
    )
    with resumable(run), inputs.images.errors_named():
        if resume_from is not None:
            fit = change(fit, device_names(strategy))
        if run.is_finished:
            return run  # Another process was faster.
        write(description.overview(config, run, inputs, training_set, manifest))
        warn_of_undefined(config, inputs)
        with Interruption(line.write) as interruption:
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
    with precision(config.training.precision):
        with strategy.scope():
            # A resumed run takes its weights from the saved state.
            weights = config.model.weights if state is None else None
            networks = build_networks(config, fit.inputs, weights)
        if state is None:
            begin(fit, networks.model)
        train_epochs(
            fit,
            networks.fitted,
            networks.answering,
            networks.losses,
            state,
            interruption,
        )
    kept = read_kept_epoch(run, config.training.select_on)
    if not kept.chosen:
        fit.write(f"{not_chosen(config.training.select_on)}\n")
    model = networks.model
    if strategy.num_replicas_in_sync > 1 or config.training.precision != "float32":
        # The evaluated and exported model runs in single precision on one device.
        model = build_from_config(config)
    weights_file.load(model, run.best_weights)
    return model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Networks:
    """One network in the forms that a fit uses; all have the same weights.

    Attributes:
        model: of `build_from_config`.
        fitted: the compiled one, with the weighting of the losses.
        answering: the one that answers, see `answering_model`.
        losses: of `compile_model`.
    """

    model: keras.Model
    fitted: keras.Model
    answering: keras.Model
    losses: Mapping[str, keras.metrics.Metric]


def build_networks(
    config: Config, inputs: Inputs, weights: str | Mapping | None
) -> Networks:
    """The network of the settings, compiled; to be called in the strategy's scope.

    Args:
        weights: see `build_from_config`.
    """
    model = build_from_config(config, weights)
    weighting = build_weighting(config.training.weighting, inputs.tasks)
    fitted = weighting.attach(model, config.model.backbone)
    answering = answering_model(config, model)
    losses = compile_model(fitted, inputs.tasks, _optimizer(config))
    return Networks(model=model, fitted=fitted, answering=answering, losses=losses)


def _export_so_far(fit: Fit) -> None:
    """What can be used of a run that was interrupted."""
    run, config = fit.run, fit.config
    progress = checkpoint.read_progress(run.last_state)
    best_epoch = progress["selection"]["best_epoch"]
    if best_epoch is None:
        fit.write("no epoch is selected so far: training warms up\n")
        return
    text = f"best epoch so far: {best_epoch + 1}"
    if progress["selection"]["best"] is None:
        last = f"the last so far, {best_epoch + 1}, is kept"
        text = not_chosen(config.training.select_on, last)
    fit.write(f"{text}, weights in {run.best_weights}\n")
    if config.training.saved_model:
        fit.write("exporting it (again Ctrl-C: leave at once) ...\n")
        model = build_from_config(config)
        model.load_weights(run.best_weights)
        export_so_far(fit, model, progress["next_epoch"], best_epoch)
        fit.write(f"exported to {run.saved_model_so_far}\n")


def training_set_of(config: Config, inputs: Inputs) -> TrainingSet:
    """The training rows of an epoch, as they are drawn.

    Raises: DataError for labels of one class; ConfigError for too few `training.steps`,
        or fewer batches than gradients are accumulated of.
    """
    settings, training = config.pipeline, config.training
    rows = build_training_set(
        inputs.samples["train"],
        settings.sampling,
        settings.temperature,
        settings.weight_by,
        untrained=set(config.tasks) - set(config.trained_tasks),
    )
    whole = {name for name, own in config.datasets.items() if own.fraction == 1}
    check_classes(
        rows,
        [
            task.name
            for task in inputs.tasks
            if task.fraction == 1 and whole.issuperset(task.sources)
        ],
    )
    if training.steps is not None:
        steps = training.steps // training.epochs
        try:
            draws = fill_epoch(rows.draws, steps, training.batch_size)
        except ValueError as error:
            raise ConfigError(
                f"training.steps = {training.steps}: too few for {training.epochs} "
                f"epochs (training.epochs). {error}"
            ) from error
        rows = dataclasses.replace(rows, draws=draws)
    batches = training.epochs * steps_per_epoch(rows.draws.total, training.batch_size)
    if batches < training.accumulate:
        raise ConfigError(
            f"training.accumulate = {training.accumulate}: the training has {batches} "
            "batches, so there would be no step. Lower it, or train for more epochs."
        )
    return rows


def augmentation_layers(config: Config, inputs: Inputs) -> AugmentationLayers:
    """The Keras layers of the augmentation."""
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
        with precision("float32"):
            recalibrate_start(fit, model)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build layers that compute in this precision; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
