"""Random augmentation: frequencies, amounts, and independence of anything else."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy import ndimage

from mdmt_tf.data.augment import warp
from mdmt_tf.data.augment.images import (
    apply_changes,
    augment,
    draw_changes,
    sample_keys,
)
from mdmt_tf.data.augment.settings import Augmentation

NONE = Augmentation(
    shift_probability=0,
    zoom_probability=0,
    flip_probability=0,
    rotation_probability=0,
    elastic_probability=0,
)
ALL = Augmentation(
    shift_probability=1,
    zoom_probability=1,
    flip_probability=1,
    rotation_probability=1,
    elastic_probability=1,
)


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(0).uniform(size=(12, 48, 48, 1))
    return ndimage.gaussian_filter(noise, (0, 1, 1, 0)).astype(np.float32)


@functools.cache
def draw(n, settings, seed=1, epoch=2):
    import tensorflow as tf

    @tf.function
    def all_of_them():
        index = tf.range(n, dtype=tf.int64)
        keys = sample_keys(seed, epoch, index, tf.zeros_like(index))
        return draw_changes(keys, settings)

    return {name: value.numpy() for name, value in all_of_them()._asdict().items()}


def run(images, numbers=None, settings=None, seed=1, epoch=2, repeat=None):
    import tensorflow as tf

    if numbers is None:
        numbers = range(len(images))
    numbers = tf.constant(list(numbers), tf.int64)
    repeat = tf.zeros_like(numbers) if repeat is None else tf.constant(repeat, tf.int64)
    settings = settings or Augmentation(elastic_alpha=(200, 400))
    pixels = tf.constant(images)
    keys = sample_keys(seed, epoch, numbers, repeat)
    return augment(pixels, keys, settings)[0].numpy()


def test_probability_0_changes_no_bit(images):
    np.testing.assert_array_equal(run(images, settings=NONE), images)


def was_drawn(changes):
    return {
        "shift": (changes["shift"] != 0).any(axis=1),
        "zoom": changes["zoom"] != 1,
        "flip": changes["flip"],
        "rotation": changes["degrees"] != 0,
        "elastic": changes["alpha"] > 0,
    }


def test_each_change_has_its_own_probability():
    n, probabilities = 4000, {}
    for number, name in enumerate(was_drawn(draw(1, NONE))):
        probabilities[name] = 0.1 + 0.2 * number
    settings = Augmentation(
        **{f"{name}_probability": p for name, p in probabilities.items()}
    )
    drawn = was_drawn(draw(n, settings))
    for name, p in probabilities.items():
        # Four standard deviations of a binomial fraction.
        assert abs(drawn[name].mean() - p) < 4 * np.sqrt(p * (1 - p) / n), name
    names = list(drawn)
    for first in names:
        for second in names[names.index(first) + 1 :]:
            p = probabilities[first] * probabilities[second]
            both = (drawn[first] & drawn[second]).mean()
            assert abs(both - p) < 4 * np.sqrt(p * (1 - p) / n), (first, second)


def test_default_probability_is_three_tenths():
    for name, drawn in was_drawn(draw(4000, Augmentation())).items():
        assert abs(drawn.mean() - 0.3) < 4 * np.sqrt(0.21 / 4000), name


@pytest.mark.parametrize(
    "name, low, high",
    [("shift", -0.1, 0.1), ("zoom", 0.9, 1.1), ("degrees", -15, 15), ("alpha", 20, 40)],
)
def test_values_are_uniform_in_their_range(name, low, high):
    values = draw(4000, ALL)[name]
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6
    for column in values.reshape(4000, -1).T:
        fractions = np.histogram(column, 4, (low - 1e-6, high + 1e-6))[0] / 4000
        np.testing.assert_allclose(fractions, 0.25, atol=4 * np.sqrt(0.1875 / 4000))


def test_vertical_and_horizontal_shift_are_independent():
    shift = draw(4000, ALL)["shift"]
    assert abs(np.corrcoef(shift.T)[0, 1]) < 4 / np.sqrt(4000)


def test_flip_alone_mirrors(images):
    settings = dataclasses.replace(NONE, flip_probability=1)
    result = run(images, settings=settings)
    np.testing.assert_allclose(result, images[:, :, ::-1], atol=1e-6)


@pytest.mark.parametrize("settings", [NONE, ALL, Augmentation()])
def test_same_inside_tf_data(images, settings):
    import tensorflow as tf

    def change(pixels, numbers):
        keys = sample_keys(1, 2, numbers, tf.zeros_like(numbers))
        return augment(pixels, keys, settings)[0]

    inside = tf.data.Dataset.from_tensors((images, tf.range(12, dtype=tf.int64)))
    inside = inside.map(change)
    assert inside.element_spec.shape == (12, 48, 48, 1)
    np.testing.assert_allclose(
        next(iter(inside)), run(images, settings=settings), atol=1e-6
    )


def test_a_sample_does_not_depend_on_the_rest_of_the_batch(images):
    everything = run(images)
    order = [7, 2, 11, 0, 5]
    np.testing.assert_array_equal(run(images[order], order), everything[order])
    for number in (0, 4, 9):
        alone = run(images[number : number + 1], [number])
        np.testing.assert_array_equal(alone[0], everything[number])


def test_seed_epoch_sample_and_repeat_all_matter(images):
    same = np.repeat(images[:1], 8, axis=0)
    base = run(same, settings=ALL)
    np.testing.assert_array_equal(run(same, settings=ALL), base)
    for n in range(8):
        for m in range(n):
            assert (base[n] != base[m]).any()
    for change in ({"seed": 2}, {"epoch": 3}, {"repeat": [1] * 8}):
        assert (run(same, settings=ALL, **change) != base).any(axis=(1, 2, 3)).all()


def test_seed_and_epoch_are_not_exchangeable():
    first, second = draw(4, ALL, seed=1, epoch=2), draw(4, ALL, seed=2, epoch=1)
    assert (first["zoom"] != second["zoom"]).all()


def test_all_changes_in_one_resampling(images):
    import tensorflow as tf

    index = tf.range(12, dtype=tf.int64)
    changes = draw_changes(sample_keys(1, 2, index, tf.zeros_like(index)), ALL)
    result = apply_changes(tf.constant(images), changes, 7.0).numpy()
    maps = warp.affine_map(
        changes.shift, changes.zoom, changes.degrees, changes.flip, 48
    ).numpy()
    field = warp.elastic_displacement(
        changes.noise_seed, changes.alpha, 48, 7.0
    ).numpy()
    for n in range(12):
        y, x = np.indices((48, 48)) + field[n]
        a, b, c, d, e, f = maps[n]
        places = [d * x + e * y + f, a * x + b * y + c]
        expected = ndimage.map_coordinates(
            images[n, ..., 0], places, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(result[n, ..., 0], expected, atol=1e-4)


def test_images_with_and_without_elastic_deformation_keep_their_places(images):
    settings = Augmentation(elastic_probability=0.5)
    drawn = was_drawn(draw(12, settings))["elastic"]
    assert 0 < drawn.sum() < 12
    constant = (
        np.ones((12, 48, 48, 1), np.float32) * np.arange(1, 13)[:, None, None, None]
    )
    result = run(constant.astype(np.float32), settings=settings)
    np.testing.assert_allclose(result[:, 24, 24, 0], np.arange(1, 13), rtol=1e-5)
