"""Pixels from memory and from disk."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.data import images as images_module
from mdmt_tf.data.images import Images, available_bytes
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import DataError


def _stored(datasets):
    return np.concatenate([dataset.table["image_id"] for dataset in datasets])


@pytest.mark.parametrize("cache", ["memory", "stream"])
def test_stored_pixels_unchanged(alpha, beta, stored_pixels, cache):
    import tensorflow as tf

    images = Images([alpha, beta], (32, 32), cache)
    assert images.cached == (cache == "memory")
    assert (len(images), images.shape, images.dtype) == (63, (32, 32, 1), np.uint8)
    assert images.offsets.tolist() == [0, 40]
    numbers = tf.constant([62, 0, 40, 39, 0], tf.int64)
    expected = [stored_pixels(_stored([alpha, beta])[n]) for n in numbers]
    np.testing.assert_array_equal(images.gather(numbers), expected)
    inside = tf.data.Dataset.from_tensors(numbers).map(images.gather)
    assert inside.element_spec.shape == (5, 32, 32, 1)
    np.testing.assert_array_equal(next(iter(inside)), expected)


def test_images_that_are_not_used_are_not_kept(alpha, beta):
    used = np.array([62, 3, 40])
    images = Images([alpha, beta], (32, 32), "memory", used=used)
    whole = Images([alpha, beta], (32, 32), "memory")
    assert (len(images), images.nbytes) == (63, 3 * 32 * 32)
    numbers = np.array([3, 62, 3, 40])
    np.testing.assert_array_equal(images.gather(numbers), whole.gather(numbers))
    for other in (0, 41):
        with pytest.raises(Exception, match="was not to be used"):
            images.gather(np.array([3, other]))


@pytest.mark.parametrize("size", [24, 50])
def test_resized_pixels_are_the_same_from_memory_and_disk(alpha, beta, size):
    import tensorflow as tf

    numbers = tf.range(63, dtype=tf.int64)
    stored = Images([alpha, beta], (32, 32)).gather(numbers)
    expected = tf.image.resize(
        tf.cast(stored, tf.float32) / 255, (size, size), antialias=True
    )
    for cache in ("memory", "stream"):
        images = Images([alpha, beta], (size, size), cache)
        assert images.dtype == np.float32
        np.testing.assert_array_equal(images.gather(numbers), expected)


def test_datasets_of_different_sizes_and_types(tmp_path, prepare, alpha, stored_pixels):
    import tensorflow as tf

    pixels = stored_pixels("w", 48, np.uint16)
    example = {"image": pixels, "image_id": "w", "patient_id": "w", "site": ""}
    prepare(tmp_path, "wide", [example])
    wide = open_dataset(tmp_path, "wide", "full_256")
    numbers = tf.constant([0, 40], tf.int64)
    for cache in ("memory", "stream"):
        images = Images([alpha, wide], (32, 32), cache)
        result = images.gather(numbers).numpy()
        assert result.dtype == np.float32
        first = stored_pixels(alpha.table["image_id"][0])
        np.testing.assert_array_equal(result[0], np.float32(first) / np.float32(255))
        second = np.float32(pixels) / np.float32(65535)
        second = tf.image.resize(second, (32, 32), antialias=True)
        np.testing.assert_array_equal(result[1], second)
        assert images.stored(40).dtype == np.uint16
        np.testing.assert_array_equal(images.stored(40), pixels)


@pytest.mark.parametrize(
    "available, cached", [(2 * 40 * 32 * 32, False), (2 * 40 * 32 * 32 + 1, True)]
)
def test_memory_is_taken_up_to_half_of_what_is_free(alpha, available, cached):
    images = Images([alpha], (32, 32), "auto", available=available)
    assert images.nbytes == 40 * 32 * 32
    assert images.cached == cached


def test_available_bytes_respects_the_limit_of_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(images_module, "_CONTROL_GROUP", tmp_path)
    free = available_bytes()
    assert free > 1e6
    (tmp_path / "memory.current").write_text("200\n")
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 150\ninactive_file 50\n")
    assert available_bytes() == 850
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes() > 1e6


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"image_shape": (32, 32, 3)},
            r"the same number of channels .*'alpha': 3, 'beta': 1",
        ),
        (
            {"image_shape": (8, 32, 32, 1), "image_key": "volume"},
            r"'alpha': image_size = \[32, 32\] is for images \(height, .*Received: vol",
        ),
        ({"image_dtype": np.dtype("bool")}, "'alpha': expected pixels of an integer"),
    ],
)
def test_images_that_do_not_fit(alpha, beta, changes, message):
    with pytest.raises(DataError, match=message):
        Images([dataclasses.replace(alpha, **changes), beta], (32, 32))
