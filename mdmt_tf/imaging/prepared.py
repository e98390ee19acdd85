"""Preparation of one file, the same for training and for inference.

`prepare_file` is for files of any kind, `prepare_image` for a radiograph in memory,
`volume.prepare_volume` for a volume in memory.
"""

import contextlib
import dataclasses
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import crop, dicom, intensity
from mdmt_tf.imaging.dicom_slice import read_hounsfield
from mdmt_tf.imaging.isolation import isolated
from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing, parse
from mdmt_tf.imaging.series_headers import is_dicom_file
from mdmt_tf.imaging.visible import check_visible, is_constant, nothing_visible

if TYPE_CHECKING:
    from mdmt_tf.imaging.volume import PreparedVolume, Volume


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """A radiograph or a CT slice, prepared for a model.

    Attributes:
        original: float32 (height, width) in [0, 1], as `read_file` returns it.
        mask: uint8 (height, width), 0, 1 right lung, 2 left lung; None if the lungs
            were not segmented.
        box: y0, x0, y1, x1 of the crop, see `crop`.
        box_source: crop.LUNGS, or crop.WHOLE with the reason.
        pixels: uint8 (size, size), the resized crop.
    """

    original: np.ndarray
    mask: np.ndarray | None
    box: crop.Box
    box_source: str
    pixels: np.ndarray

    def png(self) -> bytes:
        """`pixels` as a PNG file."""
        _, data = cv2.imencode(".png", self.pixels)
        return data.tobytes()

    def for_model(self) -> np.ndarray:
        """float32 (size, size, 1) in [0, 1], as training reads it."""
        return self.pixels[..., np.newaxis].astype(np.float32) / np.float32(255)


def prepare_file(
    path: str | os.PathLike, preprocessing: str | Preprocessing | VolumePreprocessing
) -> "PreparedImage | PreparedVolume":
    """Prepare a file as the training data of a model were prepared.

    Args:
        path: for a `Preprocessing`, a DICOM, PNG, JPEG or TIFF file; for a
            `VolumePreprocessing`, a NIfTI file, or the folder or the file of a DICOM
            series.
        preprocessing: it, or its name; a run has its name in
            `saved_model/model.json`.
    Raises: ValueError: the name is unknown; DataError: the file cannot be read, or is
        not what the preprocessing is for. The message names the file.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     film = np.arange(90 * 60, dtype=np.uint8).reshape(90, 60)
        ...     done = cv2.imwrite(f"{folder}/film.png", film)
        ...     prepared = prepare_file(f"{folder}/film.png", "full_64")
        >>> prepared.pixels.shape, prepared.box
        ((64, 64), (0, 0, 90, 60))
    """
    if isinstance(preprocessing, str):
        preprocessing = parse(preprocessing)
    if isinstance(preprocessing, Preprocessing):
        image = read_file(path, preprocessing)
        try:
            prepared = prepare_image(image, preprocessing)
            check_prepared(prepared)
            return prepared
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    return isolated(os.fspath(path), _prepare_volume_file, Path(path), preprocessing)


def _prepare_volume_file(
    path: Path, preprocessing: VolumePreprocessing
) -> "PreparedVolume":
    # nibabel takes half a second to load; radiographs do not need it.
    from mdmt_tf.imaging.volume import prepare_volume

    volume = _read_volume(path)
    try:
        if preprocessing.window_hu is not None:
            _check_window(volume, path)
        prepared = prepare_volume(volume, preprocessing)
        if prepared.pixels.size > 1 and is_constant(prepared.pixels):
            raise nothing_visible("", _ends(volume.values, preprocessing))
        return prepared
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read_volume(path: Path) -> "Volume":
    from mdmt_tf.imaging.series import read_series
    from mdmt_tf.imaging.volume import read_volume

    with contextlib.suppress(OSError):  # `read_volume` reports it
        if path.is_dir() or is_dicom_file(path):
            return read_series(path)
    return read_volume(path)


def _check_window(volume: "Volume", path: str | os.PathLike) -> None:
    """Check that a window in Hounsfield units has a meaning for a volume."""
    intensity.check_hounsfield(
        volume.modality, volume.unit, "with a percentile or z_score"
    )
    # NIfTI does not say what the values are, and such volumes are published as CT, so
    # they are not refused.
    if doubt := intensity.doubt_hounsfield(volume.values):
        text = f"{path}: {doubt}"
        warnings.warn(DataWarning(text, intensity.NOT_HOUNSFIELD), stacklevel=2)


def read_file(path: str | os.PathLike, preprocessing: Preprocessing) -> np.ndarray:
    """Read an image with the grey values that the preprocessing states.

    It is decoded in another process, which a decoder may crash, see `isolation`.

    Returns: float32 (height, width) in [0, 1]: as on a viewing screen, see
        `dicom.read_image`; or in the window of the preprocessing.
    Raises: DataError, as `dicom.read_image` and `dicom_slice.read_hounsfield`; or when
        the decoder crashes.
    """
    return isolated(os.fspath(path), _decode_file, path, preprocessing)


def _decode_file(path: str | os.PathLike, preprocessing: Preprocessing) -> np.ndarray:
    if preprocessing.window_hu is None:
        return dicom.read_image(path)
    values = read_hounsfield(path)
    image = intensity.window(values, *preprocessing.window_hu)
    check_visible(image, os.fspath(path), lambda: _ends(values, preprocessing))
    return image


def _ends(
    values: np.ndarray, preprocessing: Preprocessing | VolumePreprocessing
) -> str:
    """The range of the values and the window, for messages."""
    low, high = (f"{value:g}" for value in (values.min(), values.max()))
    if preprocessing.window_hu is None:
        return f"values from {low} to {high}"
    ends = "{:g} to {:g}".format(*preprocessing.window_hu)
    return f"values from {low} to {high}, in a window from {ends} HU"


def prepare_image(
    image: np.ndarray, preprocessing: str | Preprocessing
) -> PreparedImage:
    """Prepare a radiograph as the training images of a model were prepared.

    Args:
        image: float32 (height, width) in [0, 1], as `read_file` returns it.
        preprocessing: a `Preprocessing` or its name, e.g. "lungs_256"; a run has its
            name in `saved_model/model.json`.
    Raises: ValueError: `image` is not an image, or the name is unknown.
    """
    if isinstance(preprocessing, str):
        preprocessing = Preprocessing.parse(preprocessing)
    mask = None if preprocessing.region == "full" else segment_lungs([image])[0]
    return cut(image, mask, preprocessing)


def cut(
    image: np.ndarray,
    mask: np.ndarray | None,
    preprocessing: Preprocessing,
    lungs: crop.Box | None = None,
) -> PreparedImage:
    """`prepare_image` with a known mask; with neither mask nor box, of the whole image.

    Args:
        lungs: the smallest box of both lungs, which the region "lungs" needs no mask
            for.
    """
    if lungs is not None:
        box = crop.square_around(lungs, image.shape, preprocessing.growth_percent)
        source = crop.LUNGS
    elif mask is None:
        box, source = crop.whole_box(image.shape), crop.WHOLE
    else:
        box, source = crop.lung_box(mask, preprocessing.growth_percent)
    kept = crop.crop(image, box)
    if preprocessing.clip_percentiles is not None:
        low, high = np.percentile(image, preprocessing.clip_percentiles).tolist()
        # An image of a single grey value stays as it is.
        kept = intensity.window(kept, low, high) if low < high else kept
    if preprocessing.region == "masked" and source == crop.LUNGS:
        kept = kept * (crop.crop(mask, box) > 0)
    pixels = crop.to_uint8(crop.resize(kept, preprocessing.size))
    return PreparedImage(image, mask, box, source, pixels)


def check_prepared(prepared: PreparedImage) -> None:
    """Check that something is visible on the part of an image that is kept.

    Raises: DataError, without the name of the file.
    """
    pixels = prepared.pixels
    if pixels.size > 1 and is_constant(pixels):
        y0, x0, y1, x1 = prepared.box
        part = f"rows {y0} to {y1} and columns {x0} to {x1} ({prepared.box_source})"
        raise nothing_visible("", f"all prepared pixels are {pixels[0, 0]}, in {part}")
