"""Settings of one fit: how samples are drawn, the model, the optimisation."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from mdmt_tf.config.section import (
    Name,
    NotNegative,
    Positive,
    Probability,
    Problem,
    Section,
    rule,
)
from mdmt_tf.training.weighting.table import WEIGHTINGS


def _layers_in(layer: str, arguments: object) -> Iterator[str]:
    yield layer
    values = arguments.values() if isinstance(arguments, dict) else arguments
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("layer"), str):
            yield from _layers_in(value["layer"], value.get("arguments") or {})
        elif isinstance(value, (dict, list, tuple)):
            _, *within = _layers_in("", value)
            yield from within


class LayerSection(Section):
    """A Keras preprocessing layer that changes training images."""

    layer: str = Field(
        min_length=1,
        description="Name of a layer of keras.layers for images, such as RandAugment, "
        "RandomErasing, MixUp or CutMix; or, with the extra keras-cv, of "
        "keras_cv.layers, such as keras_cv.GridMask.",
    )
    arguments: dict[str, Any] = Field(
        {},
        description="Arguments of its constructor. Pixels are in [0, 1], which is the "
        "default of value_range. A layer within a layer is {layer, arguments}.",
    )
    probability: Probability = Field(
        1.0,
        description="How often it is applied to an image; for layers that mix the "
        "images of a batch, to a batch.",
    )

    @property
    def names(self) -> list[str]:
        """The names of the layer and of all layers within it, without their package."""
        return [
            name.rpartition(".")[2] for name in _layers_in(self.layer, self.arguments)
        ]

    @rule("arguments")
    def _arguments_are_plain(self) -> Iterator[Problem]:
        """The stored settings of a run must read as they were written."""
        for name, value in self.arguments.items():
            if not _is_plain(value):
                yield (
                    ("arguments", name),
                    f" = {value!r}: should consist of finite numbers, texts, true, "
                    "false, null, lists and mappings.",
                )


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and all(
            map(_is_plain, value.values())
        )
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


class AugmentationSection(Section):
    """Random changes of a training image, each with its own probability.

    Volumes are shifted, flipped (left and right), zoomed and rotated about each of the
    three axes independently; they are not deformed.
    """

    shift_probability: Probability = Field(0.3, description="How often to shift.")
    shift_fraction: float = Field(
        0.1, ge=0, lt=1, description="Largest shift, as a fraction of the side."
    )
    zoom_probability: Probability = Field(0.3, description="How often to zoom.")
    zoom_fraction: float = Field(
        0.1, ge=0, lt=1, description="Largest zoom: 0.1 is a factor from 0.9 to 1.1."
    )
    flip_probability: Probability = Field(
        0.3, description="How often to exchange left and right."
    )
    rotation_probability: Probability = Field(0.3, description="How often to rotate.")
    rotation_degrees: float = Field(
        15.0, ge=0, le=180, description="Largest rotation, in degrees."
    )
    elastic_probability: Probability = Field(
        0.3, description="How often to deform elastically. 0 for volumes."
    )
    elastic_alpha: tuple[NotNegative, NotNegative] = Field(
        (20.0, 40.0), description="Strength of the deformation, from and to."
    )
    elastic_sigma: Positive = Field(
        7.0, description="Std of the Gaussian that smooths it, in pixels."
    )
    noise_probability: Probability = Field(0.0, description="How often to add noise.")
    noise_deviation: NotNegative = Field(
        0.01, description="Std of the Gaussian noise, on pixels in [0, 1]."
    )
    slice_spacing: Positive = Field(
        1.0,
        description="Volumes: distance of slices in units of the distance of pixels "
        "within a slice. 1: rotation treats voxels as cubes.",
    )
    layers: tuple[LayerSection, ...] = Field(
        (),
        description="Keras preprocessing layers that are applied afterwards, in this "
        "order. Not for volumes.",
    )


class PipelineSection(Section):
    """How training samples are drawn and changed."""

    sampling: Literal["union", "balanced", "temperature"] = Field(
        "union",
        description="union: every training sample once in an epoch; balanced: every "
        "dataset equally often; temperature: dataset d in proportion to "
        "n_d ** (1 / temperature).",
    )
    temperature: float = Field(
        1.0,
        ge=1,
        allow_inf_nan=False,
        description="Of sampling temperature: 1 is in proportion to the size, larger "
        "values are closer to balanced.",
    )
    weight_by: Literal["image", "patient"] = Field(
        "image",
        description="What counts once in the loss and in the selection of the epoch. "
        "patient: each labelled image has the weight 1 / (labelled images of its "
        "patient), with mean 1, and the selecting metric is that of the patients' mean "
        "probabilities. Where sampling or oversample draw some images more often, "
        "patients count alike within each dataset or class.",
    )
    cache: Literal["auto", "memory", "stream"] = Field(
        "auto",
        description="Where decoded images are kept. auto: in memory when they need "
        "less than half of the free memory; stream: decoded again in every epoch.",
    )
    augmentation: AugmentationSection | None = Field(
        AugmentationSection(),
        description="Random changes of training images; null: none, {}: the defaults.",
    )
    allow_identical_images: bool = Field(
        False,
        description="Whether images with equal pixels may have two patients. One would "
        "be trained with and the other tested, so it is an error unless this is true, "
        "and then a warning.",
    )

    # Not of stored settings: runs of earlier versions stay readable.
    @rule("sampling", "temperature", of_files=True)
    def _temperature_has_an_effect(self) -> Iterator[Problem]:
        if self.temperature != 1 and self.sampling != "temperature":
            yield (
                ("temperature",),
                f" = {self.temperature:g}: has no effect with sampling = "
                f"{self.sampling!r}. Set sampling=temperature, or temperature=1.",
            )


class SelectionSection(Section):
    """The validation metric that chooses the epoch and stops the training."""

    task: Name = Field(description="The task whose metric counts.")
    metric: str = Field(
        "loss", description="loss, or a metric of that kind of task, such as auc."
    )


class PlateauSection(Section):
    """Lower the learning rate while a validation metric does not improve."""

    follows: Literal["selected", "total"] = Field(
        "selected",
        description="The metric. selected: that of training.select_on; total: the sum "
        "of the tasks' validation losses, each times its weight and its number of "
        "labelled validation images.",
    )
    factor: float = Field(
        0.1, gt=0, lt=1, description="Factor by which the learning rate is lowered."
    )
    patience: int = Field(
        10,
        ge=0,
        description="Number of tolerated epochs without improvement; the next one "
        "lowers the rate.",
    )
    threshold: float = Field(
        1e-4,
        ge=0,
        lt=1,
        description="Smallest improvement that counts, relative to the best metric.",
    )
    min_learning_rate: NotNegative = Field(
        0.0, description="The learning rate is never lowered below this."
    )


class TrainingSection(Section):
    """The optimisation."""

    epochs: int = Field(
        300, ge=1, le=100_000, description="Passes over the training data, at most."
    )
    steps: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None,
        description="Steps (batches) of the whole training if no patience ends it, the "
        "same number in each epoch; a multiple of epochs. The training data are drawn "
        "over and over to fill them. null: an epoch is one pass over the training "
        "data.",
    )
    batch_size: int = Field(
        128,
        ge=2,
        le=65_536,
        description="Images per step, for all devices together.",
    )
    optimizer: Literal["adam", "adamw"] = Field(
        "adam",
        description="adam: weight decay is L2, added to the gradient; adamw: it is "
        "decoupled from the gradient.",
    )
    learning_rate: float = Field(
        1e-3, gt=0, lt=10, description="Step size of the optimizer."
    )
    weight_decay: float = Field(
        1e-4, ge=0, lt=1, description="Strength of the weight decay; 0: none."
    )
    amsgrad: bool = Field(
        False,
        description="Whether to divide by the largest second moment so far (Reddi et "
        "al. 2018).",
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=1024,
        description="Number of batches whose gradients are averaged for one step. "
        "BatchNormalization sees each batch alone, and so does a method of weighting "
        "that is not linear.",
    )
    recalibrate: bool | None = Field(
        None,
        description="Whether the statistics of normalisation are computed anew by one "
        "pass over the training images before training. null: after a start that "
        "averages several files, whose statistics are not those of the average, and "
        "with model.batch_norm per_dataset.",
    )
    weighting: Literal[tuple(WEIGHTINGS)] = Field(
        "fixed",
        description="How the losses of the tasks are combined. "
        + "; ".join(f"{name}: {text}" for name, (_, text) in WEIGHTINGS.items())
        + ".",
    )
    warmup_epochs: int = Field(
        40,
        ge=0,
        description="First epochs, in which nothing is selected and training does not "
        "stop. The learning rate is the same. Must be less than epochs.",
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        40,
        description="Epochs without improvement after which training stops; null: "
        "never.",
    )
    plateau: PlateauSection | None = Field(
        None,
        description="Schedule that lowers the learning rate; null: it stays the same, "
        "{}: the defaults.",
    )
    select_on: SelectionSection = Field(
        description="Selection of the epoch whose weights are kept."
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32",
        description="Precision of the computation; the mixed ones take about half of "
        "the memory.",
    )
    tensorboard: bool = Field(
        True, description="Whether to write files for TensorBoard into the run folder."
    )
    tensorboard_train_images: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Number of training images that are predicted after each epoch, "
        "as validation images are, so that TensorBoard has training and validation of "
        "each metric in one chart; 0: of the loss only.",
    )
    tensorboard_saliency: int = Field(
        0,
        ge=0,
        le=100,
        description="Number of validation images with a saliency map in TensorBoard, "
        "for each of the three most important tasks, made once, after training.",
    )
    saved_model: bool = Field(
        True,
        description="Whether to export a SavedModel into the run folder. The weights "
        "are kept in any case.",
    )
    saliency: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Number of test images to make saliency maps of at the end.",
    )
    devices: tuple[Annotated[str, Field(pattern=r"^(GPU|CPU):\d+$")], ...] | None = (
        Field(
            None,
            description="Devices to train on, such as [GPU:0, GPU:1]; null: every GPU, "
            "or the CPU where there is none.",
        )
    )

    def steps_in_all(self, of_epoch: int) -> int:
        """`steps`, or those of all epochs if an epoch has `of_epoch`."""
        return self.steps or of_epoch * self.epochs

    @rule("epochs", "steps")
    def _epochs_have_equal_steps(self) -> Iterator[Problem]:
        if self.steps is not None and self.steps % self.epochs:
            below = self.steps // self.epochs * self.epochs
            near = [n for n in (below, below + self.epochs) if n]
            yield (
                ("steps",),
                f" = {self.steps}: should be a multiple of training.epochs = "
                f"{self.epochs}, because all epochs have the same number of steps; for "
                f"example {' or '.join(map(str, near))}.",
            )

    @rule("epochs", "warmup_epochs")
    def _warm_up_ends(self) -> Iterator[Problem]:
        if self.warmup_epochs >= self.epochs:
            yield (
                ("warmup_epochs",),
                f" = {self.warmup_epochs}: no epoch is selected during the warm-up, so "
                f"it must be less than training.epochs = {self.epochs}.",
            )
