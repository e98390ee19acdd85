"""Stored pixels of a DICOM frame: whether they are whole and can be decoded."""

import struct
import warnings

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom_bits, limits
from mdmt_tf.imaging.decoder_messages import listen, quiet_loggers

_REQUIRED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE_SAMPLES = ("RGB", "YBR", "HSV", "ARGB", "CMYK")
# What GDCM decodes and the other packages do not.
_NEED_GDCM = (
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


def stored_pixels(dataset: pydicom.Dataset, name: str, frame: int = 0) -> np.ndarray:
    """Decode one frame.

    Args:
        dataset: as `dicom.parse` returns it.
        name: of the file, for messages.
        frame: number of the frame.
    Returns: integers, (rows, columns) or (rows, columns, 3), as stored: before slope,
        intercept and window. YBR has become RGB.
    Raises: DataError: the header contradicts itself or the pixels, no decoder for this
        compression is installed, or the pixels are damaged. Also any exception of
        pydicom and its decoders, see `dicom.reading`.
    """
    _check_header(dataset, name)
    syntax = dataset.file_meta.TransferSyntaxUID
    compressed = len(dataset.PixelData) if syntax.is_compressed else None
    frames = int(dataset.get("NumberOfFrames") or 1)
    limits.check_pixels(
        name,
        int(dataset.Rows),
        int(dataset.Columns),
        max(1, frames),
        int(dataset.SamplesPerPixel),
        max(1, int(dataset.BitsAllocated) // 8),
        stored=compressed,
    )
    if not syntax.is_encapsulated:
        words = _words(dataset, name, frame)
        if words is not None:
            dicom_bits.check_bits(dataset, words, name)
            if dicom_bits.is_left_aligned(dataset, words):
                return dicom_bits.left_aligned(dataset, words)
    _check_decoder(syntax, name)
    try:
        with quiet_loggers():
            stored, _ = listen(
                lambda: pixel_array(dataset, index=frame, allow_excess_frames=False)
            )
    except RuntimeError as error:
        # Pillow decodes 8 bits only.
        if syntax == JPEGExtended12Bit and not _has_gdcm():
            raise _without_decoder(syntax, name) from error
        raise
    dicom_bits.check_sign(dataset, stored, name)
    return stored


def check_whole(data: bytes, dataset: pydicom.Dataset, name: str) -> None:
    """Check that compressed pixels end with their end marker.

    pydicom leaves out pixels whose end is missing, or returns what there is.

    Args:
        data: the file.
        dataset: parsed from it; its pixels not decoded yet.
        name: of the file, for messages.
    Raises: DataError.
    """
    raw = dataset.get_item("PixelData")
    if raw is None:
        if any(start in data for start in _STARTS_OF_COMPRESSED):
            raise _truncated(data, name)
        return
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    position = raw.value_tell
    if raw.length != _UNDEFINED:
        return
    first = position
    images = 0
    while data[position : position + 4] == _ITEM and position + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        start = data[position + 8 : position + 12]
        images += position > first and start.startswith(_STARTS_OF_IMAGES)
        position += 8 + length
    if position + 8 > len(data):
        raise _truncated(data, name)
    if images > max(1, int(dataset.get("NumberOfFrames") or 1)):
        doubt = (
            f"{name}: {images} compressed images, where the header announces one. The "
            "first is taken"
        )
        warnings.warn(DataWarning(doubt, "frames without announcement"), stacklevel=2)


_UNDEFINED = 0xFFFFFFFF
_STARTS_OF_COMPRESSED = (
    b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff",
    b"\xe0\x7f\x10\x00OW\0\0\xff\xff\xff\xff",
)
_STARTS_OF_IMAGES = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG, JPEG 2000


def _truncated(data: bytes, name: str) -> DataError:
    return DataError(
        f"{name}: truncated DICOM file, it stops after {len(data)} bytes, within its "
        "compressed pixels. Copy it again"
    )


def _check_header(dataset: pydicom.Dataset, name: str) -> None:
    missing = [key for key in _REQUIRED if dataset.get(key) is None]
    if missing:
        raise DataError(
            f"{name}: the header lacks {', '.join(missing)}. Export the image again"
        )
    photometric = str(dataset.PhotometricInterpretation)
    samples = int(dataset.SamplesPerPixel)
    if (samples == 1 and photometric.startswith(_THREE_SAMPLES)) or (
        samples != 1 and photometric in _ONE_SAMPLE
    ):
        expected = "1" if photometric in _ONE_SAMPLE else "3"
        raise DataError(
            f"{name}: expected {expected} samples per pixel, because of the "
            f"photometric interpretation {photometric}. Received: {samples}. The "
            "header contradicts itself: export the image again"
        )


def _check_decoder(syntax: UID, name: str) -> None:
    if not syntax.is_encapsulated:
        return
    try:
        is_available = get_decoder(syntax).is_available
    except NotImplementedError:
        is_available = False
    if not is_available:
        raise _without_decoder(syntax, name)


def _without_decoder(syntax: UID, name: str) -> DataError:
    kind = f"{name}: the pixels are compressed as {syntax.name}"
    if syntax in _NEED_GDCM:
        return DataError(
            f"{kind}. Its decoder is an extra: pip install 'mdmt_tf[gdcm]'"
        )
    return DataError(
        f"{kind}, for which there is no decoder. Convert the file, for example: "
        "gdcmconv --raw OLD NEW"
    )


def _has_gdcm() -> bool:
    return get_decoder(JPEGLossless).is_available


def _words(dataset: pydicom.Dataset, name: str, frame: int) -> np.ndarray | None:
    """The words of a frame with all their bits, unsigned; None if they are others.

    Raises: DataError when there are too few, for a grey image.
    """
    allocated = int(dataset.BitsAllocated)
    if allocated not in (8, 16, 32) or int(dataset.SamplesPerPixel) != 1:
        return None
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    data = memoryview(dataset.PixelData)
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    count = int(dataset.Rows) * int(dataset.Columns) * allocated // 8
    if not count:
        return None  # pydicom says what is wrong
    if len(data) < frames * count:
        raise DataError(
            f"{name}: truncated DICOM file, it has {len(data)} vs {frames * count} "
            "bytes of pixels. Copy it again"
        )
    if len(data) >= (frames + 1) * count:
        doubt = (
            f"{name}: {len(data) // count} frames of pixels, where the header "
            f"announces {frames}. The others are left out"
        )
        warnings.warn(DataWarning(doubt, "frames without announcement"), stacklevel=2)
    start = frame * count
    return np.frombuffer(data[start : start + count], f"{order}u{allocated // 8}")
