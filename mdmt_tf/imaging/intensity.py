"""From the values of an image or volume to fractions, 0 black to 1 white.

- `window_hu`: Hounsfield units between the two ends of the window.
- `percentile`: values between two percentiles of the voxels above the smallest value.
  This leaves out the background of a brain without skull, and padding. The scale of the
  values does not matter, so it is for any modality.
- `z_score`: values from mean - k std to mean + k std, for MR. Mean and std are those of
  the foreground, the voxels above the mean of the whole volume. This leaves out the air
  around the patient, noisy or not (as `ZNormalization.mean` of TorchIO). k = 5 as in
  Isensee et al. 2017 (https://arxiv.org/abs/1802.10508).

Values beyond the ends become 0 or 1.
"""

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import VolumePreprocessing
from mdmt_tf.imaging.preprocess_values import text_of

_WHITE_OF_8_BITS = 255


def to_fraction(values: np.ndarray, preprocessing: VolumePreprocessing) -> np.ndarray:
    """Scale the values of a volume to [0, 1]; see the module.

    Args:
        values: float32, of any shape.
        preprocessing: the scale; its shape and orientation do not matter here.
    Returns: float32 of the same shape.
    Raises: DataError: no contrast, where the scale depends on the values.
    """
    if preprocessing.window_hu is not None:
        return window(values, *preprocessing.window_hu)
    # In the order of the memory, because axes may be swapped.
    flat = values.ravel(order="K")
    if preprocessing.percentile is not None:
        counted = flat[flat > flat.min()]
        if counted.size:
            low, high = np.percentile(counted, preprocessing.percentile).tolist()
            if low < high:
                return window(values, low, high)
    else:
        # Sums of millions of float32 would lose digits.
        foreground = flat[flat > flat.mean(dtype=np.float64)]
        if foreground.size:
            mean = float(foreground.mean(dtype=np.float64))
            reach = preprocessing.z_score * float(foreground.std(dtype=np.float64))
            if reach > 0:
                return window(values, mean - reach, mean + reach)
    raise DataError(
        "expected a volume with contrast. Received: voxels between "
        f"{text_of(values.min())} and {text_of(values.max())}, too few of which "
        "differ. Look at the file; leave it out if it is empty"
    )


def background(fraction: np.ndarray, preprocessing: VolumePreprocessing) -> float:
    """The fraction of voxels that are added around a volume.

    Returns: the smallest fraction of the volume; with a window, at most that of 0 HU,
        which surrounds heads without skull.
    """
    darkest = float(fraction.min())
    if preprocessing.window_hu is None:
        return darkest
    return min(darkest, float(window(np.float32(0), *preprocessing.window_hu)))


def window(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(values - low) / (high - low), clipped to [0, 1]; float32.

    Example:
        >>> window(np.float32([-1000, 15, 57.5, 100, 3000]), 15, 100).tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)


def doubt_hounsfield(values: np.ndarray) -> str:
    """Why values are hardly Hounsfield units, which a window in HU requires.

    Returns: a message for values from 0 to at most 1, or from 0 to 255, as of a picture
        that was made from a CT; "" for others.
    """
    low, high = float(values.min()), float(values.max())
    if low < 0 or not (high <= 1 or high == _WHITE_OF_8_BITS):
        return ""
    return (
        "expected Hounsfield units (air -1000, water 0), because of window_hu. "
        f"Received: values from {text_of(low)} to {text_of(high)}, as of a picture. "
        "Export the CT itself; or prepare with a percentile, which takes any scale"
    )
