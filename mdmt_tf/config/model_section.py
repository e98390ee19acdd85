"""Settings of the model: its backbone, the start, the heads."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mdmt_tf.config.initial_weights import is_named, problems_of_weights
from mdmt_tf.config.section import (
    BackboneName,
    Fraction,
    Name,
    Positive,
    Problem,
    Section,
    rule,
    younger,
)
from mdmt_tf.models.backbones.table import PHANTOMS, PUBLISHED


class ModelSection(Section):
    """The shared backbone and the heads."""

    backbone: BackboneName = Field(
        "resnet18",
        description="Name of a backbone; `python -m mdmt_tf.convert --help` lists "
        "them.",
    )
    weights: str | dict[str, Positive] | None = Field(
        None,
        description="Weights to start from. null: random; imagenet; phantoms: trained "
        "on synthetic radiographs; the path of a .weights.h5 file; or several such "
        "files, each with its weight in the average.",
    )
    start_heads: bool = Field(
        False,
        description="Whether heads start from model.weights, too: those of tasks that "
        "the run that made the weights has under the same name, with the same head, "
        "kind, classes and cut points; others, or no such task, are an error. Of a "
        ".weights.h5 file outside the folder of its run, only the shapes of the arrays "
        "are compared. Heads of other tasks start from random values, as with false "
        "all do.",
        json_schema_extra=younger(False),
    )
    heads: Literal["mlp", "linear", "relu_linear", "serial"] = Field(
        "mlp",
        description="Head of each task without tasks.NAME.head. mlp: layers of 128 and "
        "32 units, then the output; linear: the output alone; relu_linear: ReLU, then "
        "the output; serial: as mlp, and the head of the first task also sees the "
        "outputs of the others.",
    )
    freeze: Literal["none", "stem", "all"] | Fraction = Field(
        "none",
        description="Layers that are not trained: none, those before the first block, "
        "the whole backbone, or this fraction of its layers.",
    )
    batch_norm: Literal["local", "synchronized", "per_dataset"] = Field(
        "local",
        description="Statistics of normalisation. local: of a batch, on several "
        "devices of each device's slice; synchronized: of all devices together; "
        "per_dataset: of the images of each dataset, on all devices together.",
    )
    unseen_dataset: Name = Field(
        "average",
        description="With batch_norm per_dataset: the statistics for images of no "
        "dataset of the run, as in the exported model. average: mean and variance of "
        "all datasets, weighted by their training images; or the name of one of the "
        "datasets.",
        json_schema_extra=younger("average"),
    )
    backbone_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Rate of dropout of whole channels, in backbones that have such "
        "layers.",
    )
    head_dropout: float = Field(
        0.5, ge=0, lt=1, description="Rate of dropout of the features in the heads."
    )

    flip_averaging: bool = Field(
        False,
        description="Whether an answer is the mean of the outputs for the image and "
        "for its mirror image, with tasks that name each other in tasks.NAME.mirror "
        "exchanged; in validation, test and the exported model. Prediction takes twice "
        "the time. Saliency maps explain the answer for the image alone.",
        json_schema_extra=younger(False),
    )

    @property
    def is_per_dataset(self) -> bool:
        """Whether each dataset has its own statistics of normalisation."""
        return self.batch_norm == "per_dataset"

    @rule("backbone", "weights")
    def _backbone_has_weights(self) -> Iterator[Problem]:
        if isinstance(self.weights, str):
            yield from problems_of_weights(self.weights, self.backbone, ("weights",))

    @rule("weights")
    def _weights_are_files(self) -> Iterator[Problem]:
        averaged = isinstance(self.weights, dict)
        for file in self.weights if averaged else [self.weights]:
            # Files must exist when a run begins, not when its settings are read later.
            if not is_named(file):
                yield (
                    ("weights",),
                    f" = {file!r}: expected null (random start), {PUBLISHED}, "
                    f"{PHANTOMS}, the path of a .weights.h5 file, or several such "
                    "paths with their weights.",
                )
        if averaged and abs((total := sum(self.weights.values())) - 1) > 1e-6:
            yield (
                ("weights",),
                f" = {self.weights}: the weights sum to {total:g}, they must sum to 1.",
            )

    @rule("weights", "start_heads")
    def _heads_have_a_start(self) -> Iterator[Problem]:
        if self.start_heads and (
            self.weights in (None, PUBLISHED) or isinstance(self.weights, dict)
        ):
            yield (
                ("start_heads",),
                f" = true: model.weights = {self.weights!r} has no heads. Expected "
                "phantoms, or one backbone.weights.h5 of a run. Or set "
                "model.start_heads=false.",
            )

    @rule("weights", "freeze")
    def _no_random_value_is_frozen(self) -> Iterator[Problem]:
        if self.weights is None and self.freeze != "none":
            yield (
                ("freeze",),
                f" = {self.freeze!r}: would keep random values. Give model.weights, "
                "too.",
            )
