"""Settings of how training samples are drawn and changed."""

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from mdmt_tf.config.section import (
    NO_RESULT,
    NotNegative,
    Positive,
    Probability,
    Problem,
    Section,
    rule,
    younger,
)


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
        json_schema_extra=younger("image"),
    )
    cache: Literal["auto", "memory", "stream"] = Field(
        "auto",
        description="Where decoded images are kept. auto: in memory when they need "
        "less than half of the free memory; stream: decoded again in every epoch.",
        json_schema_extra=NO_RESULT,
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
        json_schema_extra=NO_RESULT,
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
