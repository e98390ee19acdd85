"""Boxes and the antialiased resize, against area averages by arithmetic."""

import numpy as np
import pytest

from mdmt_tf.imaging.crop import crop, resize, to_uint8, whole_box


def area_weights(old, new):
    """(new, old) matrix: the fraction of each old pixel in the area of each new one."""
    edges = np.arange(new + 1) * old / new
    start, stop = edges[:-1, None], edges[1:, None]
    pixel = np.arange(old)[None]
    overlap = np.minimum(stop, pixel + 1) - np.maximum(start, pixel)
    return np.maximum(overlap, 0) * new / old


@pytest.mark.parametrize("height, width", [(64, 48), (50, 37), (16, 100), (97, 16)])
def test_shrinking_averages_the_covered_area(height, width):
    image = np.random.default_rng(0).random((height, width), np.float32)
    expected = area_weights(height, 16) @ image @ area_weights(width, 16).T
    np.testing.assert_allclose(resize(image, 16), expected, atol=1e-5)


@pytest.mark.parametrize("transpose", [False, True])
def test_the_axis_that_shrinks_is_averaged_though_the_other_grows(transpose):
    # Stripes of one pixel: any sampling without averaging keeps black or white.
    image = np.zeros((8, 120), np.float32)
    image[:, ::2] = 1
    if transpose:
        image = image.T.copy()
    np.testing.assert_allclose(resize(image, 20), np.full((20, 20), 0.5), atol=1e-5)


def test_growing_interpolates_between_pixel_centres():
    image = np.array([[0, 1]] * 2, np.float32)
    expected = np.array([[0, 0.25, 0.75, 1]] * 4)
    np.testing.assert_allclose(resize(image, 4), expected, atol=1e-6)


def test_the_same_size_changes_nothing():
    image = np.random.default_rng(0).random((9, 9), np.float32)
    np.testing.assert_array_equal(resize(image, 9), image)


def test_boxes():
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(crop(image, whole_box(image.shape)), image)
    np.testing.assert_array_equal(crop(image, (1, 2, 3, 4)), [[6, 7], [10, 11]])


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 4), (0, 0, 4, 4), (-1, 0, 3, 4), (0, 3, 3, 3), (0, 0, 3, 5)]
)
def test_impossible_boxes(box):
    with pytest.raises(ValueError, match="for an image of height 3, width 4"):
        crop(np.zeros((3, 4)), box)


def test_to_uint8_rounds():
    image = np.array([0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1], np.float32)
    levels = to_uint8(image)
    assert levels.dtype == np.uint8
    np.testing.assert_array_equal(levels, [0, 0, 1, 255, 255])
