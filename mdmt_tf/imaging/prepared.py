"""Preparation of one radiograph, the same for training and for inference."""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.imaging import crop
from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.preprocess import Preprocessing


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """A radiograph, prepared for a model.

    Attributes:
        original: float32 (height, width) in [0, 1].
        mask: uint8 (height, width), 0, 1 right lung, 2 left lung; None if the lungs
            were not segmented.
        box: y0, x0, y1, x1 of the crop, see `crop`.
        box_source: crop.LUNGS, or crop.WHOLE with the reason.
        pixels: uint8 (size, size), the resized crop.
    """

    original: np.ndarray
    mask: np.ndarray | None
    box: crop.Box
    box_source: str
    pixels: np.ndarray

    def png(self) -> bytes:
        """`pixels` as a PNG file."""
        _, data = cv2.imencode(".png", self.pixels)
        return data.tobytes()


def prepare_image(
    image: np.ndarray, preprocessing: str | Preprocessing
) -> PreparedImage:
    """Prepare a radiograph as the training images of a model were prepared.

    Args:
        image: float32 (height, width) in [0, 1], as `dicom.read_image` returns it.
        preprocessing: a `Preprocessing` or its name, e.g. "lungs_256"; a run has its
            name in `saved_model/model.json`.
    Raises: ValueError: `image` is not an image, or the name is unknown.
    """
    if isinstance(preprocessing, str):
        preprocessing = Preprocessing.parse(preprocessing)
    mask = None if preprocessing.region == "full" else segment_lungs([image])[0]
    return cut(image, mask, preprocessing)


def cut(
    image: np.ndarray, mask: np.ndarray | None, preprocessing: Preprocessing
) -> PreparedImage:
    """`prepare_image` with a known mask; None: the whole image is kept."""
    if mask is None:
        box, source = crop.whole_box(image.shape), crop.WHOLE
    else:
        box, source = crop.lung_box(mask)
    kept = crop.crop(image, box)
    if preprocessing.region == "masked" and source == crop.LUNGS:
        kept = kept * (crop.crop(mask, box) > 0)
    pixels = crop.to_uint8(crop.resize(kept, preprocessing.size))
    return PreparedImage(image, mask, box, source, pixels)
