"""How often and how much training images are changed."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of a training image, each with a probability of its own.

    Of volumes, too: shift, flip (left and right) and zoom likewise, rotation about each
    of the three axes by itself; there is no elastic deformation of volumes.

    Attributes:
        shift_probability, zoom_probability, flip_probability, rotation_probability,
            elastic_probability, noise_probability: in [0, 1].
        shift_fraction: largest shift along each axis, in lengths of the axis.
        zoom_fraction: largest change of size; 0.1 is from 0.9 to 1.1.
        rotation_degrees: largest angle, either way.
        elastic_alpha: smallest and largest strength of the deformation, in pixels.
        elastic_sigma: its smoothness, in pixels.
        noise_deviation: std of Gaussian noise on pixels in [0, 1].
        slice_spacing: volumes: distance of slices in units of that of pixels within
            one. With 1 the grid is turned as if its voxels were cubes.
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

    @classmethod
    def of(cls, section) -> "Augmentation | None":
        """The values of what has them as attributes: a section of a configuration.

        None stays None: nothing is changed.
        """
        if section is None:
            return None
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(section, name) for name in names})
