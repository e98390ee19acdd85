"""Read one radiograph from a file of any supported format, as grey values in [0, 1].

Values run from 0 black to 1 white (air dark, bone bright), as on a viewing screen:

- DICOM with a VOI lookup table or window: the output range of that transformation.
- DICOM without: the smallest to the largest pixel value, without padding.
- DICOM in colour, PNG, JPEG, TIFF: the range of the stored values, see `raster`.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRLittleEndian

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import raster

logger = logging.getLogger(__name__)

# Only these tags are parsed: a header of thousands of elements, half of them malformed,
# costs time and warnings. Data about the patient is not read.
_TAGS = """
    Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    BitsAllocated BitsStored HighBit PixelRepresentation NumberOfFrames
    PixelPaddingValue PixelPaddingRangeLimit ModalityLUTSequence RescaleSlope
    RescaleIntercept VOILUTSequence VOILUTFunction WindowCenter WindowWidth
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData
    PixelData ExtendedOffsetTable ExtendedOffsetTableLengths
"""


def read_image(
    source: str | os.PathLike | bytes, name: str | None = None
) -> np.ndarray:
    """Read a DICOM, PNG, JPEG or TIFF file, recognised by its content.

    Args:
        source: a path, or the bytes of a file.
        name: name of the file in messages; None: the path.
    Returns: float32 (height, width) in [0, 1]; see the module for the scale. An image
        without contrast and without VOI transformation is 0 everywhere.
    Raises:
        DataError: the file is missing, empty, truncated or corrupt, has several frames
            or pages, or an unknown format. The message names the file and the reason.
    """
    data, name = bytes_of(source, name)
    # DICOM first: with a suitable preamble, a DICOM file is a TIFF too (PS3.10 7.1).
    if is_dicom(data):
        return _decode_dicom(data, name)
    if raster.is_raster(data):
        return raster.decode_raster(data, name)
    raise DataError(
        f"{name}: expected a DICOM, PNG, JPEG or TIFF file, received one that begins "
        f"with {data[:8]!r}"
    )


def bytes_of(source: str | os.PathLike | bytes, name: str | None) -> tuple[bytes, str]:
    """The content of a file, and its name for messages; DataError for an empty one."""
    if isinstance(source, bytes):
        data, name = source, name or "<bytes>"
    else:
        name = name or os.fspath(source)
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror}") from error
    if not data:
        raise DataError(f"{name}: the file is empty")
    return data, name


def is_dicom(data: bytes) -> bool:
    """Whether the content is DICOM: with a preamble, or bare and group 2 or 8 first."""
    return data[128:132] == b"DICM" or data[:2] in (b"\x02\0", b"\x08\0")


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn all exceptions from reading a DICOM file into DataError with its name."""
    try:
        yield
    except (DataError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # pydicom and its decoders raise dozens of types for malformed files, including
    # `Exception` itself. A decoder in Rust panics by a BaseException.
    except BaseException as error:
        raise DataError(
            f"{name}: this DICOM file cannot be read: {type(error).__name__}: {error}"
        ) from error


def parse(data: bytes, name: str, tags: Sequence[str] = ()) -> pydicom.Dataset:
    """The elements of a DICOM file that describe its pixels, and those of `tags`."""
    dataset = pydicom.dcmread(
        io.BytesIO(data), force=True, specific_tags=[*_TAGS.split(), *tags]
    )
    if "PixelData" not in dataset:
        raise DataError(f"{name}: this DICOM file has no image")
    if "TransferSyntaxUID" not in dataset.file_meta:  # bare, so uncompressed
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _decode_dicom(data: bytes, name: str) -> np.ndarray:
    with reading(name):
        dataset = parse(data, name)
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames != 1:
            raise DataError(
                f"{name}: expected one image, received {frames} frames. "
                "Save the frame to be used as a separate file."
            )
        stored = pixel_array(dataset, index=0, allow_excess_frames=False)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            stored = apply_color_lut(stored, dataset)
            return _colour(stored, np.iinfo(stored.dtype).max)
        if dataset.SamplesPerPixel > 1:
            return _colour(stored, 2**dataset.BitsStored - 1)
        image = _monochrome(stored, dataset, name)
    if not np.isfinite(image).all():
        raise DataError(f"{name}: the image has pixels that are not finite")
    return image


def _colour(rgb: np.ndarray, white: int) -> np.ndarray:
    """RGB (h, w, 3) to luminance in [0, 1]; pydicom has converted YBR to RGB."""
    return np.minimum(raster.luminance(rgb) / np.float32(white), np.float32(1))


def _monochrome(stored: np.ndarray, dataset: pydicom.Dataset, name: str) -> np.ndarray:
    """Stored values to [0, 1]: modality, then VOI, then the inversion of MONOCHROME1.

    Padding becomes black, as it does not belong to the image (PS3.3 C.7.5.1.1.2).
    PresentationLUTShape is not read: for radiographs, INVERSE repeats MONOCHROME1, and
    applying both would undo the inversion.
    """
    values = apply_modality(stored, dataset)
    padding = padding_of(stored, dataset)
    image = _apply_voi(values, dataset, name)
    if image is None:
        image = _stretch(values, padding)
        if image is None:
            return np.zeros(stored.shape, np.float32)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        image = 1 - image
    if padding is not None:
        image[padding] = 0
    return image


def padding_of(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray | None:
    """Mask of the padding pixels, which their stored value marks; None without."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() else None


def apply_modality(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Modality lookup table, or slope and intercept (PS3.3 C.11.1)."""
    if dataset.get("ModalityLUTSequence"):
        table, first = _lookup_table(dataset.ModalityLUTSequence[0], dataset)
        return _look_up(stored, table, first)
    slope = dataset.get("RescaleSlope")
    intercept = dataset.get("RescaleIntercept")
    slope = 1.0 if slope is None else float(slope)
    intercept = 0.0 if intercept is None else float(intercept)
    if (slope, intercept) == (1.0, 0.0):
        return stored
    return stored * np.float32(slope) + np.float32(intercept)


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
        table, first = _lookup_table(item, dataset)
        bits = item.LUTDescriptor[2]
        if bits == 16:
            bits = raster.smallest_depth(int(table.max()), (8, 10, 12, 14, 16))
        scaled = np.minimum(table / np.float32(2**bits - 1), np.float32(1))
        return _look_up(values, scaled, first)
    center, width = (
        _first(dataset.get(key)) for key in ("WindowCenter", "WindowWidth")
    )
    if center is None or width is None:
        return None
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if width < (1 if function == "LINEAR" else np.finfo(np.float32).tiny):
        logger.warning(
            "%s: a %s window of width %s is impossible; the range of the pixels is "
            "used instead",
            name,
            function,
            width,
        )
        return None
    return _window(values.astype(np.float32), center, width, function)


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
            "expected VOILUTFunction LINEAR, LINEAR_EXACT or SIGMOID, received "
            f"{function!r}"
        )
    x -= np.float32(center)
    x *= np.float32(1 / width)
    x += np.float32(0.5)
    return np.clip(x, 0, 1, out=x)


def _stretch(values: np.ndarray, padding: np.ndarray | None) -> np.ndarray | None:
    """Scale the values to [0, 1], without padding; None if there is no contrast."""
    counted = values if padding is None else values[~padding]
    if not counted.size:
        return None
    low, high = float(counted.min()), float(counted.max())
    if low == high:
        return None
    image = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(image, 0, 1, out=image)


def _lookup_table(
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


def _look_up(values: np.ndarray, table: np.ndarray, first: int) -> np.ndarray:
    """Look up values; inputs outside the table get the first or the last entry."""
    index = np.rint(values).astype(np.int32) - first
    return table[np.clip(index, 0, table.size - 1)]


def _first(value) -> float | None:
    """The first of one or several decimal strings; None if absent or empty."""
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)
