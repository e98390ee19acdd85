"""Probabilities and ranges of the augmentation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """A Keras preprocessing layer, see `mdmt_tf.data.augment.layers`.

    Attributes:
        layer: its name, such as "RandAugment" or "keras_cv.GridMask".
        arguments: of its constructor. Pixels are in [0, 1].
        probability: how often it is applied to an image; to a batch if it mixes images.
    """

    layer: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    probability: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of a training image or volume, each with its own probability.

    Volumes are rotated about each of the three axes separately, and not deformed
    elastically.

    Attributes:
        shift_probability, zoom_probability, flip_probability, rotation_probability,
            elastic_probability, noise_probability: in [0, 1].
        shift_fraction: largest shift along each axis, as fraction of its length.
        zoom_fraction: largest change of size; 0.1 means 0.9 to 1.1.
        rotation_degrees: largest angle in both directions.
        elastic_alpha: smallest and largest strength of the deformation, in pixels.
        elastic_sigma: smoothness of the deformation, in pixels.
        noise_deviation: std of Gaussian noise on pixels in [0, 1].
        slice_spacing: for volumes, distance of slices divided by that of pixels. With
            1, the grid is rotated as if voxels were cubes.
        layers: Keras layers that are applied afterwards, in this order.
    """

    shift_probability: float = 0.3
    shift_fraction: float = 0.1
    zoom_probability: float = 0.3
    zoom_fraction: float = 0.1
    flip_probability: float = 0.3
    rotation_probability: float = 0.3
    rotation_degrees: float = 15.0
    elastic_probability: float = 0.3
    elastic_alpha: Sequence[float] = (20.0, 40.0)
    elastic_sigma: float = 7.0
    noise_probability: float = 0.0
    noise_deviation: float = 0.01
    slice_spacing: float = 1.0
    layers: Sequence[LayerSettings] = ()

    @classmethod
    def of(cls, section) -> "Augmentation | None":
        """Take the values from the attributes of a configuration section.

        None returns None: no augmentation.
        """
        if section is None:
            return None
        layers = [_values(LayerSettings, one) for one in section.layers]
        return _values(cls, section, layers=tuple(layers))


def _values(settings: type, section, **known):
    """Settings with the values of a section's attributes, except `known` ones."""
    names = {field.name for field in dataclasses.fields(settings)} - set(known)
    return settings(**{name: getattr(section, name) for name in names}, **known)
