"""Random changes of radiographs and their masks."""

import lung_augment
import numpy as np
import pytest
import tensorflow as tf

SIZE = 64


@pytest.fixture(scope="module")
def chests():
    """Bright squares on grey, one on each side, and their masks."""
    images = np.full((6, SIZE, SIZE, 1), 0.1, np.float32)
    masks = np.zeros((6, SIZE // 2, SIZE // 2, 2), np.float32)
    images[:, 16:48, 8:24], images[:, 16:48, 40:56] = 0.9, 0.9
    masks[:, 8:24, 4:12, 0], masks[:, 8:24, 20:28, 1] = 1, 1
    return tf.constant(images), tf.constant(masks)


def seed(*numbers):
    return tf.constant(numbers, tf.int64)


def test_shapes_and_ranges(chests):
    images, masks = lung_augment.augment(*chests, seed(1, 2))
    assert images.shape == (6, SIZE, SIZE, 1)
    assert masks.shape == (6, SIZE // 2, SIZE // 2, 2)
    for array in (images.numpy(), masks.numpy()):
        assert array.min() >= 0
        assert array.max() <= 1
    assert masks.numpy().sum(-1).max() <= 1 + 1e-6


def test_the_same_seed_gives_the_same_pictures_and_another_others(chests):
    first, again, other = (
        lung_augment.augment(*chests, seed(7, n))[0].numpy() for n in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01
    assert np.abs(first[0] - first[1]).mean() > 0.01  # each in its own way


def test_the_mask_follows_the_image(chests, monkeypatch):
    # Only the geometry: then an image is bright exactly where its mask says lung.
    monkeypatch.setattr(lung_augment, "_disturb", lambda images, *_: images)
    monkeypatch.setattr(lung_augment, "_expose", lambda images, *_: images)
    for number in range(8):
        images, masks = lung_augment.augment(*chests, seed(3, number))
        half = tf.nn.avg_pool2d(images, 2, 2, "VALID").numpy()[..., 0]
        lungs = masks.numpy().sum(-1)
        assert ((half > 0.5) == (lungs > 0.5)).mean() > 0.97
        assert half[lungs > 0.95].min() > 0.5
        assert half[lungs < 0.01].max() < 0.5


def test_sides_follow_from_the_place(chests):
    mirrored = 0
    for number in range(20):
        _, masks = lung_augment.augment(*chests, seed(4, number))
        columns = np.arange(SIZE // 2)[None, None, :]
        right, left = (masks.numpy()[..., side] for side in (0, 1))
        for one, two in zip(right, left, strict=True):
            if one.sum() > 10 and two.sum() > 10:
                centre = [(mask * columns).sum() / mask.sum() for mask in (one, two)]
                # A rotation of 40 degrees moves them towards each other, not further.
                assert centre[0] < centre[1]
        position = lung_augment._Position(lung_augment._Draw(seed(4, number), 6), 1.0)
        mirrored += int(position.flip.numpy().sum())
    assert mirrored > 5


def test_strength_0_changes_little_and_strength_1_much(chests):
    difference = []
    for strength in (0.0, 1.0):
        images, masks = lung_augment.augment(*chests, seed(5, 5), strength)
        difference.append(np.abs(masks.numpy() - chests[1].numpy()).mean())
        if strength == 0:
            assert np.abs(images.numpy() - chests[0].numpy()).max() < 1e-3
    assert difference[0] < 1e-6
    assert difference[1] > 0.02
