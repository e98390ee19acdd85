"""Perceptual hashes, near pairs, and the comparison of details."""

import cv2
import numpy as np
import pytest
from made_material import made_images

from mdmt_tf.imaging.similarity import (
    ALIKE,
    MOST_BITS,
    SAME,
    compared_copy,
    near_pairs,
    perceptual_hash,
    similarity,
)


@pytest.fixture(scope="module")
def pictures():
    return [
        np.round(255 * p[..., 0]).astype(np.uint8) for p in made_images(12, side=256)
    ]


def bits(a, b):
    return int(np.unpackbits(a ^ b).sum())


def alterations(picture):
    """Copies of a picture: name, picture."""
    h, w = picture.shape
    yield "brighter", np.clip(picture.astype(float) * 0.7 + 60, 0, 255).astype(np.uint8)
    yield "gamma", (255 * (picture / 255) ** 1.4).astype(np.uint8)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])
    yield "jpeg", cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    yield "smaller", cv2.resize(picture, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
    cut = picture[h // 32 :, : w - w // 40]
    yield "cropped", cv2.resize(cut, (w, h), interpolation=cv2.INTER_LINEAR)


def test_the_hash_has_the_signs_of_low_frequencies():
    """One wave along an axis is one coefficient of the transform."""
    x = np.arange(64)
    for frequency in (1, 5, 15):
        wave = np.cos(np.pi * frequency * (x + 0.5) / 64)
        picture = np.tile(wave, (64, 1)).astype(np.float32)
        found = np.unpackbits(perceptual_hash(picture))[:255]
        # Coefficient (0, frequency) is number `frequency`, and the first is left out.
        assert found[frequency - 1] == 1
        opposite = np.unpackbits(perceptual_hash(-picture))[:255]
        assert opposite[frequency - 1] == 0


def test_copies_are_candidates_and_similar(pictures):
    for picture in pictures[:4]:
        for name, copy in alterations(picture):
            distance = bits(perceptual_hash(picture), perceptual_hash(copy))
            value = similarity(compared_copy(picture), compared_copy(copy))
            assert distance <= MOST_BITS, name
            assert value >= (ALIKE if name == "cropped" else 0.9), name


def test_different_pictures_are_not_similar(pictures):
    copies = [compared_copy(picture) for picture in pictures]
    for i, first in enumerate(copies):
        assert similarity(first, first) > SAME
        assert all(similarity(first, other) < 0.5 for other in copies[:i])


def test_pictures_without_details():
    flat, other = np.full((128, 128), 7, np.uint8), np.full((128, 128), 9, np.uint8)
    assert similarity(flat, flat.copy()) == 1.0
    assert similarity(flat, other) == 0.0
    assert similarity(flat, np.eye(128, dtype=np.uint8)) == 0.0


def test_near_pairs_are_those_of_a_plain_count():
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 256, (40, 32), dtype=np.uint8)
    hashes[7] = hashes[3]
    hashes[9] = hashes[3] ^ np.eye(32, dtype=np.uint8)[0]  # one bit
    expected = {
        (i, j): bits(hashes[i], hashes[j])
        for i in range(40)
        for j in range(i + 1, 40)
        if bits(hashes[i], hashes[j]) <= 110
    }
    pairs, distances = near_pairs(hashes, most_bits=110, most_per_row=40)
    assert dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True)) == (
        expected
    )
    assert expected[3, 7] == 0 and expected[3, 9] == 1 and len(expected) > 3


def test_many_equal_pictures_make_few_pairs():
    pairs, distances = near_pairs(np.zeros((50, 32), np.uint8), most_per_row=2)
    assert len(pairs) == 2 * 48 + 1 and not distances.any()


def test_mirrored_pictures_are_found(pictures):
    hashes = np.array([perceptual_hash(p) for p in [*pictures, pictures[5][:, ::-1]]])
    mirrored = np.array(
        [perceptual_hash(p[:, ::-1]) for p in [*pictures, pictures[5][:, ::-1]]]
    )
    assert (5, 12) not in map(tuple, near_pairs(hashes)[0].tolist())
    pairs, distances = near_pairs(hashes, mirrored)
    place = pairs.tolist().index([5, 12])
    assert distances[place] == 0
