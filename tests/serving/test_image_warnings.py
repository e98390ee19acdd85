"""Warnings in the graph, against those of `predict`."""

import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.data import profile
from mdmt_tf.serving import image_warnings
from mdmt_tf.serving.oddities import OF_FEATURES

GENERATOR = np.random.default_rng(0)


def training_like(count, size):
    """Images with a common pattern, and noise."""
    axes = [np.linspace(0, 3, length) for length in size]
    pattern = np.prod(np.meshgrid(*map(np.sin, axes), indexing="ij"), axis=0)
    noise = GENERATOR.normal(0, 0.05, (count, *size))
    return np.clip(0.2 + 0.6 * pattern + noise, 0, 1).astype(np.float32)


def odd(size):
    """Images that are unlike these in one way or another."""
    usual = training_like(4, size)
    return np.stack(
        [
            usual[0] * 0.3,
            1 - usual[1],
            (usual[2] > 0.5).astype(np.float32),
            usual[3],
            np.full(size, 0.5, np.float32),
            GENERATOR.uniform(0, 1, size).astype(np.float32),
        ]
    )


def expected(image, training):
    if np.ptp(image) <= 2 / 255:
        return {"no_contrast"}
    coarse = profile.coarsened(image)
    found = profile.beyond(training, profile.features(coarse, training["mean_image"]))
    return {code for key, code in OF_FEATURES.items() if key in found.items()}


@pytest.mark.parametrize("size", [(80, 100), (32, 32), (20, 70, 66)])
def test_they_are_those_of_predict(size):
    like = [profile.coarsened(image) for image in training_like(12, size)]
    training = profile.profile_of(like)
    images = odd(size)
    warnings = image_warnings.warn(
        tf.constant(images[..., None]),
        tf.constant(size[-2:]),
        {"training_images": training},
    )
    found = [set(text.decode().split()) for text in warnings.numpy()]
    assert found == [expected(image, training) for image in images]
    assert found[3] == set() and "unlike" in found[1] and found[4] == {"no_contrast"}


@pytest.mark.parametrize(
    ("given", "found"),
    [((500, 500), ""), ((301, 300), ""), ((500, 400), "aspect"), ((300, 600), "")],
)
def test_another_aspect_than_that_of_prepared_images(given, found):
    image = tf.constant(training_like(2, (24, 24))[..., None])
    about = {"image": {"aspects": [0.5, 1.0]}}
    warnings = image_warnings.warn(image, tf.constant(given), about)
    assert warnings.numpy().tolist() == [found.encode()] * 2
    # Without knowledge about the training images, nothing is said of it.
    warnings = image_warnings.warn(image, tf.constant(given), {})
    assert warnings.numpy().tolist() == [b""] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01, 1.01, 255.0])
def test_values_outside_of_the_range_are_an_error(value):
    image = np.zeros((2, 3, 3, 1), np.float32)
    image[1, 2, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="from 0, black, to 1"):
        image_warnings.checked(tf.constant(image))


def test_rounding_is_no_error():
    image = tf.constant([[[[-1e-4]], [[1.0001]]]])
    np.testing.assert_array_equal(image_warnings.checked(image), image)


@pytest.mark.parametrize("shape", [(3, 3, 1), (1, 3, 3), (1, 3, 3, 3), (0, 3, 3, 1)])
def test_another_shape_is_an_error_that_says_what_is_expected(shape):
    """Functions with this specification take tensors of any shape."""
    specification = tf.TensorSpec((None, None, None, 1), tf.float32)
    module = tf.Module()
    module.run = tf.function(image_warnings.checked, input_signature=[specification])
    concrete = module.run.get_concrete_function()
    usual = tf.ones((2, 3, 4, 1))
    np.testing.assert_array_equal(concrete(usual), usual)
    message = r"expected float32 \(n, height, width, 1\), .*Received shape"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        concrete(tf.zeros(shape))


def test_a_volume_is_taken_as_one():
    volume = tf.ones((1, 2, 3, 4, 1))
    np.testing.assert_array_equal(image_warnings.checked(volume), volume)
