"""A radiograph in the form in which models are trained: what training and use share."""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.imaging import crop
from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.preprocess import Preprocessing


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What became of one radiograph.

    Attributes:
        original: float32 (height, width) in [0, 1].
        mask: uint8 (height, width), 0, 1 right lung, 2 left lung; None where lungs were
            not looked for.
        box: y0, x0, y1, x1 of what is kept, see `crop`.
        box_source: crop.LUNGS, or crop.WHOLE and why.
        pixels: uint8 (size, size), what is kept.
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


def prepare_image(image: np.ndarray, preprocessing: str | Preprocessing) -> Prepared:
    """Bring a radiograph into the form that a model was trained with.

    Args:
        image: float32 (height, width) in [0, 1], as `dicom.read_image` returns it.
        preprocessing: the form, or its name, e.g. "lungs_256"; the file
            `saved_model/model.json` of a run has it.
    Raises: ValueError: not an image, or not a name.
    """
    if isinstance(preprocessing, str):
        preprocessing = Preprocessing.parse(preprocessing)
    mask = None if preprocessing.part == "full" else segment_lungs([image])[0]
    return cut(image, mask, preprocessing)


def cut(
    image: np.ndarray, mask: np.ndarray | None, preprocessing: Preprocessing
) -> Prepared:
    """`prepare_image` where the mask is known; None: the whole image is kept."""
    if mask is None:
        box, source = crop.whole_box(image.shape), crop.WHOLE
    else:
        box, source = crop.lung_box(mask)
    kept = crop.crop(image, box)
    if preprocessing.part == "masked" and source == crop.LUNGS:
        kept = kept * (crop.crop(mask, box) > 0)
    pixels = crop.to_uint8(crop.resize(kept, preprocessing.size))
    return Prepared(image, mask, box, source, pixels)
