"""Settings of a baseline: a simple model in the same folds as the networks."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from mdmt_tf.config.image_sizes import problems_of_size
from mdmt_tf.config.initial_weights import is_named, problems_of_weights
from mdmt_tf.config.section import (
    BackboneName,
    Name,
    Problem,
    Section,
    not_one_of,
    rule,
)
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS, PUBLISHED

THUMBNAIL, FEATURES = "thumbnail", "features"


class BaselineSection(Section):
    """A simple model beside the networks: of fields, or of the image as a whole."""

    task: Name = Field(description="The task that it predicts.")
    model: Literal["logistic", "mlp", "thumbnail", "features"] = Field(
        "logistic",
        description="From fields, without images: logistic, a logistic regression; "
        "mlp, a multilayer perceptron with one small layer. From images: thumbnail, "
        "ridge on the image reduced to 16 x 16 pixels (a volume to 8 x 8 x 8); "
        "features, ridge on the pooled features of a frozen backbone.",
    )
    fields: dict[Name, tuple[str, ...]] = Field(
        {},
        description="logistic, mlp: for each dataset of the task, the fields to use.",
    )
    backbone: BackboneName | None = Field(
        None, description="features: the frozen backbone."
    )
    weights: str | None = Field(
        PUBLISHED,
        description="features: weights of the backbone: imagenet; phantoms: trained on "
        "synthetic radiographs; null for random values; or the path of a .weights.h5 "
        "file.",
    )

    @property
    def reads_images(self) -> bool:
        """Whether it predicts from images instead of fields."""
        return self.model in (THUMBNAIL, FEATURES)

    @property
    def origin(self) -> str:
        """What it predicts from, in a few words, for notes of tables."""
        if self.model == FEATURES:
            weights = "random values" if self.weights is None else self.weights
            return f"features of a frozen {self.backbone}, {weights}"
        return "a thumbnail of the image" if self.reads_images else "fields, no image"

    def facts(self) -> dict:
        """The settings that have a meaning for its model, as plain values."""
        meant = {"task", "model"}
        if not self.reads_images:
            meant |= {"fields"}
        elif self.model == FEATURES:
            meant |= {"backbone", "weights"}
        return self.model_dump(mode="json", include=meant)

    @rule("model", "fields")
    def _fields_are_of_models_of_fields(self) -> Iterator[Problem]:
        if self.reads_images and self.fields:
            yield (
                ("fields",),
                f": a baseline with model = {self.model!r} predicts from images alone. "
                "Leave fields out, or choose logistic or mlp.",
            )
        if not self.reads_images and not self.fields:
            yield (
                ("fields",),
                f": missing; a baseline with model = {self.model!r} predicts from "
                "fields of each dataset, as in {DATASET: [projection]}. From "
                "images predict thumbnail and features.",
            )

    @rule("model", "backbone")
    def _backbone_is_of_features(self) -> Iterator[Problem]:
        if self.model == FEATURES and self.backbone is None:
            yield (
                ("backbone",),
                ": missing; a baseline with model = 'features' needs a backbone, for "
                "example resnet18.",
            )
        if self.model != FEATURES and self.backbone is not None:
            yield (
                ("backbone",),
                f" = {self.backbone!r}: a baseline with model = {self.model!r} has no "
                "backbone. Leave it out, or choose features.",
            )

    @rule("model", "backbone", "weights")
    def _weights_exist(self) -> Iterator[Problem]:
        if self.model != FEATURES and self.weights != PUBLISHED:
            yield (
                ("weights",),
                f" = {self.weights!r}: a baseline with model = {self.model!r} has no "
                "backbone. Leave weights out.",
            )
        elif not is_named(self.weights):
            yield (
                ("weights",),
                f" = {self.weights!r}: expected {PUBLISHED}, {PHANTOMS}, null or the "
                "path of a .weights.h5 file.",
            )
        elif self.backbone is not None:
            yield from problems_of_weights(self.weights, self.backbone, ("weights",))


def problems_of_baseline(
    baseline: BaselineSection,
    tasks: Mapping,
    image_size: int | tuple[int, ...],
    key: tuple[str, ...],
) -> Iterator[Problem]:
    """Problems of a baseline with the tasks and the images of its configuration.

    Args:
        baseline: its settings.
        tasks: name -> section of the task.
        image_size: pixels per side, or (depth, height, width) of volumes.
        key: key of the baseline.
    """
    task = tasks.get(baseline.task)
    if task is None:
        yield from not_one_of(baseline.task, list(tasks), "tasks", (*key, "task"))
    elif baseline.reads_images:
        if baseline.backbone is not None:
            row = BACKBONES[baseline.backbone]
            yield from problems_of_size(image_size, row, (*key, "backbone"))
    elif problem := task.to_task(baseline.task).baseline_problem():
        yield (*key, "task"), f" = {baseline.task!r}: {problem}"
    elif set(task.sources) != set(baseline.fields):
        yield (
            (*key, "fields"),
            f": expected fields of each dataset that feeds {baseline.task}: "
            f"{', '.join(task.sources)}. Received: {', '.join(baseline.fields)}.",
        )
