"""Thumbnails against means that are computed by hand."""

import numpy as np
import pytest

from mdmt_tf.data.sources import open_dataset
from mdmt_tf.data.thumbnails import thumbnails


def test_a_thumbnail_is_pillows_of_the_whole_image(alpha, stored_pixels):
    from PIL import Image

    found = thumbnails(alpha)
    assert found.shape == (40, 256) and found.dtype == np.float32
    for row in (0, 39):
        pixels = stored_pixels(alpha.table["image_id"][row])[..., 0] / 255
        image = Image.fromarray(pixels.astype(np.float32)).resize((16, 16), 2)
        np.testing.assert_allclose(found[row], np.ravel(image), atol=1e-5)


def test_colours_are_averaged_and_sides_may_differ(prepare, tmp_path):
    import tensorflow_datasets as tfds

    ids = {"site": "A", "patient_id": "p"}
    colours = np.array([30, 60, 120], np.uint8)
    images = [
        {"image": np.broadcast_to(colours, (*size, 3)), "image_id": name, **ids}
        for name, size in (("a", (20, 40)), ("b", (8, 70)))
    ]
    text = dict.fromkeys(("image_id", "site", "patient_id"), tfds.features.Text())
    pixels = tfds.features.Image(shape=(None, None, 3))
    prepare(tmp_path, "colour", images, features={"image": pixels, **text})
    found = thumbnails(open_dataset(tmp_path, "colour", "full_256"))
    assert found == pytest.approx(np.full((2, 256), 70 / 255), abs=1e-6)


def test_a_volume_has_8_voxels_along_each_axis(prepare, tmp_path):
    import tensorflow_datasets as tfds

    volume = np.zeros((8, 8, 8, 1), np.uint8)
    volume[7, 0, 3] = 51
    row = {"volume": volume, "image_id": "a", "patient_id": "p", "site": "A"}
    text = dict.fromkeys(("image_id", "site", "patient_id"), tfds.features.Text())
    voxels = tfds.features.Tensor(shape=volume.shape, dtype=np.uint8)
    prepare(tmp_path, "head", [row], features={"volume": voxels, **text})
    found = thumbnails(open_dataset(tmp_path, "head", "full_256"))
    assert found.shape == (1, 512)
    assert np.flatnonzero(found[0]).tolist() == [7 * 64 + 3]
    assert found.max() == pytest.approx(0.2)
