"""Which part of a radiograph is used, and its size.

A box is (y0, x0, y1, x1) in pixels of the original image, half open: rows y0 to y1 - 1,
columns x0 to x1 - 1, so that `image[y0:y1, x0:x1]` is the content of the box.
"""

import cv2
import numpy as np

Box = tuple[int, int, int, int]


def whole_box(shape: tuple[int, ...]) -> Box:
    """The box of the whole image of `shape` (height, width, ...)."""
    return (0, 0, shape[0], shape[1])


def crop(image: np.ndarray, box: Box) -> np.ndarray:
    """The content of `box`, a view of `image`.

    Args:
        image: (height, width).
        box: see the module.
    Raises:
        ValueError: the box is empty or reaches outside the image.
    """
    y0, x0, y1, x1 = box
    height, width = image.shape[:2]
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise ValueError(
            "a box (y0, x0, y1, x1) must satisfy 0 <= y0 < y1 <= height and "
            f"0 <= x0 < x1 <= width. Received: {box} for an image of "
            f"height {height}, width {width}."
        )
    return image[y0:y1, x0:x1]


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to (size, size) without aliasing; the aspect ratio is not kept.

    An axis that shrinks is averaged over the exact area that each new pixel covers
    (OpenCV's INTER_AREA), an axis that grows is interpolated linearly. Each axis is
    treated on its own, because INTER_AREA silently stops averaging as soon as one of
    the two grows.

    Args:
        image: float32 (height, width).
        size: side of the result in pixels, 1 or more.
    Returns: float32 (size, size), within the range of the input.
    """
    height, width = image.shape
    smaller = (min(width, size), min(height, size))  # OpenCV: width first
    if smaller != (width, height):
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (size, size):
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return image


def to_uint8(image: np.ndarray) -> np.ndarray:
    """[0, 1] to 0..255, rounded to the nearest; same shape."""
    return np.rint(image * np.float32(255)).astype(np.uint8)
