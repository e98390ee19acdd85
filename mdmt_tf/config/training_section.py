"""Settings of the optimisation of one fit."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mdmt_tf.config.section import (
    NO_RESULT,
    Name,
    NotNegative,
    Problem,
    Section,
    rule,
    younger,
)
from mdmt_tf.training.weighting.table import WEIGHTINGS


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
        json_schema_extra=younger("selected"),
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
        json_schema_extra=younger(None),
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
        json_schema_extra=NO_RESULT,
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
        description="Epochs without improvement after which training stops; those in "
        "which the metric is not defined do not count. null: never.",
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
        True,
        description="Whether to write files for TensorBoard into the run folder.",
        json_schema_extra=NO_RESULT,
    )
    tensorboard_train_images: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Number of training images that are predicted after each epoch, "
        "as validation images are, so that TensorBoard has training and validation of "
        "each metric in one chart; 0: of the loss only.",
        json_schema_extra=NO_RESULT,
    )
    tensorboard_saliency: int = Field(
        0,
        ge=0,
        le=100,
        description="Number of validation images with a saliency map in TensorBoard, "
        "for each of the three most important tasks, made once, after training.",
        json_schema_extra=NO_RESULT,
    )
    saved_model: bool = Field(
        True,
        description="Whether to export a SavedModel into the run folder. The weights "
        "are kept in any case.",
        json_schema_extra=NO_RESULT,
    )
    saliency: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Number of test images to make saliency maps of at the end.",
        json_schema_extra=NO_RESULT,
    )
    devices: tuple[Annotated[str, Field(pattern=r"^(GPU|CPU):\d+$")], ...] | None = (
        Field(
            None,
            description="Devices to train on, such as [GPU:0, GPU:1]; null: every GPU, "
            "or the CPU where there is none.",
            json_schema_extra=NO_RESULT,
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
                f"it must be less than training.epochs = {self.epochs}. Raise "
                "training.epochs, or set training.warmup_epochs=0.",
            )
