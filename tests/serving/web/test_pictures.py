import base64

import cv2
import numpy as np
import pytest

from mdmt_tf.saliency.maps import GRAD_CAM, GUIDED
from mdmt_tf.saliency.samples import Map
from mdmt_tf.serving.web import pictures


def decoded(url):
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    pixels = np.frombuffer(base64.b64decode(data), np.uint8)
    return cv2.imdecode(pixels, cv2.IMREAD_UNCHANGED)


def a_map(image, saliency, method=GRAD_CAM):
    return Map(
        task="t", method=method, image=image, saliency=saliency, words="", facts={}
    )


def test_a_picture_is_a_png_in_an_address():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decoded(pictures.data_url(grey)), grey)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert decoded(pictures.data_url(red))[0, 0].tolist() == [0, 0, 255]  # BGR


def test_slices_of_a_volume_are_side_by_side():
    volume = np.linspace(0, 1, 24, dtype=np.float32)[:, None, None, None]
    volume = np.broadcast_to(volume, (24, 5, 6, 1))
    picture = pictures.seen(volume)
    assert picture.shape == (3 * 5, 4 * 6)
    assert picture[0, 0] < picture[0, -1] < picture[-1, -1]
    assert pictures.seen(volume[0]).shape == (5, 6)


@pytest.mark.parametrize("shape", [(8, 8), (6, 8, 8)])
def test_colour_is_where_the_map_is_strong(shape):
    image = np.full((*shape, 1), 0.5, np.float32)
    saliency = np.zeros(shape, np.float32)
    saliency[..., 2, 3] = 1
    picture, is_signed, is_empty = pictures.over(a_map(image, saliency))
    assert not is_signed and not is_empty
    coloured = np.ptp(picture.astype(int), axis=-1) > 50
    assert coloured[2, 3] and coloured.sum() == np.prod(shape) // 64
    picture, is_signed, is_empty = pictures.over(a_map(image, 0 * saliency, GUIDED))
    assert is_signed and is_empty and not np.ptp(picture.astype(int), axis=-1).any()
