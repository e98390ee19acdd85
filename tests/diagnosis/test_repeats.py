"""Planted duplicates are found; different images are not."""

import dataclasses

import cv2
import numpy as np
import pytest
from made_material import made_dataset, made_images, made_material

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING
from mdmt_tf.diagnosis.repeats import ALIKE, COPY, IDENTICAL, find_repeats

N = 30


def jpeg(image):
    """An image, re-encoded and darker."""
    grey = np.round(200 * image[..., 0]).astype(np.uint8)
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)[..., np.newaxis] / np.float32(255)


def cropped(image):
    """Without 12 of 256 columns."""
    grey = cv2.resize(image[:, 12:, 0], (256, 256), interpolation=cv2.INTER_LINEAR)
    return grey[..., np.newaxis]


@pytest.fixture(scope="module")
def images():
    return made_images(N, side=256)


def repeats_of(images, labels=None, patients=None):
    labels = np.zeros(N, int) if labels is None else labels
    dataset = made_dataset(labels, images=images, patients=patients)
    return find_repeats(made_material(dataset))


def test_different_images_are_no_repeats(images):
    assert repeats_of(images) == ([], [])


def test_repeats_across_patients_are_serious(images):
    planted = images.copy()
    planted[11] = images[1]
    planted[12] = jpeg(images[2])
    planted[13] = jpeg(images[3][:, ::-1])
    planted[14] = cropped(images[4])
    repeats, findings = repeats_of(planted)
    found = {(r.first.image_id, r.second.image_id): r for r in repeats}
    expected = [(f"ward{i:04d}", f"ward{i + 10:04d}") for i in (1, 2, 3, 4)]
    assert set(found) == set(expected)
    kinds = [found[pair].kind for pair in expected]
    assert kinds[:3] == [IDENTICAL, COPY, COPY] and kinds[3] in (COPY, ALIKE)
    assert [found[pair].mirrored for pair in expected] == [False, False, True, False]
    assert findings[0].level == SERIOUS
    assert findings[0].kind == "repeats_across_patients"
    assert "1 mirrored" in findings[0].text


def test_a_pair_leaks_where_one_is_trained_and_the_other_judged(images):
    planted = images.copy()
    planted[11], planted[12] = images[1], images[7]
    repeats, (finding,) = repeats_of(planted)
    assert "By luck, no pair is parted by any of 5 folds." in finding.text
    # Patient p is tested in fold p % 5 and validates in the one before. 1 and 11 are
    # always together. 7 and 12 are, too.
    assert [r.leaking_folds for r in repeats] == [0, 0]
    planted = images.copy()
    planted[12] = images[1]
    ((repeat,), (finding,)) = repeats_of(planted)
    # 1 is judged in folds 1 and 0, 12 in folds 2 and 1: folds 0 and 2 leak.
    assert repeat.leaking_folds == 2
    assert "1 of them leak: in at least one of 5 folds" in finding.text


def test_repeats_within_a_patient_are_a_note(images):
    planted = images.copy()
    planted[1] = images[0]
    patients = np.arange(N) // 2
    (repeat,), (finding,) = repeats_of(planted, patients=patients)
    assert repeat.same_patient and repeat.leaking_folds == 0
    assert (finding.level, finding.kind) == (NOTE, "repeats_within_patients")
    assert finding.text == (
        "1 pair of images is the same within a patient: ward/ward0000 = ward/ward0001."
    )


def test_equal_images_with_different_labels_are_a_warning(images):
    planted = images.copy()
    planted[1] = images[0]
    labels = np.arange(N) % 2
    _, findings = repeats_of(planted, labels=labels, patients=np.arange(N) // 2)
    assert [f.level for f in findings] == [NOTE, WARNING]
    unknown = np.where(np.arange(N) == 1, -1, labels)
    (repeat,), _ = repeats_of(planted, labels=unknown, patients=np.arange(N) // 2)
    assert not repeat.labels_differ


def test_repeats_across_datasets_are_found(images):
    one = made_dataset(np.arange(N) % 2, name="one", images=images)
    other = made_images(N, seed=9, side=256)
    other[3] = images[5]
    two = made_dataset(np.arange(N) % 2, name="two", images=other)
    (repeat,), _ = find_repeats(made_material(one, two))
    assert str(repeat.first) == "one/one0005" and str(repeat.second) == "two/two0003"
    assert not repeat.same_patient


def test_constant_images_are_not_compared(images):
    planted = images.copy()
    planted[3:6] = 0.5
    assert repeats_of(planted) == ([], [])


def test_equal_originals_are_identical_in_any_crop(images):
    """`prepare` stores a digest of the original; "" stands for none."""
    dataset = made_dataset(np.zeros(N, int), images=images)
    digests = ["" for _ in range(N)]
    digests[3] = digests[8] = "e5"
    dataset = dataclasses.replace(dataset, digests=tuple(digests))
    (repeat,), (finding,) = find_repeats(made_material(dataset))
    assert repeat.rows == (3, 8)
    assert (repeat.kind, repeat.similarity) == (IDENTICAL, 1.0)
    assert finding.level == SERIOUS
