"""Preprocessing of images for a model: its names such as "lungs_256", its YAML form.

`Preprocessing` is for images, `VolumePreprocessing` for volumes. A name determines a
preprocessing entirely, so runs and folders store only names. `parse` reads a name,
`parse_declared` the form of a dataset's declaration. `mdmt_tf.imaging.prepared` and
`mdmt_tf.imaging.volume` apply them.

| name | preprocessing |
|---|---|
| lungs_256 | a square around the lungs, 256 x 256 pixels |
| lungs_256_clip_2_98 | as lungs_256, from one percentile of the image to another |
| lungs_256_grow_5 | as lungs_256, 5 % larger than the lungs instead of 10 % |
| hu_-100_300_256 | a CT slice, -100 to 300 HU, 256 x 256 pixels |
| head_40x301x301 | 15 to 100 HU, 40 x 301 x 301 voxels |
| hu_-100_300_40x256x256 | -100 to 300 HU |
| percentile_0.5_99.5_40x256x256 | from one percentile to another |
| zscore_5_40x256x256 | mean plus and minus 5 std |
| zscore_5_96x96x96_2x2x2mm_RAS | voxels of 2 mm; axes to the right, front and up |
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mdmt_tf.errors import nearest
from mdmt_tf.imaging.preprocess_values import (
    check_orientation,
    check_sizes,
    limits,
    numbers,
    text_of,
)

# Region -> its description.
REGIONS = {
    "lungs": "A square around the lungs; the whole image where none are found.",
    "full": "The whole image.",
    "masked": "As lungs, with everything outside the lungs black.",
}
LARGEST_SIZE = 4096
LARGEST_VOLUME_SIZE = 1024
# The square around the lungs is so much larger than they are.
GROWTH_PERCENT = 10.0
# The window of Cobo et al. 2024: from above water to above clotted blood.
HEAD_WINDOW_HU = (15.0, 100.0)
# Depth upwards, rows to the back (posterior), columns to the left: as in radiology.
RADIOLOGICAL = "SPL"
# Multiples of the std from 0 to the middle of the range, as Isensee et al. 2017.
Z_SCORE_CLIP = 5.0

_LARGEST_HU = 100_000
_SPACING_MM = (0.01, 1000)
_Z_SCORE = (0.1, 100)
_SCALES = ("window_hu", "percentile", "z_score")
_NUMBER = r"(-?\d+(?:\.\d+)?)"


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of images; config and folder bear its name, e.g. "lungs_256".

    Attributes:
        region: a key of REGIONS; "full" with a window.
        size: side of the prepared image in pixels, 1 to LARGEST_SIZE.
        window_hu: low and high end of the window of CT slices, in Hounsfield units.
            None: the image as on a viewing screen, see `dicom`.
        clip_percentiles: low and high percentile of the whole image that become black
            and white, from 0 to 100. None: grey values stay as they are.
        growth_percent: margin of the square around the lungs, see `crop.lung_box`.
    """

    region: str
    size: int
    window_hu: tuple[float, float] | None = None
    clip_percentiles: tuple[float, float] | None = None
    growth_percent: float = GROWTH_PERCENT

    def __post_init__(self):
        check_sizes("size", [self.size], LARGEST_SIZE)
        if self.region not in tuple(REGIONS):  # a list could not be looked up
            raise ValueError(
                f"expected a region {', '.join(REGIONS)}. Received: {self.region!r}"
            )
        if self.window_hu is not None:
            _set(self, "window_hu", _window(self.window_hu))
            if self.region != "full":
                raise ValueError(
                    "expected the region full with window_hu, because lungs are found "
                    f"in radiographs only. Received: {self.region!r}"
                )
        if self.clip_percentiles is not None:
            ends = limits("clip_percentiles", self.clip_percentiles, 0, 100)
            _set(self, "clip_percentiles", ends)
            if self.window_hu is not None:
                raise ValueError(
                    "expected clip_percentiles or window_hu, because each says which "
                    "values become black and white. Received: both"
                )
        (growth,) = numbers("growth_percent", [self.growth_percent], 1, 0, 100)
        _set(self, "growth_percent", growth)
        if growth != GROWTH_PERCENT and self.region == "full":
            raise ValueError(
                "expected the region lungs or masked with growth_percent, which is the "
                "margin around the lungs. Received: 'full'"
            )

    @property
    def name(self) -> str:
        if self.window_hu is not None:
            return f"{_joined('hu', *self.window_hu)}_{self.size}"
        name = f"{self.region}_{self.size}"
        if self.clip_percentiles is not None:
            name += f"_{_joined('clip', *self.clip_percentiles)}"
        if self.growth_percent != GROWTH_PERCENT:
            name += f"_{_joined('grow', self.growth_percent)}"
        return name

    @property
    def description(self) -> str:
        kept = REGIONS[self.region]
        if self.window_hu is not None:
            low, high = map(text_of, self.window_hu)
            kept = f"The whole CT slice, {low} to {high} HU."
        if self.growth_percent != GROWTH_PERCENT:
            kept += f" Margin: {text_of(self.growth_percent)} %."
        if self.clip_percentiles is not None:
            low, high = map(text_of, self.clip_percentiles)
            kept += f" Grey values from percentile {low} to {high}."
        return f"{kept} Resized to {self.size} x {self.size} pixels."

    @classmethod
    def parse(cls, name: str) -> "Preprocessing":
        """The preprocessing of a name.

        Raises: ValueError, with what was expected.
        """
        match = re.fullmatch(
            rf"(?:hu_{_NUMBER}_{_NUMBER}|([a-z]+))_([1-9]\d{{0,3}})"
            f"(?:_clip_{_NUMBER}_{_NUMBER})?(?:_grow_{_NUMBER})?",
            name,
        )
        if match:
            low, high, region, size, least, most, growth = match.groups()
            result = _built(
                cls,
                region or "full",
                int(size),
                window_hu=_floats(low, high),
                clip_percentiles=_floats(least, most),
                growth_percent=GROWTH_PERCENT if growth is None else float(growth),
            )
            if result is not None and result.name == name:
                return result
        raise ValueError(f"expected {_IMAGE}; received {name!r}")


@dataclasses.dataclass(frozen=True)
class VolumePreprocessing:
    """Preprocessing of volumes; its name is "head_40x301x301" or similar.

    Exactly one of `window_hu`, `percentile` and `z_score` says which values become 0
    and 1; see `intensity`.

    Attributes:
        shape: voxels of the prepared volume along its axes, which are called depth,
            rows and columns; each 1 to LARGEST_VOLUME_SIZE.
        window_hu: low and high end of the window of a CT, in Hounsfield units.
        percentile: low and high percentile of the values, from 0 to 100.
        z_score: the range is the mean plus and minus so many std.
        orientation: where the axes go, one letter each: R or L (the patient's right
            or left), A or P (front or back), S or I (up or down).
        spacing_mm: distance of the prepared voxels along each axis, cropped and padded
            to `shape`. None: the whole volume is resized to `shape`.
    """

    shape: tuple[int, int, int]
    window_hu: tuple[float, float] | None = None
    percentile: tuple[float, float] | None = None
    z_score: float | None = None
    orientation: str = RADIOLOGICAL
    spacing_mm: tuple[float, float, float] | None = None

    def __post_init__(self):
        check_sizes("shape", self.shape, LARGEST_VOLUME_SIZE, count=3)
        _set(self, "shape", tuple(self.shape))
        given = [name for name in _SCALES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected one of {', '.join(_SCALES)}, for the values that become "
                f"black and white. Received: {', '.join(given) or 'none of them'}"
            )
        if self.window_hu is not None:
            _set(self, "window_hu", _window(self.window_hu))
        if self.percentile is not None:
            _set(self, "percentile", limits("percentile", self.percentile, 0, 100))
        if self.z_score is not None:
            (clip,) = numbers("z_score", [self.z_score], 1, *_Z_SCORE)
            _set(self, "z_score", clip)
        if self.spacing_mm is not None:
            spacing = numbers("spacing_mm", self.spacing_mm, 3, *_SPACING_MM)
            _set(self, "spacing_mm", spacing)
        check_orientation(self.orientation)

    @property
    def name(self) -> str:
        name = f"{self._scale}_{'x'.join(map(str, self.shape))}"
        if self.spacing_mm is not None:
            name += f"_{'x'.join(map(text_of, self.spacing_mm))}mm"
        if self.orientation != RADIOLOGICAL:
            name += f"_{self.orientation}"
        return name

    @property
    def _scale(self) -> str:
        """The first words of the name."""
        if self.window_hu == HEAD_WINDOW_HU:
            return "head"
        if self.window_hu is not None:
            return _joined("hu", *self.window_hu)
        if self.percentile is not None:
            return _joined("percentile", *self.percentile)
        return _joined("zscore", self.z_score)

    @property
    def description(self) -> str:
        if self.window_hu == HEAD_WINDOW_HU:
            values = "in the window of blood and brain"
        elif self.window_hu is not None:
            values = "from {} to {} HU".format(*map(text_of, self.window_hu))
        elif self.percentile is not None:
            values = "from percentile {} to {}".format(*map(text_of, self.percentile))
        else:
            values = f"from mean - {text_of(self.z_score)} std to mean + as much"
        size = " x ".join(map(str, self.shape))
        if self.spacing_mm is None:
            text = (
                f"The whole volume {values}, padded to at least {self.shape[0]} "
                f"slices. Resized to {size} voxels."
            )
        else:
            spacing = " x ".join(map(text_of, self.spacing_mm))
            text = (
                f"The volume {values}, in voxels of {spacing} mm. Cropped and padded "
                f"to {size} voxels."
            )
        if self.orientation != RADIOLOGICAL:
            text += f" Axes go to {', '.join(self.orientation)}."
        return text

    @classmethod
    def parse(cls, name: str) -> "VolumePreprocessing":
        """The preprocessing of a name.

        Raises: ValueError, with what was expected.
        """
        match = re.fullmatch(
            f"(?:(head)|hu_{_NUMBER}_{_NUMBER}|percentile_{_NUMBER}_{_NUMBER}|"
            rf"zscore_{_NUMBER})_(\d+x\d+x\d+)"
            f"(?:_{_NUMBER}x{_NUMBER}x{_NUMBER}mm)?(?:_([A-Z]+))?",
            name,
        )
        if match:
            head, low, high, least, most, clip, shape, *spacing, axes = match.groups()
            result = _built(
                cls,
                tuple(map(int, shape.split("x"))),
                window_hu=HEAD_WINDOW_HU if head else _floats(low, high),
                percentile=_floats(least, most),
                z_score=None if clip is None else float(clip),
                orientation=axes or RADIOLOGICAL,
                spacing_mm=_floats(*spacing),
            )
            if result is not None and result.name == name:
                return result
        raise ValueError(f"expected {_VOLUME}; received {name!r}")


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
        f"expected {_IMAGE}, for images; or {_VOLUME}, for volumes; received {name!r}"
    )


def parse_declared(
    value: str | Mapping[str, Any],
) -> Preprocessing | VolumePreprocessing:
    """The preprocessing of a dataset's declaration: a name, or keys and values.

    Images have the keys of `Preprocessing`, of which `region` is "full" by default;
    volumes those of `VolumePreprocessing`. `z_score: true` stands for Z_SCORE_CLIP.

    Raises: ValueError, with what was expected.

    Example:
        >>> parse_declared({"window_hu": [-100, 300], "shape": [40, 256, 256]}).name
        'hu_-100_300_40x256x256'
        >>> parse_declared({"z_score": True, "shape": [96, 96, 96],
        ...                 "spacing_mm": [2, 2, 2], "orientation": "RAS"}).name
        'zscore_5_96x96x96_2x2x2mm_RAS'
        >>> parse_declared({"window_hu": [-100, 300], "size": 256}).name
        'hu_-100_300_256'
        >>> parse_declared({"region": "lungs", "size": 256, "growth_percent": 5,
        ...                 "clip_percentiles": [2, 98]}).name
        'lungs_256_clip_2_98_grow_5'
    """
    if isinstance(value, str):
        return parse(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"expected {_DECLARED}. Received: {value!r}")
    given = dict(value)
    if "size" in given and "shape" not in given:
        kind = Preprocessing
        given.setdefault("region", "full")
    elif "shape" in given:
        kind = VolumePreprocessing
        if given.get("z_score") is True:
            given["z_score"] = Z_SCORE_CLIP
        if isinstance(axes := given.get("orientation"), list | tuple):
            given["orientation"] = "".join(map(str, axes))
    else:
        raise ValueError(
            "expected shape: [DEPTH, ROWS, COLUMNS] for volumes, or size: PIXELS for "
            "images; also with spacing_mm, because a network takes volumes of one "
            f"shape. Received: {', '.join(map(str, given)) or 'no keys'}"
        )
    known = tuple(field.name for field in dataclasses.fields(kind))
    for key in given:
        if key not in known:
            raise ValueError(
                f"{key!r} is not a key of the preprocessing of "
                f"{'images' if kind is Preprocessing else 'volumes'}."
                f"{nearest(str(key), known)} Known: {', '.join(known)}"
            )
    return kind(**given)


def _window(values: Any) -> tuple[float, float]:
    return limits("window_hu", values, -_LARGEST_HU, _LARGEST_HU)


def _built(kind: type, *values, **options) -> Any:
    """An instance; None for values that it refuses."""
    try:
        return kind(*values, **options)
    except ValueError:
        return None


def _set(instance: Any, name: str, value: Any) -> None:
    """Set an attribute of an instance that is being made and otherwise frozen."""
    object.__setattr__(instance, name, value)


def _floats(*texts: str | None) -> tuple[float, ...] | None:
    return None if texts[0] is None else tuple(map(float, texts))


def _joined(word: str, *numbers: float) -> str:
    return "_".join([word, *map(text_of, numbers)])


DEFAULT = "lungs_256"
DEFAULT_VOLUME = "head_40x301x301"

_IMAGE = (
    f"{'_SIZE, '.join(REGIONS)}_SIZE (and _clip_LOW_HIGH, _grow_PERCENT or both) or "
    f"hu_LOW_HIGH_SIZE, with a size of 1 to {LARGEST_SIZE} pixels, for example "
    f"{DEFAULT}"
)
_VOLUME = (
    "head_DEPTHxROWSxCOLUMNS (or hu_LOW_HIGH_, percentile_LOW_HIGH_, zscore_CLIP_ for "
    f"head_), each of 1 to {LARGEST_VOLUME_SIZE} voxels, for example {DEFAULT_VOLUME}"
)
_DECLARED = (
    f"a name such as {DEFAULT}, or keys such as {{window_hu: [-100, 300], shape: [40, "
    "256, 256]}"
)
