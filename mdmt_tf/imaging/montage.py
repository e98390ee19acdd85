"""Pictures of images, and of slices of volumes."""

import math
from collections.abc import Sequence

import numpy as np


def to_picture(image: np.ndarray, slices: int = 4) -> np.ndarray:
    """A 2-D picture of an image or a volume.

    Args:
        image: (h, w, c) or (d, h, w, c); the first channel is shown.
        slices: maximum number of slices of a volume.
    Returns: (h, w), or the tiles of `montage`.
    """
    grey = np.asarray(image)[..., 0]
    return grey if grey.ndim == 2 else montage(grey[spread(len(grey), slices)])


def spread(depth: int, count: int) -> list[int]:
    """Numbers of at most `count` slices, evenly spaced, without the outermost ones."""
    count = min(count, depth)
    return [int((2 * i + 1) * depth / (2 * count)) for i in range(count)]


def montage(tiles: Sequence[np.ndarray], columns: int | None = None) -> np.ndarray:
    """Arrange tiles in one picture, from left to right, then down.

    Args:
        tiles: arrays of one shape (h, w) or (h, w, c), such as slices of a volume.
        columns: tiles in a line; None: about as many as there are lines.
    Returns: (lines h, columns w) or (lines h, columns w, c); unused places are 0.
    """
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    height, width, *channels = tiles[0].shape
    lines = math.ceil(len(tiles) / columns)
    picture = np.zeros((lines * height, columns * width, *channels), tiles[0].dtype)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        picture[top : top + height, left : left + width] = tile
    return picture
