"""Lung masks of radiographs.

`segment_lungs` does all steps. The steps before and after the network are separate
functions, so that many images can be decoded, segmented and cropped in parallel.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from mdmt_tf.imaging.lungs import network
from mdmt_tf.imaging.lungs.network_input import network_input

# Images per step of the network. Larger batches are not faster on a CPU.
_BATCH = 8

RIGHT, LEFT = 1, 2  # of the patient; the right lung is at the left of the image

# The network's output is interpolated up to this side; the mask of a larger image is
# enlarged from there.
_LARGEST_SIDE = 1024


def segment_lungs(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Segment both lungs in chest radiographs, with the part behind the heart.

    The images are frontal views (PA, AP, supine) of any size, aspect ratio and range of
    grey values, with bright or dark bone. Lungs that are not found become background;
    MODEL_CARD.md says how often that happens.

    Args:
        images: each (height, width), of any real type. NaN and infinity become black.
    Returns: one mask per image, uint8 (height, width): 0 background, 1 right lung of
        the patient (at the left of the image), 2 left lung. Each lung is one piece
        without holes; a lung that was not found is absent.
    Raises:
        ValueError: an image is not a 2-D array of real numbers, or has no pixel.
    """
    return segment(images, network.predict)


def segment(
    images: Sequence[np.ndarray], predict: Callable[[np.ndarray], np.ndarray]
) -> list[np.ndarray]:
    """`segment_lungs` by another network; `predict` is like `network.predict`."""
    for index, image in enumerate(images):
        _check(image, index)
    masks = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        inputs = np.stack([network_input(image, network.SIZE) for image in batch])
        for image, logits in zip(batch, predict(inputs), strict=True):
            masks.append(to_mask(logits, image.shape))
    return masks


def to_mask(logits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Convert the network's output for one image to a mask of the image's `shape`.

    Args:
        logits: float32 (h, w, 3): background, right lung, left lung.
        shape: (height, width).
    Returns: as `segment_lungs`.
    """
    fine = tuple(min(side, _LARGEST_SIDE) for side in shape)
    logits = cv2.resize(logits, fine[::-1], interpolation=cv2.INTER_LINEAR)
    logits = logits.reshape(*fine, -1)  # OpenCV drops sides of 1
    # The first of the largest, as np.argmax, which takes three times as long.
    none, one, two = cv2.split(logits)
    mask = np.zeros(fine, np.uint8)
    right = _largest_piece((one > none) & (one >= two))
    left = _largest_piece((two > none) & (two > one))
    if right.any() and left.any() and _column(right) > _column(left):
        right, left = left, right
    mask[right] = RIGHT
    mask[left] = LEFT
    if fine != tuple(shape):
        mask = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return mask


def _check(image: np.ndarray, index: int) -> None:
    if (
        not isinstance(image, np.ndarray)
        or image.ndim != 2
        or not image.size
        or image.dtype.kind not in "buif"
    ):
        what = (
            f"an array of shape {image.shape} and type {image.dtype}"
            if isinstance(image, np.ndarray)
            else f"{type(image).__name__}"
        )
        raise ValueError(
            f"images[{index}]: expected an array (height, width) of real numbers with "
            f"at least one pixel, received {what}. Use one channel of a colour image "
            "and one frame of several."
        )


def _largest_piece(region: np.ndarray) -> np.ndarray:
    """The largest connected piece of a boolean region, its holes filled."""
    outlines, _ = cv2.findContours(
        region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not outlines:
        return np.zeros(region.shape, bool)
    filled = np.zeros(region.shape, np.uint8)
    largest = max(outlines, key=cv2.contourArea)
    cv2.drawContours(filled, [largest], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _column(region: np.ndarray) -> float:
    """Mean column of a region that is not empty."""
    counts = np.count_nonzero(region, axis=0)
    return float(counts @ np.arange(len(counts)) / counts.sum())
