"""Any radiograph becomes the same kind of input."""

import numpy as np
import pytest

from mdmt_tf.imaging.lungs.network_input import network_input


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return np.add.outer(np.arange(90), np.arange(70)) + rng.integers(0, 9, (90, 70))


def test_percentiles_become_0_and_1(image):
    result = network_input(image.astype(np.float32), 32)
    assert (result.shape, result.dtype) == ((32, 32), np.float32)
    assert (result.min(), result.max()) == (0, 1)
    assert 0.005 < (result == 0).mean() < 0.03
    assert 0.005 < (result == 1).mean() < 0.03


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.astype(np.uint8),
        lambda x: x.astype(np.int16) - 3000,
        lambda x: (x * 100).astype(np.uint16),
        lambda x: x.astype(np.int64) * 10**12,
        lambda x: x.astype(np.float64) * 1e300,
        lambda x: -1e300 + x.astype(np.float64) * 1e298,
        lambda x: x.astype(np.float32) * 1e-30,
    ],
)
def test_the_range_and_type_of_the_grey_values_do_not_matter(image, change):
    expected = network_input(image.astype(np.float32), 32)
    np.testing.assert_allclose(network_input(change(image), 32), expected, atol=1e-3)


def test_a_letter_burnt_in_does_not_set_the_range(image):
    plain = network_input(image.astype(np.float32), 32)
    image[:3, :3] = 10**6
    lettered = network_input(image.astype(np.float32), 32)
    np.testing.assert_allclose(lettered[4:], plain[4:], atol=0.05)


def test_what_is_not_finite_counts_as_black(image):
    image = image.astype(np.float32)
    blank = image.copy()
    blank[10:30] = image.min()
    for value in (np.nan, -np.inf, np.inf):
        holed = image.copy()
        holed[10:30] = value
        np.testing.assert_array_equal(
            network_input(holed, 32), network_input(blank, 32)
        )


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 7), 3.0),
        np.zeros((1, 1)),
        np.full((4, 4), np.nan),
        np.full((3, 3), -np.inf, np.float32),
        np.full((6, 2), True),
    ],
)
def test_without_contrast_it_is_0_everywhere(image):
    np.testing.assert_array_equal(network_input(image, 16), np.zeros((16, 16)))
