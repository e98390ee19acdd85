"""Letters and markers that are burned into a radiograph, such as L, R or PORTABLE."""

import cv2
import numpy as np

SIDE = 256  # pixels a side of the picture that is searched
# Bright strokes are at most this wide; ribs and the diaphragm are wider.
_STROKE = 9
# A mark is brighter than what is around it by this part of the full scale, and nearly
# as bright as the brightest pixels.
_CONTRAST = 0.2
_BRIGHT = 0.8
# Area and sides of a letter in pixels.
_AREA = (6, 220)
_SIDES = (4, 26)
# Letters are in this outer part of the picture.
_MARGIN = 0.3
CORNERS = ("top left", "top right", "bottom left", "bottom right")


def count_marks(picture: np.ndarray) -> np.ndarray:
    """The number of letter-like bright components in each corner of a radiograph.

    A component counts if it is small, compact, much brighter than what is around it
    (white top-hat), and near the border. It is a rough measure: tips of catheters and
    electrodes count, and letters that touch count once.

    Args:
        picture: uint8 (256, 256).
    Returns: int64 (4,), in the order of `CORNERS`.
    """
    kernel = np.ones((_STROKE, _STROKE), np.uint8)
    contrast = cv2.morphologyEx(picture, cv2.MORPH_TOPHAT, kernel)
    brightest = np.percentile(picture, 99.9)
    found = (contrast > _CONTRAST * 255) & (picture >= _BRIGHT * brightest)
    count, _, stats, centres = cv2.connectedComponentsWithStats(
        found.astype(np.uint8), connectivity=8
    )
    result = np.zeros(len(CORNERS), np.int64)
    for label in range(1, count):
        width, height, area = stats[label, 2:5]
        x, y = centres[label] / SIDE
        near_border = min(x, 1 - x, y, 1 - y) <= _MARGIN
        is_letter = (
            _AREA[0] <= area <= _AREA[1]
            and _SIDES[0] <= height <= _SIDES[1]
            and 2 <= width <= _SIDES[1]
            # A stroke along a diagonal fills little of its box.
            and area >= 0.15 * width * height
        )
        if near_border and is_letter:
            result[2 * (y >= 0.5) + (x >= 0.5)] += 1
    return result
