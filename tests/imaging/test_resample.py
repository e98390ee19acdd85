"""Volumes on other grids of voxels."""

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mdmt_tf.imaging.resample import lengths, resample, resize


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


def oblique():
    """Voxels of 0.8 x 2 x 3 mm, turned and moved."""
    turned = Rotation.from_euler("xyz", [10, -20, 35], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag([0.8, 2.0, 3.0])
    affine[:3, 3] = (-30, 12, 7)
    return affine


def world(affine, voxels):
    return voxels @ affine[:3, :3].T + affine[:3, 3]


GRIDS = [
    ((0.8, 2, 3), (20, 18, 16)),  # as it is
    ((0.8, 2, 3), (15, 22, 9)),  # cropped and padded only
    ((2, 2, 2), (8, 18, 24)),
    ((0.4, 1.5, 1), (40, 24, 48)),  # finer
    ((1.7, 5, 7), (12, 12, 3)),  # coarser
    ((40, 40, 40), (3, 1, 2)),  # one voxel for all
]


@pytest.mark.parametrize("spacing, shape", GRIDS)
def test_voxels_have_the_spacing_and_the_centre_stays(spacing, shape):
    values = noise((20, 18, 16))
    found, affine = resample(values, oblique(), spacing, shape)
    assert found.shape == shape
    np.testing.assert_allclose(lengths(affine), spacing)
    # By at most half a voxel, where an odd number of voxels is cropped or added.
    before = world(oblique(), (np.array(values.shape) - 1) / 2)
    middle = world(np.linalg.inv(affine), before)
    distance = np.abs(middle - (np.array(shape) - 1) / 2)
    assert (np.isclose(distance, 0) | np.isclose(distance, 0.5)).all()


@pytest.mark.parametrize("spacing, shape", GRIDS[:5])
def test_what_is_linear_in_the_world_stays_so(spacing, shape):
    indices = np.moveaxis(np.indices((20, 18, 16)), 0, -1)
    slope = np.array([1.0, -2.0, 0.5])
    values = (world(oblique(), indices) @ slope).astype(np.float32)
    found, affine = resample(values, oblique(), spacing, shape, empty=np.nan)
    positions = np.moveaxis(np.indices(shape), 0, -1)
    expected = world(affine, positions) @ slope
    # Without the border, where a mean has neighbours on one side only.
    old = world(np.linalg.inv(oblique()), world(affine, positions))
    reach = np.maximum(1, np.divide(spacing, lengths(oblique())))
    inside = ((old >= reach - 1e-6) & (old <= [19, 17, 15] - reach + 1e-6)).all(axis=-1)
    assert inside.sum() > 8
    # The sampled triangle of a mean is symmetric up to a fraction of a voxel only.
    tolerance = 1e-3 if max(reach) == 1 else 0.06
    np.testing.assert_allclose(found[inside], expected[inside], atol=tolerance)


@pytest.mark.parametrize("spacing, shape", GRIDS[:2] + GRIDS[3:4])
def test_finer_grids_are_those_of_scipy(spacing, shape):
    values = noise((20, 18, 16))
    found, affine = resample(values, oblique(), spacing, shape, empty=-7)
    matrix = np.linalg.inv(oblique()) @ affine
    expected = ndimage.affine_transform(
        values, matrix, output_shape=shape, order=1, mode="nearest"
    )
    positions = world(matrix, np.moveaxis(np.indices(shape), 0, -1))
    ends = np.array(values.shape) - 0.5
    outside = ((positions < -0.5) | (positions > ends)).any(axis=-1)
    expected[outside] = -7
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_cropping_and_padding_moves_no_voxel():
    values = noise((5, 4, 3))
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    found, moved = resample(values, affine, (1, 2, 3), (2, 7, 3), empty=0.25)
    # One voxel of three is cropped in front, two behind; one is added in front, two
    # behind.
    np.testing.assert_array_equal(found[:, 1:5], values[1:3])
    np.testing.assert_array_equal(found[:, [0, 5, 6]], 0.25)
    np.testing.assert_allclose(moved[:3, 3], [1, -2, 0])
    np.testing.assert_allclose(moved[:3, :3], affine[:3, :3])
