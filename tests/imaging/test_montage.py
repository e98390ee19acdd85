"""Slices of a volume as one picture."""

import numpy as np
import pytest

from mdmt_tf.imaging.montage import montage, spread, to_picture


@pytest.mark.parametrize(
    ("depth", "count", "expected"),
    [(8, 4, [1, 3, 5, 7]), (40, 2, [10, 30]), (3, 5, [0, 1, 2]), (5, 1, [2])],
)
def test_slices_are_spread_evenly(depth, count, expected):
    assert spread(depth, count) == expected


def test_tiles_go_from_left_to_right_and_down():
    volume = np.arange(5)[:, None, None] * np.ones((5, 2, 3))
    picture = montage(volume[[4, 2, 1]])
    assert picture.shape == (4, 6)
    assert (picture[:2, :3] == 4).all() and (picture[:2, 3:] == 2).all()
    assert (picture[2:, :3] == 1).all() and (picture[2:, 3:] == 0).all()


def test_an_image_is_its_own_picture():
    image = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_array_equal(to_picture(image), image[..., 0])
    assert to_picture(image[None]).shape == (4, 5)
    assert to_picture(np.zeros((9, 4, 5, 1))).shape == (8, 10)
