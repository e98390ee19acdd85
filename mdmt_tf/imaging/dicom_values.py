"""Values of stored DICOM pixels: modality transformation, padding, lookup tables."""

import numpy as np
import pydicom

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom_frames import element, statements
from mdmt_tf.imaging.dicom_header import code

# US is "unspecified", not ultrasound; the long forms are of writers that spell it out.
_USUAL_UNITS = ("HU", "HOUNSFIELD", "HOUNSFIELD UNIT", "HOUNSFIELD UNITS", "US")
# Other units of the standard, PS3.3 C.11.1.1.2. In HU_MOD, some materials have other
# values than in Hounsfield units, so a window in these does not show the same.
_UNITS = {
    "OD": "optical density",
    "MGML": "mg/ml",
    "Z_EFF": "effective atomic number",
    "ED": "electron density",
    "EDW": "electron density relative to water",
    "HU_MOD": "modified Hounsfield units",
    "PCT": "percent",
}

# Sums of float32 have whole steps up to here.
_EXACT = 2**24


def apply_modality(
    stored: np.ndarray, dataset: pydicom.Dataset, name: str, frame: int = 0
) -> np.ndarray:
    """Modality lookup table, or slope and intercept (PS3.3 C.11.1).

    Raises: DataError for a slope of 0, for numbers that no image has, and for two that
        contradict each other.
    """
    if dataset.get("ModalityLUTSequence"):
        table, first = lookup_table(dataset.ModalityLUTSequence[0], dataset)
        return look_up(stored, table, first)
    slope, intercept = rescale_of(dataset, name, frame) or (1.0, 0.0)
    if (slope, intercept) == (1.0, 0.0):
        return stored
    steps = abs(intercept / slope) if slope else np.inf
    if not (np.isfinite((slope, intercept)).all() and steps < _EXACT):
        raise DataError(
            f"{name}: expected RescaleSlope and RescaleIntercept that map each pixel "
            f"to another value. Received: slope {slope:g}, intercept {intercept:g}. "
            "Export the image again"
        )
    return stored * np.float32(slope) + np.float32(intercept)


def rescale_of(
    dataset: pydicom.Dataset, name: str, frame: int = 0
) -> tuple[float, float] | None:
    """Slope and intercept of a frame; None where the file states neither."""
    slope = element(dataset, "RescaleSlope", name, frame)
    intercept = element(dataset, "RescaleIntercept", name, frame)
    if slope is None and intercept is None:
        return None
    return float(1 if slope is None else slope), float(intercept or 0)


def unit_of(dataset: pydicom.Dataset, frame: int = 0) -> str:
    """The unit of the values of a frame, if it is another than that of a usual CT.

    Returns: such as "MGML (mg/ml)"; the text of a unit that the standard does not
        define is not repeated. "" for Hounsfield units, and where the file states
        nothing or "unspecified"; a CT then has Hounsfield units (PS3.3 C.8.2.1).
    """
    if tables := dataset.get("ModalityLUTSequence"):
        stated = [code(tables[0].get("ModalityLUTType"))]
    else:
        stated = [value for _, value in statements(dataset, "RescaleType", frame)]
    others = [value for value in stated if value and value not in _USUAL_UNITS]
    if not others:
        return ""
    if meaning := _UNITS.get(others[0]):
        return f"{others[0]} ({meaning})"
    return "one that DICOM does not know"


def padding_of(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray | None:
    """Mask of the padding pixels, which their stored value marks; None without."""
    value = _padding_value(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = _padding_value(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() else None


def _padding_value(dataset: pydicom.Dataset, keyword: str) -> int | None:
    """A value of padding, in the type of the pixels.

    Many writers store it with the other sign (US for SS) or as bytes, so numbers that
    differ by 2^BitsAllocated are the same.
    """
    value = dataset.get(keyword)
    if isinstance(value, bytes):
        order = (
            "little" if dataset.file_meta.TransferSyntaxUID.is_little_endian else "big"
        )
        value = int.from_bytes(value[: int(dataset.BitsAllocated) // 8], order)
    elif isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    bits = int(dataset.BitsAllocated)
    value = int(float(value)) % 2**bits
    is_negative = int(dataset.PixelRepresentation) == 1 and value >= 2 ** (bits - 1)
    return value - 2**bits if is_negative else value


def lookup_table(
    item: pydicom.Dataset, dataset: pydicom.Dataset
) -> tuple[np.ndarray, int]:
    """Entries of a lookup table, and the input of the first entry (PS3.3 C.11.1.1).

    pydicom is not used, because version 3.0 wraps the inputs of tables with 8-bit
    entries at 256.
    """
    count, first, _ = item.LUTDescriptor
    count = count % 2**16 or 2**16  # 0 stands for 65536; a signed count wraps
    data = item.LUTData
    if isinstance(data, bytes):
        big_endian = dataset.original_encoding[1] is False
        kind = "u1" if len(data) < 2 * count else ">u2" if big_endian else "<u2"
        data = np.frombuffer(data, kind)
    table = np.atleast_1d(np.asarray(data))[:count]
    if not table.size:
        raise ValueError("a lookup table without entries")
    return table.astype(np.float32), first


def look_up(values: np.ndarray, table: np.ndarray, first: int) -> np.ndarray:
    """Look up values; inputs outside the table get the first or the last entry."""
    index = np.rint(values).astype(np.int32) - first
    return table[np.clip(index, 0, table.size - 1)]
