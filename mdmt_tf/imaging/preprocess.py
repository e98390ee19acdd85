"""Preprocessing of images for a model, and its names such as "lungs_256".

`Preprocessing` states region and size of radiographs, `VolumePreprocessing` the voxels
of head CTs. `mdmt_tf.imaging.prepared` and `mdmt_tf.imaging.volume` apply them.
"""

import dataclasses
import re
from collections.abc import Mapping

# Region -> its description.
REGIONS = {
    "lungs": "A square around the lungs; the whole image where none are found.",
    "full": "The whole image.",
    "masked": "As lungs, with everything outside the lungs black.",
}
LARGEST_SIZE = 4096
LARGEST_VOLUME_SIZE = 1024


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of radiographs; config and folder bear its name, e.g. "lungs_256".

    Attributes:
        region: a key of REGIONS.
        size: side of the prepared image in pixels, 1 to LARGEST_SIZE.
    """

    region: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.region}_{self.size}"

    @property
    def description(self) -> str:
        return f"{REGIONS[self.region]} Resized to {self.size} x {self.size} pixels."

    @classmethod
    def parse(cls, name: str) -> "Preprocessing":
        """The preprocessing of a name.

        Raises: ValueError, with what was expected.
        """
        region, _, size = name.rpartition("_")
        if (
            region not in REGIONS
            or not re.fullmatch(r"[1-9]\d{0,3}", size)
            or int(size) > LARGEST_SIZE
        ):
            raise ValueError(f"expected {_RADIOGRAPH}; received {name!r}")
        return cls(region, int(size))


@dataclasses.dataclass(frozen=True)
class VolumePreprocessing:
    """Preprocessing of head CTs; its name is "head_40x301x301" or similar.

    Attributes:
        depth: voxels of the prepared volume from the feet to the head.
        rows: voxels from the front to the back.
        columns: voxels from the patient's right to the left. Each is 1 to
            LARGEST_VOLUME_SIZE.
    """

    depth: int
    rows: int
    columns: int

    @property
    def name(self) -> str:
        return f"head_{self.depth}x{self.rows}x{self.columns}"

    @property
    def description(self) -> str:
        return (
            "The whole volume in the window of blood and brain, padded to at least "
            f"{self.depth} slices. Resized to {self.depth} x {self.rows} x "
            f"{self.columns} voxels."
        )

    @classmethod
    def parse(cls, name: str) -> "VolumePreprocessing":
        """The preprocessing of a name.

        Raises: ValueError, with what was expected.
        """
        match = re.fullmatch(r"head_([1-9]\d{0,3})x([1-9]\d{0,3})x([1-9]\d{0,3})", name)
        sizes = [int(size) for size in match.groups()] if match else []
        if not sizes or max(sizes) > LARGEST_VOLUME_SIZE:
            raise ValueError(f"expected {_VOLUME}; received {name!r}")
        return cls(*sizes)


def parse(name: str) -> Preprocessing | VolumePreprocessing:
    """The preprocessing of a name, of either kind.

    Raises: ValueError, with what was expected.
    """
    for kind in (Preprocessing, VolumePreprocessing):
        try:
            return kind.parse(name)
        except ValueError:
            pass
    raise ValueError(
        f"expected {_RADIOGRAPH}, for radiographs; or {_VOLUME}, for head CTs; "
        f"received {name!r}"
    )


def parse_declared(value: str | Mapping) -> Preprocessing | VolumePreprocessing:
    """The preprocessing that a dataset declares.

    Raises: ValueError, with what was expected.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected a name such as {DEFAULT}; received {value!r}")
    return parse(value)


DEFAULT = "lungs_256"
DEFAULT_VOLUME = "head_40x301x301"

_RADIOGRAPH = (
    f"{'_SIZE, '.join(REGIONS)}_SIZE, with a size of 1 to {LARGEST_SIZE} pixels, for "
    f"example {DEFAULT}"
)
_VOLUME = (
    f"head_DEPTHxROWSxCOLUMNS, each of 1 to {LARGEST_VOLUME_SIZE} voxels, for example "
    f"{DEFAULT_VOLUME}"
)
