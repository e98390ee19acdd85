"""Volumes on other grids of voxels."""

import numpy as np
import PIL.Image
import pytest

from mdmt_tf.imaging.resample import resize


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-20, 130, shape).astype(np.float32)


@pytest.mark.parametrize("old", [1, 2, 7, 30, 31])
@pytest.mark.parametrize("new", [1, 2, 7, 13, 30, 60, 64])
def test_each_axis_is_resized_as_pillow_does(old, new):
    values = noise((old, 3, 2))
    picture = PIL.Image.fromarray(values[:, :, 0]).resize(
        (3, new), PIL.Image.Resampling.BILINEAR
    )
    found = resize(values, (new, 3, 2))
    np.testing.assert_allclose(found[:, :, 0], np.asarray(picture), atol=2e-4)
    for axis, size in ((1, (3, new, 2)), (2, (3, 2, new))):
        again = resize(np.moveaxis(values, 0, axis), size)
        np.testing.assert_allclose(np.moveaxis(again, axis, 0), found, atol=2e-4)
