"""Random movements of volumes: the draws, and the new positions of voxels."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from mdmt_tf.data.augment import images as augment
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.augment.volumes import affine_map, move_volumes, rotation, warp

OFF = {
    f"{name}_probability": 0.0
    for name in ("shift", "zoom", "flip", "rotation", "elastic", "noise")
}
# As in Cobo et al. 2024.
ICH = Augmentation(
    **OFF
    | {"rotation_probability": 0.5, "zoom_probability": 0.5, "noise_probability": 0.5},
    rotation_degrees=5,
)
SHAPE = (12, 20, 16)


def settings(**changes):
    return Augmentation(**OFF | changes)


def numbers(**columns):
    """The 13 uniform numbers; 0.5 means an amount of 0."""
    uniform = np.full(13, 0.5, np.float32)
    for column, value in columns.items():
        uniform[int(column[1:])] = value
    return uniform


def smooth(shape=SHAPE, seed=0):
    noise = np.random.default_rng(seed).random(shape)
    return scipy.ndimage.gaussian_filter(noise, 2).astype("float32")


def changed(volumes, epoch=0, chosen=ICH, index=None, repeat=None):
    count = len(volumes)
    index = np.arange(count) if index is None else index
    repeat = np.zeros(count, int) if repeat is None else repeat
    keys = augment.sample_keys(7, epoch, index, repeat)
    made, _ = augment.augment(tf.constant(volumes), keys, chosen)
    return made.numpy()


def test_nothing_drawn_changes_nothing():
    volumes = smooth()[None, ..., None]
    np.testing.assert_array_equal(changed(volumes, chosen=settings()), volumes)
    assert affine_map(numbers(), SHAPE, settings()) is None


def test_a_whole_shift_moves_voxels():
    """Down by a twelfth of the depth, back by two twentieths, left by a sixteenth."""
    chosen = settings(shift_probability=1.0, shift_fraction=1 / 4)
    # 0.5 + s / (2 fraction n): 1 of 12, 2 of 20, -1 of 16, with a fraction of 1 / 4.
    uniform = numbers(c6=0.5 + 1 / 6, c7=0.5 + 0.2, c8=0.5 - 0.125)
    moved = warp(smooth()[..., None], *affine_map(uniform, SHAPE, chosen))[..., 0]
    expected = np.zeros(SHAPE, np.float32)
    expected[1:, 2:, :-1] = smooth()[:-1, :-2, 1:]
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_a_flip_exchanges_left_and_right():
    chosen = settings(flip_probability=1.0)
    moved = warp(smooth()[..., None], *affine_map(numbers(), SHAPE, chosen))[..., 0]
    np.testing.assert_allclose(moved, smooth()[..., ::-1], atol=1e-6)


def test_the_volumes_said_to_be_flipped_are_flipped():
    import tensorflow as tf

    chosen = settings(flip_probability=0.5)
    volumes = np.repeat(smooth()[None, ..., None], 8, axis=0)
    index = tf.range(8, dtype=tf.int64)
    keys = augment.sample_keys(7, 1, index, tf.zeros_like(index))
    made, flipped = augment.augment(tf.constant(volumes), keys, chosen)
    said = flipped.numpy().tolist()
    for flip, before, after in zip(said, volumes, made.numpy(), strict=True):
        expected = before[:, :, ::-1] if flip else before
        np.testing.assert_allclose(after, expected, atol=1e-5)
    assert set(said) == {True, False}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_four_quarter_turns(axis):
    """90 degrees about an axis of a cube are numpy's, in the direction stated."""
    shape, first, second = (9, 9, 9), (axis + 1) % 3, (axis + 2) % 3
    chosen = settings(rotation_probability=1.0, rotation_degrees=90)
    uniform = numbers(**{f"c{10 + axis}": 1.0})
    volume = smooth(shape)
    moved = warp(volume[..., None], *affine_map(uniform, shape, chosen))[..., 0]
    np.testing.assert_allclose(moved, np.rot90(volume, 1, (first, second)), atol=1e-5)


def test_each_axis_is_drawn_by_itself():
    chosen = settings(rotation_probability=0.5, rotation_degrees=5)
    uniform = numbers(c3=0.4, c4=0.6, c5=0.6, c10=1.0, c11=1.0, c12=1.0)
    matrix, _ = affine_map(uniform, SHAPE, chosen)
    expected = rotation(np.deg2rad([5, 0, 0]))
    np.testing.assert_allclose(matrix, expected.T, atol=1e-12)


def test_zoom_keeps_the_centre():
    chosen = settings(zoom_probability=1.0, zoom_fraction=0.1)
    matrix, offset = affine_map(numbers(c9=1.0), SHAPE, chosen)
    np.testing.assert_allclose(matrix, np.eye(3) / 1.1, atol=1e-7)
    centre = (np.array(SHAPE) - 1) / 2
    np.testing.assert_allclose(matrix @ centre + offset, centre, atol=1e-7)


def test_rotation_is_rigid_in_millimetres():
    """Slices are six times as far apart as pixels: distances in mm are kept."""
    chosen = settings(rotation_probability=1.0, rotation_degrees=30, slice_spacing=6.0)
    matrix, _ = affine_map(numbers(c10=0.9, c11=0.3, c12=0.8), SHAPE, chosen)
    spacing = np.diag([6.0, 1.0, 1.0])
    in_millimetres = spacing @ matrix @ np.linalg.inv(spacing)
    np.testing.assert_allclose(in_millimetres @ in_millimetres.T, np.eye(3), atol=1e-6)
    assert np.abs(in_millimetres - np.eye(3)).max() > 0.1
    # Rotated about the width, one pixel is a sixth of a slice.
    chosen = settings(rotation_probability=1.0, rotation_degrees=90, slice_spacing=6.0)
    matrix, _ = affine_map(numbers(c12=1.0), SHAPE, chosen)
    np.testing.assert_allclose(np.abs(matrix[0, 1]), 1 / 6, atol=1e-6)


def test_the_draws_follow_seed_epoch_and_sample_alone():
    volumes = np.stack([smooth(seed=s) for s in range(6)])[..., None]
    whole = changed(volumes, epoch=3)
    assert (np.abs(whole - volumes).max(axis=(1, 2, 3, 4)) > 0).sum() >= 4
    # Alone and at another place in the batch.
    for row in range(6):
        part = changed(volumes[[row]], epoch=3, index=np.array([row]))
        np.testing.assert_array_equal(part[0], whole[row])
    assert (changed(volumes, epoch=4) != whole).any()
    assert (changed(volumes, epoch=3, repeat=np.ones(6, int)) != whole).any()


def test_probabilities_are_met():
    count = 2000
    drawn = []

    @tf.function
    def draw(index):
        keys = augment.sample_keys(0, 0, index, tf.zeros(count, tf.int64))
        return move_volumes(tf.zeros((count, 1, 1, 1, 1)), keys, ICH)

    def note(uniform, shape, chosen):
        drawn.append(uniform)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdmt_tf.data.augment.volumes.affine_map", note)
        draw(tf.range(count, dtype=tf.int64))
    drawn = np.stack(drawn)
    assert drawn.shape == (count, 13)
    # Uniform and independent, within four standard errors.
    fraction = (drawn < 0.5).mean(axis=0)
    assert np.abs(fraction - 0.5).max() < 4 * 0.5 / np.sqrt(count)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(13)).max() < 4.5 / np.sqrt(count)


def test_noise_has_its_deviation_and_share():
    chosen = settings(noise_probability=0.5, noise_deviation=0.01)
    volumes = np.full((60, *SHAPE, 1), 0.5, np.float32)
    noise = changed(volumes, chosen=chosen) - volumes
    noisy = np.abs(noise).max(axis=(1, 2, 3, 4)) > 0
    assert 60 * 0.5 - 4 * np.sqrt(15) < noisy.sum() < 60 * 0.5 + 4 * np.sqrt(15)
    values = noise[noisy]
    assert abs(values.std() / 0.01 - 1) < 4 / np.sqrt(2 * values.size)
    assert abs(values.mean()) < 4 * 0.01 / np.sqrt(values.size)


def test_noise_is_drawn_apart_from_movements():
    volumes = np.stack([smooth()] * 40)[..., None]
    changes = [
        changed(volumes, chosen=settings(**{f"{name}_probability": 0.5})) != volumes
        for name in ("noise", "shift")
    ]
    noisy, shifted = (change.any(axis=(1, 2, 3, 4)) for change in changes)
    # All four kinds occur among 40; one is missing only once in 25 000 times.
    assert len({*zip(noisy.tolist(), shifted.tolist(), strict=True)}) == 4


def test_images_take_noise_too():
    images = np.full((8, 16, 16, 1), 0.5, np.float32)
    chosen = settings(noise_probability=1.0, noise_deviation=0.02)
    noise = changed(images, chosen=chosen) - images
    assert abs(noise.std() / 0.02 - 1) < 0.1


def test_the_same_inside_tf_data():
    volumes = np.stack([smooth(seed=s) for s in range(4)])[..., None]
    numbers = tf.data.Dataset.range(4).batch(4, drop_remainder=True)
    graph = numbers.map(
        lambda index: augment.augment(
            tf.constant(volumes),
            augment.sample_keys(7, 0, index, tf.zeros(4, tf.int64)),
            ICH,
        )[0]
    )
    np.testing.assert_array_equal(next(graph.as_numpy_iterator()), changed(volumes))
