"""From stored pixels to the network's input."""

import numpy as np
import pytest

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
    import tensorflow as tf

    values = np.array([0, white // 5, white], dtype)
    result = to_unit(tf.constant(values))
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, np.float32([0, 0.2, 1]))


def test_floats_are_in_range_already():
    import tensorflow as tf

    assert to_unit(tf.constant([0.25, 1.0], tf.float64)).numpy().tolist() == [0.25, 1.0]


@pytest.mark.parametrize("shape", [(2, 5, 4, 1), (2, 5, 4, 3), (1, 4, 3, 2, 1)])
def test_normalize(shape):
    import tensorflow as tf

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
    import tensorflow as tf

    images = tf.constant([[[[1.0, 3.0]]]])
    result = normalize(images, mean=(0.5, 1.0), std=(0.25, 4.0))
    np.testing.assert_allclose(result, [[[[2.0, 0.5]]]])


def test_unknown_channels():
    import tensorflow as tf

    with pytest.raises(
        ValueError, match=r"1 or 3 channels\. Received: shape=\(1, 2, 2, 4"
    ):
        normalize(tf.zeros((1, 2, 2, 4)))


def test_images_of_the_right_size_are_unchanged_also_where_it_is_not_known():
    import tensorflow as tf

    images = tf.constant(
        np.random.default_rng(0).uniform(size=(2, 48, 48, 1)), tf.float32
    )
    np.testing.assert_array_equal(resize(images, 48), images)
    signature = [tf.TensorSpec((None, None, None, 1), tf.float32)]
    resize_any = tf.function(lambda x: resize(x, 48), input_signature=signature)
    np.testing.assert_array_equal(resize_any(images), images)


def test_resize_antialiases():
    import tensorflow as tf

    # One white row in 8: without antialiasing the result is black or white.
    images = np.zeros((1, 64, 64, 1), np.float32)
    images[:, ::8] = 1
    small = resize(tf.constant(images), 8).numpy()
    assert small.shape == (1, 8, 8, 1)
    np.testing.assert_allclose(small[0, 1:-1], 1 / 8, atol=0.02)
