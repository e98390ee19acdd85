"""Crop radiographs to their lungs, and resize them.

A box is (y0, x0, y1, x1) in pixels of the original image, half open: rows y0 to y1 - 1
and columns x0 to x1 - 1. The content of a box is `image[y0:y1, x0:x1]`.
"""

import cv2
import numpy as np

from mdmt_tf.imaging.preprocess import GROWTH_PERCENT

Box = tuple[int, int, int, int]

# Source of a box. If the lungs were segmented, "whole" is followed by the reason.
LUNGS = "lungs"
WHOLE = "whole"

_SMALLEST_FRACTION = 0.05  # of the image, both lungs
_SMALLEST_RATIO = 0.25  # of the areas, smaller lung to larger
_ASPECTS = (0.5, 2.5)  # of the box, width to height


def whole_box(shape: tuple[int, ...]) -> Box:
    """The box of the whole image of `shape` (height, width, ...)."""
    return (0, 0, shape[0], shape[1])


def crop(image: np.ndarray, box: Box) -> np.ndarray:
    """The content of `box`, as a view of `image`.

    Args:
        image: (height, width).
        box: (y0, x0, y1, x1), see the module.
    Raises:
        ValueError: the box is empty or exceeds the image.
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


def lung_box(
    mask: np.ndarray, growth_percent: float = GROWTH_PERCENT
) -> tuple[Box, str]:
    """The square around the lungs of a radiograph, with a margin.

    The sides of the smallest box of both lungs grow about its centre. The shorter side
    then grows until the box is square, and the square is shifted into the image. The
    image's border cuts the square only if the image is smaller than the square. Lungs
    are never cut, and nothing is padded.

    Args:
        mask: (height, width), 0 background, 1 right lung (image left), 2 left lung.
        growth_percent: so much longer than the lungs is the longer side.
    Returns: the box and LUNGS. If the mask is implausible for a chest: the box of the
        whole image and the reason, "whole: no lungs", "whole: tiny lungs", "whole: one
        lung" or "whole: absurd aspect".
    Source: Ruffini et al. 2024 and their code (box, square; 10 % in a file that it does
        not use, 5 % in the one that it uses).
    """
    problem = implausible(mask)
    if problem:
        return whole_box(mask.shape), f"{WHOLE}: {problem}"
    return square_around(smallest_box(mask), mask.shape, growth_percent), LUNGS


def square_around(
    lungs: Box, shape: tuple[int, ...], growth_percent: float = GROWTH_PERCENT
) -> Box:
    """The square around known lungs, as `lung_box` makes it.

    Args:
        lungs: smallest box of both lungs.
        shape: (height, width, ...) of the image.
        growth_percent: as for `lung_box`.

    Example:
        >>> square_around((10, 20, 60, 70), (200, 100), 20)
        (5, 15, 65, 75)
    """
    y0, x0, y1, x1 = lungs
    side = (1 + growth_percent / 100) * max(y1 - y0, x1 - x0)
    y0, y1 = _place((y0 + y1) / 2, side, shape[0])
    x0, x1 = _place((x0 + x1) / 2, side, shape[1])
    return y0, x0, y1, x1


def implausible(mask: np.ndarray) -> str | None:
    """The reason why `mask` cannot show the lungs of a chest, or None.

    The limits are far outside the range of the 173 manual masks that the segmenter was
    trained with. There the lungs cover 20 to 62 % of the image, the smaller lung has
    at least 67 % of the area of the larger, and the box is 0.84 to 1.66 times as wide
    as high.
    """
    right, left = (int(np.count_nonzero(mask == lung)) for lung in (1, 2))
    if right + left == 0:
        return "no lungs"
    if right + left < _SMALLEST_FRACTION * mask.size:
        return "tiny lungs"
    if min(right, left) < _SMALLEST_RATIO * max(right, left):
        return "one lung"
    y0, x0, y1, x1 = smallest_box(mask)
    low, high = _ASPECTS
    if not low <= (x1 - x0) / (y1 - y0) <= high:
        return "absurd aspect"
    return None


def smallest_box(mask: np.ndarray) -> Box:
    """The smallest box around the nonzero pixels of `mask`, which must have some."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _place(centre: float, side: float, length: int) -> tuple[int, int]:
    """Start and stop of `side` pixels about `centre`, within 0 and `length`.

    The side is rounded up, so the box still holds the lungs.
    """
    side = min(int(np.ceil(round(side, 6))), length)  # 1.1 x 10 is 11, not 11.000...2
    start = int(np.floor(centre - side / 2))
    start = min(max(start, 0), length - side)
    return start, start + side


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to (size, size) without aliasing; the aspect ratio is not kept.

    An axis that shrinks is averaged over the exact area of each new pixel (OpenCV's
    INTER_AREA). An axis that grows is interpolated linearly. The axes are resized
    separately, because INTER_AREA silently stops averaging if one of them grows.

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
    """Values in [0, 1] to 0..255, rounded; same shape."""
    return np.rint(image * np.float32(255)).astype(np.uint8)
