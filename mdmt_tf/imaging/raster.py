"""Grey values in [0, 1] from PNG, JPEG and TIFF files.

The files are checked before OpenCV reads them, see `raster_files`. What its decoders
write to standard error meanwhile becomes an error or a warning, see `decoder_messages`.
"""

import re
import warnings

import cv2
import numpy as np

from mdmt_tf.errors import DataError, DataNote, DataWarning
from mdmt_tf.imaging import raster_files
from mdmt_tf.imaging.decoder_messages import listen
from mdmt_tf.imaging.orientation import png_orientation, upright
from mdmt_tf.imaging.raster_files import (
    BIGTIFF_STARTS,
    JPEG_START,
    PNG_START,
    TIFF_STARTS,
    TiffKind,
)
from mdmt_tf.imaging.visible import sample

# Pixels of 12-bit detectors are commonly stored in 16-bit files without rescaling.
_DEPTHS_IN_16_BITS = (10, 12, 14, 16)


def is_raster(data: bytes) -> bool:
    """Whether the content begins like a PNG, JPEG or TIFF file."""
    return data.startswith((PNG_START, JPEG_START, *TIFF_STARTS, *BIGTIFF_STARTS))


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
    kind = TiffKind(is_premultiplied=False, is_inverted=False)
    if data.startswith(PNG_START):
        data = raster_files.without_profile(data, name)
    elif data.startswith(JPEG_START):
        raster_files.check_jpeg(data, name)
        # Unlike IMREAD_UNCHANGED, these apply the orientation; a JPEG has no alpha.
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    elif data.startswith(BIGTIFF_STARTS):
        raster_files.refuse_bigtiff(name)
    else:
        kind = raster_files.check_tiff(data, name)
    pixels = decoded(data, flags, name)
    if data.startswith(PNG_START):
        pixels = upright(pixels, png_orientation(data))
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{name}: expected pixels of 8 or 16 bits, received {pixels.dtype}"
        )
    return _grey(pixels, kind, name)


def decoded(data: bytes, flags: int, name: str) -> np.ndarray:
    """Decode a file by OpenCV.

    Raises: DataError when it is damaged, also where OpenCV returns a part of it.
    """
    try:
        pixels, lines = listen(
            lambda: cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        )
    except cv2.error as error:
        raise DataError(f"{name}: the image cannot be decoded: {error}") from error
    if pixels is None:
        said = [_BEFORE_MESSAGE.sub("", line) for line in lines]
        # OpenCV says the same again, with a place in its source.
        reasons = [line for line in said if not line.startswith("[")]
        reason = "; ".join(reasons[:2]) or "truncated or corrupt"
        raise DataError(f"{name}: the image cannot be decoded ({reason})")
    for line in lines:
        said = _BEFORE_MESSAGE.sub("", line)
        if any(pattern.search(said) for pattern in _HARMLESS):
            continue
        if not _is_doubt(line, said):
            raise DataError(
                f"{name}: the image is damaged, the decoder says: {said}. Copy it again"
            )
        doubt = f"{name}: the decoder says: {said}"
        warnings.warn(DataWarning(doubt, "doubtful image file"), stacklevel=2)
    return pixels


# What comes before the message: the library, and the place in OpenCV.
_BEFORE_MESSAGE = re.compile(
    r"^(?:libpng (?:warning|error): |\[ *[A-Z]+:.*?(?:TIFF_Warning|TIFF_Error) )"
)
# Messages about facts that do not change the pixels: chunks of a PNG that are not
# needed (their names begin with a small letter), except its transparency; tags of a
# TIFF that are not known or not sorted; notes of programs in a JPEG.
_HARMLESS = (
    re.compile(r"^(?!tRNS)[a-z][A-Za-z]{3}: "),
    re.compile(r"Unknown field with tag|tags are not sorted"),
    re.compile(r"^Warning: unknown JFIF|^Unknown Adobe|^Invalid SOS parameters"),
)
# Bytes that a JPEG has at the end of the last scan but that no pixel needs.
_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MOST_SURPLUS = 16


def _is_doubt(line: str, said: str) -> bool:
    """Whether a message is about an image that may still be right.

    Args:
        line: as the decoder wrote it.
        said: the message in it.
    """
    if surplus := _SURPLUS.search(said):
        return int(surplus[1]) <= _MOST_SURPLUS
    if line.startswith("["):  # of OpenCV; messages on codes are on damaged pixels
        return "WARN" in line[:8] and "Decode" not in said
    return said.startswith(("tRNS: ", "IDAT: Extra compressed data"))


def smallest_depth(largest: int, depths: tuple[int, ...] = _DEPTHS_IN_16_BITS) -> int:
    """The smallest of `depths` (bits) that holds the value `largest`, else the last."""
    return next((bits for bits in depths if largest < 2**bits), depths[-1])


def luminance(rgb: np.ndarray) -> np.ndarray:
    """0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); (h, w, 3) to float32 (h, w)."""
    return cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2GRAY)


def _grey(pixels: np.ndarray, kind: TiffKind, name: str) -> np.ndarray:
    """Integer (h, w), or (h, w, 3 or 4) in OpenCV's order BGR(A), to [0, 1]."""
    alpha = None
    if pixels.ndim == 3:
        if pixels.shape[2] == 4 and not kind.is_premultiplied:
            # Opacity always has the full range of its type.
            alpha = pixels[..., 3] / np.float32(np.iinfo(pixels.dtype).max)
        pixels = pixels[..., :3]
    if pixels.dtype == np.uint8:
        bits = 8
    else:
        largest = int(pixels.max())
        bits = smallest_depth(largest)
        _doubt_depth(pixels, bits, name)
        text = f"{name}: the largest value is {largest}, so white is {2**bits - 1}. "
        text += "Images of one detector should have one depth"
        DataNote(text, "other depth than most images", f"{bits} bits")
    white = 2**bits - 1
    if kind.is_inverted:
        pixels = white - pixels
    if pixels.ndim == 3:
        grey = luminance(pixels[..., ::-1])
    else:
        grey = pixels.astype(np.float32)
    grey /= np.float32(white)
    if alpha is not None:
        grey *= alpha
    # The three weights sum to 1 only up to a rounding error.
    return np.minimum(grey, np.float32(1), out=grey)


def _doubt_depth(pixels: np.ndarray, bits: int, name: str) -> None:
    """Warn of a 16-bit image whose few largest values make all others dark."""
    some = sample(pixels)
    if some.size < _FEWEST:
        return
    place = some.size * 99 // 100
    usual = int(np.partition(some, place)[place])
    fewer = smallest_depth(usual)
    if bits - fewer >= _DOUBTFUL_BITS:
        doubt = (
            f"{name}: 99 % of the pixels would fit {fewer} bits, but the largest value "
            f"is {pixels.max()}. White is {2**bits - 1}, so the image is dark. Look at "
            "it; a mark or a dead pixel may be stored with another depth"
        )
        warnings.warn(DataWarning(doubt, "doubtful depth"), stacklevel=2)


# Fewer pixels have no percentiles.
_FEWEST = 1000
_DOUBTFUL_BITS = 4
