"""Compressed frames of a DICOM file: whether all of them is there.

Decoders fill what is missing, or leave out what is too much, without an error.
"""

import struct
import warnings

import cv2
import pydicom

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import codestreams, raster, raster_files

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
# Bytes that writers of RLE add to a segment.
_MOST_SURPLUS = 16


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
_STARTS_OF_IMAGES = (raster_files.JPEG_START, raster_files.JPEG_2000_START)


def _truncated(data: bytes, name: str) -> DataError:
    return DataError(
        f"{name}: truncated DICOM file, it stops after {len(data)} bytes, within its "
        "compressed pixels. Copy it again"
    )


def check_jpeg(dataset: pydicom.Dataset, name: str, frame: int) -> None:
    """Check that a JPEG is whole: Pillow, which decodes it, fills what is missing."""
    code = codestreams.code_of(dataset, frame)
    if raster_files.check_jpeg(code, name) == 8:  # OpenCV decodes no others
        # All codes are read for these few pixels, too, which are not used.
        raster.decoded(code, cv2.IMREAD_REDUCED_GRAYSCALE_8, name)


def check_rle(dataset: pydicom.Dataset, name: str, frame: int) -> None:
    """Check that the segments of RLE have hardly more values than the image."""
    code = codestreams.code_of(dataset, frame)
    pixels = int(dataset.Rows) * int(dataset.Columns)
    count, *offsets = struct.unpack("<16I", code[:64].ljust(64, b"\0"))
    offsets = [*offsets[: min(count, 15)], len(code)]
    for start, end in zip(offsets[:-1], offsets[1:], strict=True):
        surplus = _length(code[start:end]) - pixels
        if surplus > _MOST_SURPLUS:
            raise DataError(
                f"{name}: expected segments of {pixels} values. Received: {surplus} "
                "more. The header or the compressed pixels are damaged: copy it again"
            )


def _length(segment: bytes) -> int:
    """Number of values in a segment of RLE (PS3.5 G.3.2)."""
    position = length = 0
    while position < len(segment):
        head = segment[position]
        if head < 128:
            length += head + 1
            position += head + 2
        else:
            length += 257 - head if head > 128 else 0
            position += 2 if head > 128 else 1
    return length
