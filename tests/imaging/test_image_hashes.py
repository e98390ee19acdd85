"""Hashes of prepared images in `hashes.csv`."""

import csv
import re

import cv2
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import image_hashes
from mdmt_tf.imaging.prepared import prepare_file, prepare_image
from mdmt_tf.imaging.volume import PreparedVolume


@pytest.fixture(scope="module")
def grey():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (6, 7), np.uint8), (40, 30))


def hash_of(grey, size=16):
    image = grey.astype(np.float32) / np.float32(255)
    return image_hashes.hash_image("p", prepare_image(image, f"full_{size}"))


def test_equal_pictures_have_one_digest_in_any_file_and_at_any_size(grey, tmp_path):
    found = [hash_of(grey), hash_of(grey, 32)]
    for name in ("a.png", "b.tif"):
        cv2.imwrite(str(tmp_path / name), grey)
        made = prepare_file(tmp_path / name, "full_16")
        found.append(image_hashes.hash_image("p", made))
    assert len({one.sha256 for one in found}) == 1
    changed = grey.copy()
    changed[0, 0] ^= 1
    assert hash_of(changed).sha256 != found[0].sha256


def test_the_hash_of_the_mirrored_picture_is_that_of_its_mirror_image(grey):
    one, other = hash_of(grey), hash_of(np.ascontiguousarray(grey[:, ::-1]))
    assert one.phash_mirrored == other.phash != one.phash
    assert other.phash_mirrored == one.phash


def hash_of_flat_volume():
    voxels, eye = np.full((6, 7, 8, 1), 7, np.int16), np.eye(4)
    return image_hashes.hash_image("p", PreparedVolume(voxels, eye, (6, 7, 8), eye))


def test_a_picture_of_one_grey_value_has_no_perceptual_hash():
    found = hash_of_flat_volume()
    assert (found.phash, found.phash_mirrored) == ("", "")
    assert len(found.sha256) == 64


def test_a_volume_has_the_digest_of_its_voxels():
    voxels = np.random.default_rng(1).integers(0, 32768, (6, 7, 8, 1), np.int16)
    eye = np.eye(4)

    def hashed(pixels):
        made = PreparedVolume(pixels, eye, (6, 7, 8), eye)
        return image_hashes.hash_image("p", made)

    one, other = voxels.copy(), voxels.copy()
    # The perceptual hash is of four slices, the digest of all.
    other[0, 0, 0, 0] ^= 1
    assert hashed(voxels) == hashed(one)
    assert hashed(other).sha256 != hashed(voxels).sha256
    assert hashed(other).phash == hashed(voxels).phash


def test_the_table_is_read_as_it_was_written(grey, tmp_path):
    hashes = {"a,1": hash_of(grey), "b": hash_of_flat_volume()}
    image_hashes.write(hashes, tmp_path)
    assert image_hashes.read(tmp_path) == hashes
    with (tmp_path / "hashes.csv").open(newline="") as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == ["a,1", "b"]


def test_datasets_of_earlier_versions_have_no_table(tmp_path):
    assert image_hashes.read(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("phash,", "hash,"), "expected the columns image_id"),
        (lambda text: text[:-20], "line 2: not hashes of an image"),
        (lambda text: text + "c,p\n", "line 3: expected 5 values. Received: 2"),
        (lambda text: text.replace("a,p,", "a,p,z"), "line 2: not hashes of an image"),
        (lambda text: "", "expected the columns"),
    ],
)
def test_a_damaged_table_is_named(grey, tmp_path, change, message):
    image_hashes.write({"a": hash_of(grey)}, tmp_path)
    path = tmp_path / "hashes.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        image_hashes.read(tmp_path)
    assert str(path) in str(caught.value)
    assert "--overwrite" in str(caught.value)
