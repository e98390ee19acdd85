"""Grey values in [0, 1] from PNG, JPEG and TIFF files.

The files are checked before OpenCV reads them. Depending on its version, OpenCV returns
a truncated JPEG with a grey lower half, the first of several pages, or a TIFF with or
without its transparency applied, all without an error.
"""

import struct
import zlib

import cv2
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.orientation import png_orientation, upright

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
TIFF_STARTS = (b"II*\0", b"MM\0*")

# Pixels of 12-bit detectors are commonly stored in 16-bit files without rescaling.
_DEPTHS_IN_16_BITS = (10, 12, 14, 16)


def is_raster(data: bytes) -> bool:
    """Whether the content begins like a PNG, JPEG or TIFF file."""
    return data.startswith((PNG_START, JPEG_START, *TIFF_STARTS))


def decode_raster(data: bytes, name: str) -> np.ndarray:
    """Decode a PNG, JPEG or TIFF file to grey values.

    8-bit values are divided by 255. 16-bit values are divided by 2^b - 1, with b the
    smallest of 10, 12, 14 and 16 that holds the largest value of the image. Colour
    becomes luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Transparency is
    composited on black. A palette is looked up. The orientation tag of Exif data is
    obeyed; embedded colour profiles and gamma are not.

    Args:
        data: the file's bytes.
        name: name of the file in messages.
    Returns: float32 (height, width) in [0, 1].
    Raises:
        DataError: the file is truncated or corrupt, has several pages, or has pixels of
            another kind.
    """
    flags = cv2.IMREAD_UNCHANGED
    premultiplied = inverted = False
    if data.startswith(PNG_START):
        _check_png(data, name)
    elif data.startswith(JPEG_START):
        _check_jpeg(data, name)
        # Unlike IMREAD_UNCHANGED, these apply the orientation; a JPEG has no alpha.
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    else:
        premultiplied, inverted = _check_tiff(data, name)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DataError(f"{name}: the image cannot be decoded: {error}") from error
    if pixels is None:
        raise DataError(f"{name}: the image cannot be decoded (truncated or corrupt)")
    if data.startswith(PNG_START):
        pixels = upright(pixels, png_orientation(data))
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{name}: expected pixels of 8 or 16 bits, received {pixels.dtype}"
        )
    if inverted:
        pixels = np.iinfo(pixels.dtype).max - pixels
    return _grey(pixels, premultiplied)


def smallest_depth(largest: int, depths: tuple[int, ...] = _DEPTHS_IN_16_BITS) -> int:
    """The smallest of `depths` (bits) that holds the value `largest`, else the last."""
    return next((bits for bits in depths if largest < 2**bits), depths[-1])


def luminance(rgb: np.ndarray) -> np.ndarray:
    """0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); (h, w, 3) to float32 (h, w)."""
    return cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2GRAY)


def _grey(pixels: np.ndarray, premultiplied: bool) -> np.ndarray:
    """Integer (h, w), or (h, w, 3 or 4) in OpenCV's order BGR(A), to [0, 1]."""
    alpha = None
    if pixels.ndim == 3:
        if pixels.shape[2] == 4 and not premultiplied:
            # Opacity always has the full range of its type.
            alpha = pixels[..., 3] / np.float32(np.iinfo(pixels.dtype).max)
        pixels = pixels[..., :3]
    if pixels.dtype == np.uint8:
        white = 255
    else:
        white = 2 ** smallest_depth(int(pixels.max())) - 1
    if pixels.ndim == 3:
        grey = luminance(pixels[..., ::-1])
    else:
        grey = pixels.astype(np.float32)
    grey /= np.float32(white)
    if alpha is not None:
        grey *= alpha
    # The three weights sum to 1 only up to a rounding error.
    return np.minimum(grey, np.float32(1), out=grey)


def _check_png(data: bytes, name: str) -> None:
    """Check that all chunks up to the end chunk are complete, with right checksums."""
    position = len(PNG_START)
    while True:
        if position + 12 > len(data):
            raise DataError(f"{name}: truncated PNG, it stops after {len(data)} bytes")
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            raise DataError(f"{name}: truncated PNG, it stops after {len(data)} bytes")
        body = memoryview(data)[position + 4 : end]
        if zlib.crc32(body) != struct.unpack_from(">I", data, end)[0]:
            raise DataError(
                f"{name}: corrupt PNG, the checksum of chunk {kind!r} at byte "
                f"{position} is wrong"
            )
        if kind == b"IEND":
            return
        position = end + 4


def _check_jpeg(data: bytes, name: str) -> None:
    """Check the segments up to the first scan, and the end marker after it.

    A search from the start would find the end marker of the thumbnail in the Exif data.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        if data[position + 1] == 0xFF:  # filling
            position += 1
            continue
        if data[position + 1] == 0xDA:  # start of scan
            if data.find(b"\xff\xd9", position) < 0:
                break
            return
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    if position < len(data) and data[position] != 0xFF:
        raise DataError(f"{name}: corrupt JPEG, no marker at byte {position}")
    raise DataError(f"{name}: truncated JPEG, it stops after {len(data)} bytes")


def _check_tiff(data: bytes, name: str) -> tuple[bool, bool]:
    """Check that OpenCV reads this TIFF correctly.

    Returns: whether OpenCV returns colours multiplied by the opacity, and whether it
    returns white as 0. (It inverts 8-bit pixels of that kind, but not 16-bit pixels.)
    """
    try:
        tags, next_page = _tiff_tags(data)
    except struct.error as error:
        raise DataError(
            f"{name}: truncated TIFF, it stops after {len(data)} bytes"
        ) from error
    if next_page:
        raise DataError(
            f"{name}: expected one image, received a TIFF of several pages. "
            "Save the page to be used as a separate file."
        )
    samples, photometric = tags.get(_SAMPLES_PER_PIXEL, 1), tags.get(_PHOTOMETRIC)
    if samples not in (1, 3, 4) or photometric not in _GREY_OR_COLOUR:
        raise DataError(
            f"{name}: expected a grey, RGB, RGBA or palette TIFF, received "
            f"{samples} samples per pixel, photometric interpretation {photometric}"
        )
    eight_bits = tags.get(_BITS_PER_SAMPLE, 1) <= 8
    premultiplied = eight_bits or tags.get(_EXTRA_SAMPLES) != _UNASSOCIATED_ALPHA
    white_is_zero = photometric == _WHITE_IS_ZERO and not eight_bits
    return premultiplied, white_is_zero


_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 258, 262, 277, 338
_UNASSOCIATED_ALPHA = 2
_WHITE_IS_ZERO = 0
_GREY_OR_COLOUR = (_WHITE_IS_ZERO, 1, 2, 3, 6)  # and black is zero, RGB, palette, YCbCr


def _tiff_tags(data: bytes) -> tuple[dict[int, int], int]:
    """First value of each 16- or 32-bit tag of the first page; offset of the next."""
    order = "<" if data.startswith(b"II") else ">"
    (page,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, page)
    tags = {}
    for index in range(count):
        at = page + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", data, at)
        code = {3: "H", 4: "I"}.get(kind)  # TIFF 6.0: SHORT, LONG
        if code is None:
            continue
        if length * struct.calcsize(code) > 4:  # the value is stored elsewhere
            (at_value,) = struct.unpack_from(order + "I", data, at + 8)
        else:
            at_value = at + 8
        (tags[tag],) = struct.unpack_from(order + code, data, at_value)
    (next_page,) = struct.unpack_from(order + "I", data, page + 2 + 12 * count)
    return tags, next_page
