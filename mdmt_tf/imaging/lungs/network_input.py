"""The input of the lung network, from radiographs of any size and range."""

import numpy as np

from mdmt_tf.imaging import crop

_PERCENTILES = (1, 99)


def network_input(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image, and scale its grey values to [0, 1].

    The 1st and 99th percentile become 0 and 1; values beyond are clipped, so that
    burnt-in letters and metal do not set the range. Pixels that are not finite become
    black, the smallest finite value. An image without contrast becomes 0 everywhere.

    Args:
        image: (height, width), any real type.
        size: side of the result in pixels.
    Returns: float32 (size, size) in [0, 1]; the aspect ratio is not kept.
    """
    small = crop.resize(_as_float32(image), size)
    low, high = np.percentile(small, _PERCENTILES)
    if not high > low:
        return np.zeros((size, size), np.float32)
    return np.clip((small - low) / (high - low), 0, 1).astype(np.float32)


def _as_float32(image: np.ndarray) -> np.ndarray:
    """The grey values up to a factor and an offset, all finite."""
    if image.dtype in (np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.float16):
        image = image.astype(np.float32)  # exactly
    if not np.isfinite(image).all():
        finite = np.isfinite(image)
        image = np.where(finite, image, image[finite].min() if finite.any() else 0)
    if image.dtype != np.float32:
        # Only the range matters, and float32 may not hold these values.
        image = image.astype(np.float64)
        low, high = image.min(), image.max()
        image = (image / 2 - low / 2) / max(high / 2 - low / 2, np.finfo(float).tiny)
    return image.astype(np.float32, copy=False)
