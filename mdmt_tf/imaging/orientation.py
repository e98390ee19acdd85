"""The orientation tag of Exif data, which says how an image is to be turned.

Source: Exif 2.32 (CIPA DC-008), tag 0x0112; PNG, third edition, chunk eXIf.
"""

import struct

import numpy as np

UPRIGHT = 1
TAG = 0x0112
# Type of a value of 16 bits.
SHORT = 3


def png_orientation(data: bytes) -> int:
    """The orientation that a PNG file states, 1 to 8; 1 if it states none.

    Args:
        data: a whole file without damage.
    """
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"eXIf":
            return orientation_of(data[position + 8 : position + 8 + length])
        position += 12 + length
    return UPRIGHT


def orientation_of(exif: bytes) -> int:
    """The orientation in Exif data, 1 to 8; 1 if there is none, or none of these.

    Args:
        exif: the data from the byte order, "II" or "MM", on.

    Example:
        >>> tag = struct.pack("<HHIHH", TAG, SHORT, 1, 6, 0)
        >>> orientation_of(b"II*\\0" + struct.pack("<IH", 8, 1) + tag)
        6
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return UPRIGHT
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
        if tag == TAG and kind == SHORT:
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn or mirror an image (h, w, ...) so that it is upright.

    Example:
        >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()  # a quarter clockwise
        [[3, 1], [4, 2]]
    """
    if orientation in SWAPPED:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation in UPSIDE_DOWN:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


# Orientations in which rows and columns are exchanged first, then the columns are in
# the opposite order, then the rows.
SWAPPED, MIRRORED, UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
