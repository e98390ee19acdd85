"""A picture of an image, or of some slices of a volume."""

import math

import numpy as np


def to_picture(image: np.ndarray, slices: int = 4) -> np.ndarray:
    """What to show of an image or a volume on paper.

    Args:
        image: (h, w, c) or (d, h, w, c); the first channel is shown.
        slices: of a volume, how many to show at most.
    Returns: (h, w), or the tiles of `montage`.
    """
    grey = np.asarray(image)[..., 0]
    return grey if grey.ndim == 2 else montage(grey, spread(len(grey), slices))


def spread(depth: int, count: int) -> list[int]:
    """Numbers of at most `count` slices, evenly spaced, the outermost left out."""
    count = min(count, depth)
    return [int((2 * i + 1) * depth / (2 * count)) for i in range(count)]


def montage(volume: np.ndarray, chosen: list[int]) -> np.ndarray:
    """Slices of (d, h, w) as tiles of one picture, from left to right, then down.

    Returns: (rows h, columns w), about as wide as high; tiles that are left are 0.
    """
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    height, width = volume.shape[1:]
    picture = np.zeros((rows * height, columns * width), volume.dtype)
    for place, number in enumerate(chosen):
        top, left = place // columns * height, place % columns * width
        picture[top : top + height, left : left + width] = volume[number]
    return picture
