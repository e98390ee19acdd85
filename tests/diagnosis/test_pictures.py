"""What is kept of each image."""

import numpy as np

from mdmt_tf.diagnosis.pictures import describe


def test_a_picture_is_described_by_coarse_copies():
    image = np.zeros((32, 32, 1), np.float32)
    image[:16] = 1.0
    found = describe([np.stack([image, 0 * image])])
    assert len(found) == 2
    assert found.thumbnails[0].reshape(16, 16)[:, 0].tolist() == [1.0] * 8 + [0.0] * 8
    # The ring of 32 x 32: top, bottom, left and right without the corners.
    assert found.borders.shape == (2, 124)
    assert found.borders[0].sum() == 32 + 0 + 15 + 15
    np.testing.assert_allclose(found.grey, [[0.5, 0.5], [0, 0]])
    assert found.constant.tolist() == [False, True]
    assert found.compared.shape == (2, 128, 128)


def test_equal_pixels_have_equal_digests():
    images = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
    images[2] = images[0]
    digests = describe(iter([images[:2], images[2:]])).digests
    assert digests[0] == digests[2] != digests[1]
    images[2, 0, 0] += 1e-4
    assert describe([images]).digests[2] != digests[0]


def test_a_volume_is_four_slices_and_has_no_marks():
    volume = np.zeros((1, 8, 16, 16, 1), np.float32)
    volume[0, 5] = 1.0  # one of the slices 1, 3, 5, 7
    found = describe([volume])
    assert found.grey[0, 0] == 0.25
    assert not found.marks.any() and found.hashes.shape == (1, 32)
