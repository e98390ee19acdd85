"""One radiograph, prepared for a trained model as the prepared datasets are."""

import cv2
import numpy as np
import pytest

from mdmt_tf.imaging import crop
from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.prepared import cut, prepare_image
from mdmt_tf.imaging.preprocess import Preprocessing
from mdmt_tf.phantoms.chest import radiograph


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(5)
    return np.clip(radiograph.render(rng, [0] * 6, matrix=220).pixels, 0, 1)


def test_lungs(image):
    prepared = prepare_image(image, "lungs_80")
    (mask,) = segment_lungs([image])
    np.testing.assert_array_equal(prepared.mask, mask)
    assert (prepared.box, prepared.box_source) == crop.lung_box(mask)
    y0, x0, y1, x1 = prepared.box
    expected = crop.to_uint8(crop.resize(image[y0:y1, x0:x1], 80))
    np.testing.assert_array_equal(prepared.pixels, expected)
    stored = cv2.imdecode(np.frombuffer(prepared.png(), np.uint8), -1)
    np.testing.assert_array_equal(stored, expected)


def test_full(image):
    prepared = prepare_image(image, Preprocessing("full", 64))
    assert (prepared.mask, prepared.box_source) == (None, "whole")
    assert prepared.box == (0, 0, *image.shape)
    np.testing.assert_array_equal(
        prepared.pixels, crop.to_uint8(crop.resize(image, 64))
    )


def test_masked_is_black_outside_the_lungs_and_the_same_inside(image):
    plain, masked = (prepare_image(image, f"{name}_64") for name in ("lungs", "masked"))
    assert masked.box == plain.box
    y0, x0, y1, x1 = masked.box
    inside = (masked.mask[y0:y1, x0:x1] > 0).astype(np.float32)
    fraction = crop.resize(inside, 64)
    whole, none = fraction == 1, fraction == 0
    np.testing.assert_array_equal(masked.pixels[whole], plain.pixels[whole])
    assert not masked.pixels[none].any()
    assert plain.pixels[none].mean() > 50
    assert 0.2 < whole.mean() < 0.9


@pytest.mark.parametrize("region", ["lungs", "masked"])
def test_without_lungs_the_whole_image_is_kept_and_nothing_blackened(image, region):
    none = np.zeros(image.shape, np.uint8)
    prepared = cut(image, none, Preprocessing(region, 64))
    assert prepared.box_source == "whole: no lungs"
    assert prepared.box == (0, 0, *image.shape)
    np.testing.assert_array_equal(
        prepared.pixels, crop.to_uint8(crop.resize(image, 64))
    )


def test_another_name_is_refused(image):
    with pytest.raises(ValueError, match="received 'lung_256'"):
        prepare_image(image, "lung_256")
