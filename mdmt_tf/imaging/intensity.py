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
from mdmt_tf.imaging.visible import sample

_WHITE_OF_8_BITS = 255
NOT_HOUNSFIELD = "not in Hounsfield units"  # kind of a warning


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


def check_hounsfield(modality: str, unit: str, otherwise: str) -> None:
    """Check what a file says of its values, where a window in HU is wanted.

    Args:
        modality: "" where the file does not say.
        unit: see `dicom_values.unit_of`.
        otherwise: how to prepare another file, for the message.
    Raises: DataError, without the name of the file.
    """
    if modality not in ("", "CT"):
        raise DataError(
            "expected a CT, because of window_hu. Received: modality "
            f"{modality}. Prepare it {otherwise}"
        )
    if unit:
        raise DataError(
            "expected Hounsfield units, because of window_hu. Received: RescaleType "
            f"{unit}. Export the images in Hounsfield units; or prepare them "
            f"{otherwise}"
        )


def doubt_hounsfield(values: np.ndarray) -> str:
    """Why values are hardly Hounsfield units, which a window in HU requires.

    A CT has air, -1000 HU, around the patient, or 0 where the head was cut out; soft
    tissue has 0 to 100 HU; bone and metal reach some thousands.

    Args:
        values: of a slice or volume.
    Returns: a message; "" where there is no doubt.
    """
    low, high = float(values.min()), float(values.max())
    if is_of_picture(low, high):
        return _unlike("as of a picture", low, high)
    some = sample(values)
    if some.size < _FEWEST:
        return ""
    if high - low < _FEWEST_HU:
        return _unlike("scaled to a small range", low, high)
    if high > _MOST_HU:
        return _unlike("as if negative values had lost their sign", low, high)
    dense = some[some > _DENSE]
    if low > _AIR and dense.size > some.size / 20:
        usual = float(np.median(dense))
        if abs(usual - _OFFSET) < _OFFSET_REACH:
            likely = f"with tissue at {usual:.0f}, as if {_OFFSET} had been added"
            return _unlike(likely, low, high)
    inside = some[some > low]
    if low >= 0 and inside.size:
        usual = float(np.median(inside))
        if usual > _MOST_TISSUE:
            return _unlike(
                f"none below 0, and half of them above {usual:.0f}", low, high
            )
    return ""


def is_of_picture(low: float, high: float) -> bool:
    """Whether a smallest and a largest value are those of a picture made from a CT."""
    return low >= 0 and (high <= 1 or high == _WHITE_OF_8_BITS)


def _unlike(likely: str, low: float, high: float) -> str:
    return (
        "expected Hounsfield units (air -1000, water 0), because of window_hu. "
        f"Received: values from {text_of(low)} to {text_of(high)}, {likely}. Export "
        "the CT itself; or prepare with a percentile, which takes any scale"
    )


_FEWEST = 100  # values, of which a median says something
_FEWEST_HU = 20  # between air and anything, or within a brain
_MOST_HU = 32767  # 16 bits with a sign; extended scales of metal reach 30,000
_AIR = -100
# Writers that lose the intercept store water as 1024 (or 1000).
_OFFSET, _OFFSET_REACH = 1024, 150
_DENSE = 300
# Organs with contrast agent have less; bone and metal are few of the voxels.
_MOST_TISSUE = 150
