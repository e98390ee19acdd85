"""Contact sheets of prepared images, for a look at the data.

A tile shows a radiograph with its lungs, its box and its crop, or a head CT slice by
slice.
"""

import os
from collections.abc import Sequence

import cv2
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import crop, montage
from mdmt_tf.imaging.prepared import PreparedImage
from mdmt_tf.imaging.volume import FULL_SCALE, PreparedVolume
from mdmt_tf.storage import write_bytes

TILES = 24  # of a sheet
_COLUMNS = 4
_SIDE = 256  # pixels of each of the two pictures of a tile
_CAPTION = 18
_SLICES = 12  # of a volume
_SLICE_SIDE = 128

# Blue, green, red. These colours differ for any colour vision, and from grey.
_RIGHT, _LEFT, _BOX = (255, 200, 0), (0, 160, 255), (255, 255, 255)


def tile(image: PreparedImage, caption: str) -> np.ndarray:
    """The original with outlines of lungs and box on the left, the crop on the right.

    Args:
        image: with or without a mask.
        caption: a line of ASCII, truncated if it is too long.
    Returns: uint8 (height, width, 3), blue, green, red; all tiles have the same size.
    """
    original, mask, box = image.original, image.mask, image.box
    scale = _SIDE / max(original.shape)
    height, width = (max(1, round(scale * side)) for side in original.shape)
    small = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
    left = cv2.cvtColor(crop.to_uint8(small), cv2.COLOR_GRAY2BGR)
    if mask is not None:
        seen = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        for lung, colour in ((1, _RIGHT), (2, _LEFT)):
            outline(left, seen == lung, colour)
    y0, x0, y1, x1 = (round(scale * edge) for edge in box)
    cv2.rectangle(left, (x0, y0), (x1 - 1, y1 - 1), _BOX, 1)
    right = cv2.resize(image.pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    result = np.zeros((_CAPTION + _SIDE, 2 * _SIDE + 4, 3), np.uint8)
    result[_CAPTION : _CAPTION + height, :width] = left
    result[_CAPTION:, _SIDE : 2 * _SIDE] = right[..., np.newaxis]
    _write_caption(result, caption)
    return result


def volume_tile(image: PreparedVolume, caption: str) -> np.ndarray:
    """Axial slices of a prepared volume, the lowest first, evenly spaced.

    The nose is at the top and the patient's right on the left, if the affine is right.

    Args:
        image: of any size.
        caption: a line of ASCII, truncated if it is too long.
    Returns: uint8 (height, width, 3), blue, green, red. Tiles with the same number of
        slices have the same size.
    """
    grey = image.pixels[..., 0].astype(np.float32) / FULL_SCALE
    chosen = montage.spread(len(grey), _SLICES)
    slices = [crop.resize(grey[number], _SLICE_SIDE) for number in chosen]
    picture = crop.to_uint8(montage.montage(slices))
    result = np.zeros((_CAPTION + len(picture), picture.shape[1], 3), np.uint8)
    result[_CAPTION:] = picture[..., np.newaxis]
    _write_caption(result, caption)
    return result


def _write_caption(picture: np.ndarray, caption: str) -> None:
    cv2.putText(
        picture,
        caption[:72],
        (2, 13),
        cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=0.4,
        color=(255, 255, 255),
        lineType=cv2.LINE_AA,
    )


def outline(
    picture: np.ndarray, region: np.ndarray, colour: tuple[int, int, int]
) -> None:
    """Draw the outer border of a boolean region into a picture of the same size."""
    outlines, _ = cv2.findContours(
        region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture, outlines, -1, colour, 1)


def write(file: str | os.PathLike, tiles: Sequence[np.ndarray]) -> None:
    """Write tiles of one size, row by row, to a PNG file.

    Raises: DataError when the file cannot be written.
    """
    rows = -(-len(tiles) // _COLUMNS)
    height, width, _ = tiles[0].shape
    sheet = np.zeros((rows * height, min(_COLUMNS, len(tiles)) * width, 3), np.uint8)
    for number, one in enumerate(tiles):
        y, x = (number // _COLUMNS) * height, (number % _COLUMNS) * width
        sheet[y : y + height, x : x + width] = one
    _, data = cv2.imencode(".png", sheet)
    try:
        write_bytes(file, data.tobytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be written: {error.strerror}") from error
