"""From stored pixels to the network's input."""

import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.data.normalize import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    denormalize,
    normalize,
    resize,
    to_unit,
)


@pytest.mark.parametrize("dtype, white", [("uint8", 255), ("uint16", 65535)])
def test_whole_range_of_integers(dtype, white):
    values = np.array([0, white // 5, white], dtype)
    result = to_unit(tf.constant(values))
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, np.float32([0, 0.2, 1]))


def test_floats_are_in_range_already():
    assert to_unit(tf.constant([0.25, 1.0], tf.float64)).numpy().tolist() == [0.25, 1.0]


@pytest.mark.parametrize("shape", [(2, 5, 4, 1), (2, 5, 4, 3), (1, 4, 3, 2, 1)])
def test_normalize(shape):
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    expected = (images - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    for function in (normalize, tf.function(normalize)):
        result = function(tf.constant(images))
        assert result.dtype == tf.float32
        np.testing.assert_allclose(result, expected, atol=2e-6)
    np.testing.assert_allclose(
        denormalize(normalize(tf.constant(images)).numpy()),
        np.broadcast_to(images, expected.shape),
        atol=1e-6,
    )


def test_other_channels():
    images = tf.constant([[[[1.0, 3.0]]]])
    result = normalize(images, mean=(0.5, 1.0), std=(0.25, 4.0))
    np.testing.assert_allclose(result, [[[[2.0, 0.5]]]])


def test_unknown_channels():
    with pytest.raises(
        ValueError, match=r"1 or 3 channels\. Received: shape=\(1, 2, 2, 4"
    ):
        normalize(tf.zeros((1, 2, 2, 4)))


def test_images_of_the_right_size_are_unchanged_also_where_it_is_not_known():
    images = tf.constant(
        np.random.default_rng(0).uniform(size=(2, 48, 48, 1)), tf.float32
    )
    np.testing.assert_array_equal(resize(images, (48, 48)), images)
    signature = [tf.TensorSpec((None, None, None, 1), tf.float32)]
    resize_any = tf.function(lambda x: resize(x, (48, 48)), input_signature=signature)
    np.testing.assert_array_equal(resize_any(images), images)


def test_resize_antialiases():
    # One white row in 8: without antialiasing the result is black or white.
    images = np.zeros((1, 64, 64, 1), np.float32)
    images[:, ::8] = 1
    small = resize(tf.constant(images), (8, 8)).numpy()
    assert small.shape == (1, 8, 8, 1)
    np.testing.assert_allclose(small[0, 1:-1], 1 / 8, atol=0.02)


@pytest.mark.parametrize("shape", [(14, 6, 9), (3, 18, 5)])
def test_volumes_are_resized_along_each_axis(shape):
    """Linear, and antialiased where an axis shrinks: by the hats' matrices."""
    volume = np.random.default_rng(0).random((2, 7, 12, 9, 1)).astype("float32")
    received = resize(tf.constant(volume), shape).numpy()
    assert received.shape == (2, *shape, 1)
    matrices = [_linear(*sides) for sides in zip((7, 12, 9), shape, strict=True)]
    expected = np.einsum("nabcx,ia,jb,kc->nijkx", volume, *matrices)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    np.testing.assert_array_equal(resize(tf.constant(volume[0]), shape), received[0])


def _linear(length, wanted):
    """(wanted, length): weights of a hat as wide as the coarser grid's step."""
    scale = length / wanted
    places = (np.arange(wanted) + 0.5) * scale - 0.5
    distance = np.abs(places[:, None] - np.arange(length)) / max(scale, 1)
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def test_volumes_of_any_size_in_a_graph():
    signature = [tf.TensorSpec((None, None, None, None, 1), tf.float32)]
    resize_any = tf.function(lambda x: resize(x, (4, 8, 8)), input_signature=signature)
    volume = np.random.default_rng(1).random((1, 9, 12, 10, 1)).astype("float32")
    expected = resize(tf.constant(volume), (4, 8, 8))
    np.testing.assert_allclose(resize_any(volume), expected, atol=1e-6)
    assert resize_any.get_concrete_function().output_shapes == (None, 4, 8, 8, 1)


def test_volumes_in_16_bits_are_fractions():
    stored = np.array([[0, 16384, 32767]], np.int16)
    expected = [[0, 16384 / 32767, 1]]
    np.testing.assert_allclose(to_unit(tf.constant(stored)), expected, rtol=1e-6)
