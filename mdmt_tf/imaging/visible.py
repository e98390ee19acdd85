"""Whether anything can be seen on an image.

A file without contrast is a fault in every dataset of radiographs and CTs: a blank
film, an empty export, a window that the values are outside of.
"""

import math
import warnings
from collections.abc import Callable

import numpy as np

from mdmt_tf.errors import DataError, DataWarning

# Pixels of the sample from which percentiles are taken: a film has ten million.
_SAMPLE = 1 << 14
_FEWEST = 1000
# 99 % of the pixels within a smaller range than this hardly differ on a screen.
_HARDLY = 1 / 32


def sample(pixels: np.ndarray) -> np.ndarray:
    """About 16,000 pixels (or voxels) on a regular grid; all of a smaller array."""
    step = max(1, math.floor((pixels.size / _SAMPLE) ** (1 / max(1, pixels.ndim))))
    return pixels[(slice(None, None, step),) * pixels.ndim].ravel()


def is_constant(pixels: np.ndarray) -> bool:
    """Whether all pixels are the same."""
    some = sample(pixels)
    if some.size and some.min() != some.max():
        return False
    return bool(not pixels.size or pixels.min() == pixels.max())


def check_visible(
    image: np.ndarray,
    name: str,
    cause: Callable[[], str] | None = None,
    padding: np.ndarray | None = None,
) -> None:
    """Refuse a constant image, and warn of one that hardly differs from one.

    Args:
        image: float (height, width) in [0, 1].
        name: of the file, for messages.
        cause: returns what may be the reason, e.g. the window; None: nothing is known.
        padding: mask of the pixels that do not count, not of all; None: all count.
    Raises: DataError.
    """
    some = sample(image)
    if padding is not None:
        some = some[~sample(padding)]
    if some.size < 2 or some.min() == some.max():
        image = image if padding is None else image[~padding]
    if is_constant(image):
        value = image.flat[0] if image.size else 0
        received = f"all pixels are {value:.3g}, from 0 black to 1 white"
        raise nothing_visible(name, f"{received}; {cause()}" if cause else received)
    if some.size < _FEWEST:
        return
    low, high = some.size // 200, some.size - 1 - some.size // 200
    ordered = np.partition(some, (low, high))
    if ordered[high] - ordered[low] < _HARDLY:
        doubt = (
            f"{name}: hardly anything is visible: 99 % of the pixels are from "
            f"{ordered[low]:.3g} to {ordered[high]:.3g}, of 0 black to 1 white"
        )
        doubt += f"; {cause()}" if cause else ""
        warnings.warn(DataWarning(doubt, "hardly anything visible"), stacklevel=2)


def nothing_visible(name: str, received: str) -> DataError:
    """The error for an image, or a volume, without contrast.

    Args:
        name: of the file; "" where the caller adds it.
        received: what is there instead.
    """
    return DataError(
        f"{name}{': ' if name else ''}expected an image on which something is visible. "
        f"Received: {received}. Look at the file; leave it out if it is empty"
    )
