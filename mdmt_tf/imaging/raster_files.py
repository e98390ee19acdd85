"""PNG, JPEG and TIFF files before they are decoded: whether they are whole and single.

Depending on its version, OpenCV returns a truncated JPEG with a grey lower half, the
first of several pages, or a TIFF with or without its transparency applied, all without
an error.
"""

import dataclasses
import re
import struct
import zlib
from collections.abc import Iterator

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
JPEG_2000_START = b"\xff\x4f\xff\x51"
TIFF_STARTS = (b"II*\0", b"MM\0*")
BIGTIFF_STARTS = (b"II+\0", b"MM\0+")

# Samples of a pixel of each colour type of a PNG (11.2.2 of its specification).
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# Frames of a JPEG: sequential and progressive, with Huffman or arithmetic coding.
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_PROGRESSIVE = (0xC2, 0xCA)
_SCAN, _END = 0xDA, 0xD9
# Inside of a scan, 0xFF is followed by 0, by a restart marker or by another 0xFF.
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64


def without_profile(data: bytes, name: str) -> bytes:
    """Check a PNG: all chunks up to the end are complete, with right checksums.

    Returns: the file without its colour profile, which is not obeyed. libpng complains
        about the profiles of many good files.
    """
    position = len(PNG_START)
    profiles = []
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
        if kind == b"IHDR" and length >= 10:
            columns, rows, bits, colour = struct.unpack_from(">IIBB", body, 4)
            samples = _PNG_SAMPLES.get(colour, 4)
            limits.check_pixels(
                name, rows, columns, 1, samples, max(1, bits // 8), stored=len(data)
            )
        elif kind == b"acTL" and length >= 4:
            (frames,) = struct.unpack_from(">I", body, 4)
            if frames != 1:
                raise _several(name, f"an animated PNG of {frames} frames", "frame")
        elif kind == b"iCCP":
            profiles.append((position, end + 4))
        elif kind == b"IEND":
            break
        position = end + 4
    for start, end in reversed(profiles):
        data = data[:start] + data[end:]
    return data


def check_jpeg(data: bytes, name: str) -> int:
    """Check the segments up to the first scan, the end marker, and all scans.

    A search from the start would find the end marker of the thumbnail in the Exif data.

    Returns: bits of a sample.
    """
    frame, scan, is_progressive, bits = b"", -1, False, 0
    for marker, position, body in segments(data, name):
        if marker in _FRAMES and len(body) >= 6:
            frame, is_progressive = body, marker in _PROGRESSIVE
            bits, rows, columns, samples = struct.unpack_from(">BHHB", body)
            limits.check_pixels(
                name, rows, columns, 1, samples, -(-bits // 8), stored=len(data)
            )
        elif marker == _SCAN:
            scan = position
            break
    if scan < 0 or data.find(b"\xff\xd9", scan) < 0:
        raise DataError(f"{name}: truncated JPEG, it stops after {len(data)} bytes")
    if is_progressive:
        _check_scans(data, scan, frame, name)
    return bits


def segments(data: bytes, name: str) -> Iterator[tuple[int, int, bytes]]:
    """Markers up to the first scan, their positions, and what follows their length.

    Raises: DataError where a marker is expected, and something else is there.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, position, data[position + 4 : position + 2 + length]
        position += 2 + length
    if position < len(data) and data[position] != 0xFF:
        raise DataError(f"{name}: corrupt JPEG, no marker at byte {position}")


def _check_scans(data: bytes, position: int, frame: bytes, name: str) -> None:
    """Check that the scans of a progressive JPEG hold all bits of its first component.

    A decoder takes what scans there are: a file cut between two of them is an image
    with few details, and no error.
    """
    first = frame[6:7]
    _, rows, columns, _ = struct.unpack_from(">BHHB", frame)
    scans = 0
    missing: set[int] = set(range(_COEFFICIENTS))
    while position >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker == _END:
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + length]
        scans += marker == _SCAN
        if scans > _MOST_SCANS and scans * rows * columns > _MOST_PIXELS_OF_SCANS:
            raise DataError(
                f"{name}: more than {scans - 1} scans of {rows} x {columns} pixels "
                "would take minutes to decode. Save the image again, not progressive"
            )
        if marker == _SCAN and body and len(body) >= 2 * body[0] + 4:
            components = body[1 : 1 + 2 * body[0] : 2]
            start, stop, bits = body[2 * body[0] + 1 : 2 * body[0] + 4]
            if first in components and not bits & 15:
                missing.difference_update(range(start, stop + 1))
        found = _MARKER_AFTER_SCAN.search(data, position + 2 + length)
        position = found.start() if found else -1
    if missing:
        raise DataError(
            f"{name}: truncated JPEG, scans for {len(missing)} of {_COEFFICIENTS} "
            "coefficients are missing. Copy it again"
        )


# Programs write some 10 scans, each of which a decoder adds to all pixels.
_MOST_SCANS = 20
_MOST_PIXELS_OF_SCANS = 400_000_000


@dataclasses.dataclass(frozen=True)
class TiffKind:
    """How OpenCV returns a TIFF.

    Attributes:
        is_premultiplied: whether colours are multiplied by the opacity.
        is_inverted: whether white is 0. It inverts 8-bit pixels of that kind, but not
            16-bit pixels.
    """

    is_premultiplied: bool
    is_inverted: bool


def check_tiff(data: bytes, name: str) -> TiffKind:
    """Check that OpenCV reads this TIFF correctly."""
    try:
        tags, next_page = _tiff_tags(data)
    except struct.error as error:
        raise DataError(
            f"{name}: truncated TIFF, it stops after {len(data)} bytes"
        ) from error
    if next_page:
        raise _several(name, "a TIFF of several pages", "page")
    samples, photometric = tags.get(_SAMPLES_PER_PIXEL, 1), tags.get(_PHOTOMETRIC)
    if samples not in (1, 3, 4) or photometric not in _GREY_OR_COLOUR:
        raise DataError(
            f"{name}: expected a grey, RGB, RGBA or palette TIFF, received "
            f"{samples} samples per pixel, photometric interpretation {photometric}"
        )
    bits = tags.get(_BITS_PER_SAMPLE, 1)
    is_compressed = tags.get(_COMPRESSION, 1) != 1
    limits.check_pixels(
        name,
        tags.get(_ROWS, 0),
        tags.get(_COLUMNS, 0),
        1,
        samples,
        -(-bits // 8),
        stored=len(data) if is_compressed else None,
    )
    return TiffKind(
        bits <= 8 or tags.get(_EXTRA_SAMPLES) != _UNASSOCIATED_ALPHA,
        photometric == _WHITE_IS_ZERO and bits > 8,
    )


def refuse_bigtiff(name: str) -> None:
    """Raise the error for a BigTIFF, of which OpenCV reads some kinds only."""
    raise DataError(
        f"{name}: expected a DICOM, PNG, JPEG or TIFF file, received a BigTIFF. Save "
        "it as a classic TIFF (for example: tiffcp -4 OLD NEW), or as PNG"
    )


def _several(name: str, received: str, unit: str) -> DataError:
    return DataError(
        f"{name}: expected one image, received {received}. "
        f"Save the {unit} to be used as a separate file."
    )


_COLUMNS, _ROWS, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 277, 338
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
