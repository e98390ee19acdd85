"""Constant images, and those that hardly differ from one."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging.visible import check_visible, is_constant, sample


def test_a_sample_of_a_large_array_is_spread_over_all_of_it():
    pixels = np.arange(2000 * 3000).reshape(2000, 3000)
    some = sample(pixels)
    assert 10_000 < some.size < 100_000
    assert some[0] == 0
    assert some.max() > 0.99 * pixels.size
    assert sample(np.arange(12).reshape(2, 6)).tolist() == list(range(12))


def test_one_pixel_of_a_large_image_counts():
    image = np.full((700, 900), 0.5, np.float32)
    assert is_constant(image)
    image[3, 5] = 0.6
    assert not is_constant(image)


@pytest.mark.parametrize("shape", [(1, 1), (700, 900)])
@pytest.mark.parametrize("value", [0, 0.25, 1])
def test_nothing_is_visible(shape, value):
    image = np.full(shape, value, np.float32)
    with pytest.raises(DataError, match=rf"^x\.png: .*all pixels are {value},.*; why"):
        check_visible(image, "x.png", lambda: "why")


@pytest.mark.parametrize("spread, is_doubtful", [(0.02, True), (0.05, False)])
def test_hardly_anything_is_visible(spread, is_doubtful):
    image = np.linspace(0.3, 0.3 + spread, 60 * 70, dtype=np.float32).reshape(60, 70)
    image[0, :5] = 1  # a mark of one pixel in a thousand
    with collected_warnings() as found:
        check_visible(image, "x.png")
    assert len(found) == is_doubtful
    if is_doubtful:
        with pytest.warns(DataWarning, match=r"^x\.png: hardly .* from 0\.3 to 0\.32"):
            check_visible(image, "x.png")
