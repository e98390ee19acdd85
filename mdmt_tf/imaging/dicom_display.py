"""Values of a DICOM image as on a viewing screen, from 0 black to 1 white.

Lookup table or window (VOI), or else the range of the pixels; inversion; padding.
"""

import warnings

import numpy as np
import pydicom

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import raster
from mdmt_tf.imaging.dicom_frames import element
from mdmt_tf.imaging.dicom_values import (
    apply_modality,
    look_up,
    lookup_table,
    padding_of,
)
from mdmt_tf.imaging.visible import check_visible, nothing_visible

# Others are not repeated in messages: they may be any text of the file.
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def shown(stored: np.ndarray, dataset: pydicom.Dataset, name: str) -> np.ndarray:
    """Stored values to [0, 1]: modality, then VOI, then the inversion of MONOCHROME1.

    Padding becomes black, as it does not belong to the image (PS3.3 C.7.5.1.1.2).
    PresentationLUTShape is not read: for radiographs, INVERSE repeats MONOCHROME1, and
    applying both would undo the inversion.

    Args:
        stored: (rows, columns), as `dicom_pixels.stored_pixels` returns it.
        dataset: as `dicom.parse` returns it.
        name: of the file, for messages.
    Raises: DataError: nothing is visible, or the numbers in the header are absurd.
    """
    values = apply_modality(stored, dataset, name)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"{name}: the image has pixels that are not finite")
    padding = padding_of(stored, dataset)
    if padding is not None and padding.all():
        received = f"all pixels have the value of padding, {dataset.PixelPaddingValue}"
        raise nothing_visible(name, received)

    def cause() -> str:
        return (
            f"pixel values {values.min():g} to {values.max():g}, {_voi(dataset, name)}"
        )

    image = _apply_voi(values, dataset, name)
    if image is None:
        image = _stretch(values, padding, name)
    check_visible(image, name, cause, padding)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        image = 1 - image
    if padding is not None:
        image[padding] = 0
    return image


def _voi(dataset: pydicom.Dataset, name: str) -> str:
    """The VOI transformation, for messages."""
    if dataset.get("VOILUTSequence"):
        return "in a VOI lookup table"
    center, width = _center_and_width(dataset, name)
    if center is None or width is None:
        return "without a window"
    return f"in a window of center {center:g} and width {width:g}"


def _apply_voi(
    values: np.ndarray, dataset: pydicom.Dataset, name: str
) -> np.ndarray | None:
    """VOI transformation to [0, 1] (PS3.3 C.11.2); None if the file has none.

    A table has priority over a window; the first of several is used. A table of n bits
    reaches white at 2^n - 1. Many writers declare 16 bits for any table of 16-bit
    words; n is then the smallest of 8, 10, 12, 14, 16 that holds the largest entry.
    """
    if dataset.get("VOILUTSequence"):
        item = dataset.VOILUTSequence[0]
        table, first = lookup_table(item, dataset)
        bits = item.LUTDescriptor[2]
        if bits == 16:
            bits = raster.smallest_depth(int(table.max()), (8, 10, 12, 14, 16))
        scaled = np.minimum(table / np.float32(2**bits - 1), np.float32(1))
        return look_up(values, scaled, first)
    center, width = _center_and_width(dataset, name)
    if center is None or width is None:
        return None
    if not np.isfinite((center, width)).all():
        raise DataError(
            f"{name}: expected a window of finite numbers. Received: WindowCenter "
            f"{center:g}, WindowWidth {width:g}. Export the image again"
        )
    function = element(dataset, "VOILUTFunction", name) or "LINEAR"
    if width < (1 if function == "LINEAR" else np.finfo(np.float32).tiny):
        known = function if function in _FUNCTIONS else "unknown"
        doubt = (
            f"{name}: the window of kind {known} and width {width} is impossible; the "
            "range of the pixels is used instead"
        )
        warnings.warn(DataWarning(doubt, "impossible window"), stacklevel=2)
        return None
    return _window(values.astype(np.float32), center, width, function)


def _center_and_width(
    dataset: pydicom.Dataset, name: str
) -> tuple[float | None, float | None]:
    """Of the first window."""
    center, width = (
        _first(element(dataset, keyword, name))
        for keyword in ("WindowCenter", "WindowWidth")
    )
    return center, width


def _window(x: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """The three window functions of PS3.3 C.11.2.1, scaled to [0, 1]; may modify x.

    LINEAR:        (x - (c - 0.5)) / (w - 1) + 0.5, clipped; a step if w = 1
    LINEAR_EXACT:  (x - c) / w + 0.5, clipped
    SIGMOID:       1 / (1 + exp(-4 (x - c) / w))
    """
    if function == "SIGMOID":
        # Beyond 80 the result is 0 or 1 in float32, and the exponential overflows.
        return 1 / (1 + np.exp(np.clip((-4 / width) * (x - center), -80, 80)))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
        if width == 0:
            return (x > center).astype(np.float32)
    elif function != "LINEAR_EXACT":
        raise ValueError(
            "expected VOILUTFunction LINEAR, LINEAR_EXACT or SIGMOID, received another"
        )
    x -= np.float32(center)
    x *= np.float32(1 / width)
    x += np.float32(0.5)
    return np.clip(x, 0, 1, out=x)


def _stretch(values: np.ndarray, padding: np.ndarray | None, name: str) -> np.ndarray:
    """Scale the values, of which padding does not count, to [0, 1]."""
    counted = values if padding is None else values[~padding]
    low, high = float(counted.min()), float(counted.max())
    if low == high:
        raise nothing_visible(name, f"all pixels have the value {low:g}")
    image = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(image, 0, 1, out=image)


def _first(value) -> float | None:
    """The first of one or several decimal strings; None if absent or empty."""
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)
