"""The size that a compressed image in a DICOM file states, before it is decoded.

A decoder allocates what the compressed image claims, not what the header of the DICOM
file does.
"""

import contextlib
import struct

import pydicom
from pydicom.encaps import get_frame

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import raster_files

# The start of a frame, of JPEG and JPEG-LS; others from C0 to CF are tables.
_FRAMES = {0xF7, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def size_of(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 image; None for others.

    Example:
        >>> frame = b"\\xff\\xd8\\xff\\xc0\\0\\x0b\\x08\\0\\x05\\0\\x07\\1\\1\\x11\\0"
        >>> size_of(frame)
        (5, 7)
    """
    try:
        if data.startswith(raster_files.JPEG_START):
            return _size_of_jpeg(data)
        if data.startswith(raster_files.JPEG_2000_START):
            right, bottom, left, top = struct.unpack_from(">4I", data, 8)
            return bottom - top, right - left
    except struct.error:  # truncated; the decoder says so
        pass
    return None


def code_of(dataset: pydicom.Dataset, frame: int) -> bytes:
    """The bytes of a compressed frame."""
    table = (
        dataset.get("ExtendedOffsetTable"),
        dataset.get("ExtendedOffsetTableLengths"),
    )
    return get_frame(
        dataset.PixelData,
        frame,
        number_of_frames=max(1, int(dataset.get("NumberOfFrames") or 1)),
        extended_offsets=table if all(table) else None,
    )


def check_frame(dataset: pydicom.Dataset, name: str, frame: int = 0) -> None:
    """Compare the size of a compressed frame with the header.

    Raises: DataError when the compressed image is larger.
    """
    size = size_of(code_of(dataset, frame))
    if size is None:
        return
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if size[0] > rows or size[1] > columns:
        raise DataError(
            f"{name}: expected a compressed image of {rows} x {columns} pixels, as in "
            f"the header. Received: one of {size[0]} x {size[1]}. The file is damaged: "
            "export the image again"
        )


def _size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    with contextlib.suppress(DataError):  # damaged; the decoder says so
        for marker, _, body in raster_files.segments(data, ""):
            if marker in _FRAMES:
                return struct.unpack_from(">HH", body, 1)
    return None
