"""Pictures for the page, as PNG in data URLs."""

import base64

import cv2
import numpy as np

from mdmt_tf.imaging import crop, montage
from mdmt_tf.saliency import overlays
from mdmt_tf.saliency.maps import GRAD_CAM
from mdmt_tf.saliency.samples import Map
from mdmt_tf.serving.preparation import PreparedFile
from mdmt_tf.serving.web.schema import Pictures

# Longest side of a whole radiograph.
SIDE = 640
_SLICES = 12
_COLUMNS = 4


def pictures_of(prepared: PreparedFile) -> Pictures:
    """The pictures of a prepared file."""
    whole = prepared.whole
    return Pictures(
        whole=None if whole is None else data_url(whole.picture),
        box=None if whole is None else list(whole.box),
        seen=data_url(seen(prepared.image)),
    )


def seen(image: np.ndarray) -> np.ndarray:
    """What a model sees, uint8 (h, w); of a volume, some slices, the lowest first.

    Args:
        image: float32 (h, w, 1) or (d, h, w, 1) in [0, 1].
    """
    grey = image[..., 0]
    if grey.ndim == 3:
        chosen = montage.spread(len(grey), _SLICES)
        grey = montage.montage(list(grey[chosen]), _COLUMNS)
    return crop.to_uint8(grey)


def over(one: Map) -> tuple[np.ndarray, bool, bool]:
    """A map over its image, or over some of its slices.

    Returns: uint8 (h, w, 3), red, green and blue; whether it has a sign; whether it is
        zero everywhere.
    """
    is_signed = one.method != GRAD_CAM
    grey = np.clip(one.image[..., 0], 0, 1)
    strength = overlays.relative_strength(one.saliency, is_signed)
    if grey.ndim == 3:
        chosen = overlays.chosen_slices(grey, strength, _SLICES)
        tiles = overlays.blended(grey[chosen], strength[chosen], is_signed)
        coloured = montage.montage(list(tiles), _COLUMNS)
    else:
        coloured = overlays.blended(grey, strength, is_signed)
    return crop.to_uint8(coloured), is_signed, not strength.any()


def data_url(picture: np.ndarray) -> str:
    """A picture, uint8 (h, w), or (h, w, 3) red, green and blue, as PNG."""
    if picture.ndim == 3:
        picture = picture[..., ::-1]
    _, data = cv2.imencode(".png", picture)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
