"""What the diagnosis keeps of each image: coarse copies, hashes, marks."""

import dataclasses
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from mdmt_tf.imaging import burned_in, similarity
from mdmt_tf.imaging.image_hashes import picture_of
from mdmt_tf.imaging.montage import to_picture

THUMBNAIL = 16  # pixels a side
# The outermost ring of a copy of 32 x 32 pixels is the border.
_COARSE = 32


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """n images of one dataset, in its order.

    Attributes:
        thumbnails: float32 (n, 256), 16 x 16 grey values in [0, 1].
        borders: float32 (n, 124), the outermost 3 % of the image on every side.
        grey: float32 (n, 2), mean and std of the grey values.
        marks: float32 (n, 4), letter-like marks in each corner, see `burned_in`.
        hashes, mirrored: uint8 (n, 32), of the picture and of its mirror image.
        compared: uint8 (n, 128, 128), see `similarity`.
        digests: str (n,), equal for equal pixels.
        constant: bool (n,), whether all pixels are equal.
    """

    thumbnails: np.ndarray
    borders: np.ndarray
    grey: np.ndarray
    marks: np.ndarray
    hashes: np.ndarray
    mirrored: np.ndarray
    compared: np.ndarray
    digests: np.ndarray
    constant: np.ndarray

    def __len__(self) -> int:
        return len(self.thumbnails)


def describe(batches: Iterable[np.ndarray]) -> Pictures:
    """Describe images one after another; they need not fit in memory.

    Args:
        batches: float32 (b, h, w, c) or (b, d, h, w, c) in [0, 1]. Of channels, the
            first is used; of a volume, four slices beside each other.
    """
    # OpenCV and hashlib compute outside the lock of Python.
    with ThreadPoolExecutor() as pool:
        rows = [row for batch in batches for row in pool.map(_describe_one, batch)]
    columns = zip(*rows, strict=True)
    names = [field.name for field in dataclasses.fields(Pictures)]
    return Pictures(**dict(zip(names, map(np.array, columns), strict=True)))


def _describe_one(image: np.ndarray) -> tuple:
    # Bytes, not values: this must not overlook a difference.
    digest = hashlib.sha256(np.ascontiguousarray(image)).hexdigest()
    grey, picture = to_picture(image), picture_of(image)
    square = cv2.resize(
        picture, (burned_in.SIDE, burned_in.SIDE), interpolation=cv2.INTER_AREA
    )
    is_volume = image.ndim == 4
    marks = np.zeros(4) if is_volume else burned_in.count_marks(square)
    return (
        _coarse(grey, THUMBNAIL).ravel(),
        _ring(_coarse(grey, _COARSE)),
        np.array([grey.mean(), grey.std()], np.float32),
        marks.astype(np.float32),
        similarity.perceptual_hash(picture),
        similarity.perceptual_hash(np.ascontiguousarray(picture[:, ::-1])),
        similarity.compared_copy(picture),
        digest,
        bool(np.ptp(image) == 0),
    )


def _coarse(grey: np.ndarray, side: int) -> np.ndarray:
    values = grey.astype(np.float32)
    return cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)


def _ring(values: np.ndarray) -> np.ndarray:
    inner = values[1:-1]
    return np.concatenate([values[0], values[-1], inner[:, 0], inner[:, -1]])
