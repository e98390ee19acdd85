"""Resampling, against scipy.ndimage and by arithmetic."""

import numpy as np
import pytest
from scipy import ndimage

from mdmt_tf.data.augment import warp

SIZE = 40


@pytest.fixture(scope="module")
def image():
    noise = np.random.default_rng(0).uniform(size=(SIZE, SIZE))
    return ndimage.gaussian_filter(noise, 1.5).astype(np.float32)


def affine(image, shift=(0.0, 0.0), zoom=1.0, degrees=0.0, flip=False):
    import tensorflow as tf

    maps = warp.affine_map(
        tf.constant([shift], tf.float32),
        tf.constant([zoom], tf.float32),
        tf.constant([degrees], tf.float32),
        tf.constant([flip]),
        image.shape[0],
    )
    return warp.warp_affine(tf.constant(image[None, ..., None]), maps)[
        0, ..., 0
    ].numpy()


def reference(image, inverse, offset):
    """Result at (y, x) from `inverse` (y, x) + offset, black outside."""
    return ndimage.affine_transform(
        image, inverse, offset, order=1, mode="grid-constant", cval=0.0
    )


def test_nothing_changes_nothing(image):
    np.testing.assert_array_equal(affine(image), image)


def test_flip_is_left_to_right(image):
    np.testing.assert_allclose(affine(image, flip=True), image[:, ::-1], atol=1e-6)


def test_shift_is_down_and_right_and_leaves_black(image):
    # 0.1 of 40 pixels down, 0.05 to the left.
    result = affine(image, shift=(0.1, -0.05))
    expected = np.zeros_like(image)
    expected[4:, :-2] = image[:-4, 2:]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_quarter_turn_is_anticlockwise(image):
    np.testing.assert_allclose(affine(image, degrees=90.0), np.rot90(image), atol=1e-5)


@pytest.mark.parametrize("degrees", [-15.0, 4.0, 11.3])
def test_rotation(image, degrees):
    expected = ndimage.rotate(
        image, degrees, reshape=False, order=1, mode="grid-constant", cval=0.0
    )
    np.testing.assert_allclose(affine(image, degrees=degrees), expected, atol=1e-5)


@pytest.mark.parametrize("zoom", [0.9, 1.1])
def test_zoom_is_about_the_centre(image, zoom):
    centre = (SIZE - 1) / 2
    expected = reference(image, np.eye(2) / zoom, centre * (1 - 1 / zoom))
    np.testing.assert_allclose(affine(image, zoom=zoom), expected, atol=1e-5)
    # A dot 10 pixels right of the centre moves to a distance of 10 * zoom.
    dot = np.zeros_like(image)
    dot[19:21, 29:31] = 1
    found = ndimage.center_of_mass(affine(dot, zoom=zoom))
    np.testing.assert_allclose(found, (centre, centre + 10 * zoom), atol=0.05)


def test_order_is_flip_zoom_rotation_shift(image):
    settings = {"shift": (0.05, 0.1), "zoom": 1.05, "degrees": 9.0, "flip": True}
    centre = np.full(2, (SIZE - 1) / 2)
    radians = np.deg2rad(9.0)
    # (y, x) rotated anticlockwise, with y down.
    turn = np.array(
        [[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]]
    )
    forward = turn @ (1.05 * np.eye(2)) @ np.diag([1.0, -1.0])
    inverse = np.linalg.inv(forward)
    shift = np.array([0.05, 0.1]) * SIZE
    expected = reference(image, inverse, centre - inverse @ (centre + shift))
    np.testing.assert_allclose(affine(image, **settings), expected, atol=1e-5)


def test_without_displacement_both_resamplings_agree(image):
    import tensorflow as tf

    maps = warp.affine_map(
        tf.constant([[0.1, -0.07], [0.0, 0.0]]),
        tf.constant([1.08, 1.0]),
        tf.constant([-13.0, 0.0]),
        tf.constant([True, False]),
        SIZE,
    )
    images = tf.constant(np.stack([image, image.T])[..., None])
    expected = warp.warp_affine(images, maps)
    result = warp.warp_elastic(images, maps, tf.zeros((2, 2, SIZE, SIZE)))
    np.testing.assert_allclose(result, expected, atol=1e-5)
    np.testing.assert_array_equal(result[1, ..., 0], image.T)


@pytest.mark.parametrize("channels", [1, 3])
def test_displacement_and_map_in_one_step(image, channels):
    import tensorflow as tf

    displacement = np.random.default_rng(1).normal(0, 3, (1, 2, SIZE, SIZE))
    a, b, c, d, e, f = 0.9, 0.2, -3.0, -0.1, 1.1, 2.0
    images = np.stack([image * (k + 1) for k in range(channels)], axis=-1)[None]
    result = warp.warp_elastic(
        tf.constant(images),
        tf.constant([[a, b, c, d, e, f]]),
        tf.constant(displacement, tf.float32),
    )
    y, x = np.indices((SIZE, SIZE)) + displacement[0]
    places = [d * x + e * y + f, a * x + b * y + c]
    expected = ndimage.map_coordinates(image, places, order=1, mode="grid-constant")
    assert result.shape == (1, SIZE, SIZE, channels)
    for k in range(channels):
        np.testing.assert_allclose(result[0, ..., k], (k + 1) * expected, atol=1e-4)


def fields(n, size, alpha=30.0, sigma=7.0):
    import tensorflow as tf

    @tf.function  # faster for many seeds
    def all_of_them():
        seeds = tf.stack([tf.range(n, dtype=tf.int64)] * 2, axis=1)
        return warp.elastic_displacement(seeds, tf.fill([n], alpha), size, sigma)

    return all_of_them().numpy()


def test_elastic_deformation_is_white_noise_smoothed():
    alpha, sigma = 30.0, 7.0
    generator = np.random.default_rng(0)
    noise = generator.uniform(-1, 1, (16, 2, 256, 256))
    expected = alpha * ndimage.gaussian_filter(noise, (0, 0, sigma, sigma), mode="wrap")
    found = fields(64, 256, alpha, sigma)
    assert found.shape == (64, 2, 256, 256)
    theory = alpha / (2 * np.sqrt(3 * np.pi) * sigma)
    # About 64 * 2 * (256 / (2 * sqrt(pi) * 7))^2 = 13600 independent values.
    np.testing.assert_allclose(found.std(), theory, rtol=0.03)
    np.testing.assert_allclose(expected.std(), theory, rtol=0.05)
    assert abs(found.mean()) < 0.05 * theory
    for lag in (3, 7, 14, 28):
        # The autocorrelation of smoothed white noise is exp(-lag^2 / (4 sigma^2)).
        correlation = (found[..., lag:] * found[..., :-lag]).mean() / found.var()
        np.testing.assert_allclose(correlation, np.exp(-(lag**2) / 196), atol=0.03)
        correlation = (found[..., lag:, :] * found[..., :-lag, :]).mean() / found.var()
        np.testing.assert_allclose(correlation, np.exp(-(lag**2) / 196), atol=0.03)


def test_elastic_deformation_is_as_strong_everywhere():
    strength = fields(400, 64).std(axis=(0, 1))
    middle = strength[16:48, 16:48].mean()
    for border in (strength[0], strength[-1], strength[:, 0], strength[:, -1]):
        np.testing.assert_allclose(border.mean(), middle, rtol=0.1)


def test_elastic_deformation_scales_with_the_image():
    large, small = fields(2, 256), fields(2, 64)
    # Pixel 0 of 64 lies between pixels 1 and 2 of 256; a pixel is 4 of them.
    sampled = (large[..., 1::4, :] + large[..., 2::4, :]) / 2
    sampled = (sampled[..., 1::4] + sampled[..., 2::4]) / 2
    # The mean of 4 pixels lacks up to 1 / (4 sigma^2) of a peak of 4 std.
    np.testing.assert_allclose(small, sampled / 4, atol=0.03 * small.std())


def test_down_and_right_are_independent():
    found = fields(64, 64)
    correlation = np.corrcoef(found[:, 0].ravel(), found[:, 1].ravel())[0, 1]
    assert abs(correlation) < 0.1
