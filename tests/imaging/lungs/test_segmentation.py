"""Masks of lungs, for synthetic chests with known lungs and for images of no chest."""

import dataclasses

import cv2
import numpy as np
import pytest

from mdmt_tf.imaging.lungs import segment_lungs
from mdmt_tf.imaging.lungs.segmentation import to_mask
from mdmt_tf.phantoms.chest import radiograph
from mdmt_tf.phantoms.chest.detector import HOSPITALS


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def chests():
    """Two radiographs of each hospital, with draws that the training did not use."""
    drawn = []
    for number, appearance in enumerate([*HOSPITALS.values()] * 2):
        rng = np.random.default_rng([2026, number])
        grades = rng.integers(0, 3, 6).tolist()
        drawn.append(radiograph.render(rng, grades, appearance=appearance, matrix=300))
    return drawn


def check(found, chests, mean, lowest):
    """Both lungs are found, each at its side."""
    scores = []
    for mask, chest in zip(found, chests, strict=True):
        assert (mask.shape, mask.dtype) == (chest.lungs.shape, np.uint8)
        for lung in (1, 2):
            score = dice(mask == lung, chest.lungs == lung)
            assert score > dice(mask == lung, chest.lungs == 3 - lung)
            scores.append(score)
    assert np.mean(scores) > mean
    assert min(scores) > lowest


def test_lungs_are_found(chests):
    check(segment_lungs([c.pixels for c in chests]), chests, 0.93, 0.85)


def test_in_the_negative(chests):
    check(segment_lungs([1 - c.pixels for c in chests]), chests, 0.90, 0.7)


@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_turned(chests, degrees):
    turned = []
    for chest in chests:
        height, width = chest.lungs.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.9)
        pixels = cv2.warpAffine(chest.pixels, matrix, (width, height))
        lungs = cv2.warpAffine(
            chest.lungs, matrix, (width, height), flags=cv2.INTER_NEAREST
        )
        turned.append(dataclasses.replace(chest, pixels=pixels, lungs=lungs))
    check(segment_lungs([c.pixels for c in turned]), turned, 0.90, 0.7)


def test_the_lung_at_the_left_of_the_image_is_the_right_one_in_a_mirror_too(chests):
    mirrored = []
    for chest in chests:
        lungs = np.array([0, 2, 1], np.uint8)[chest.lungs[:, ::-1]]
        pixels = np.ascontiguousarray(chest.pixels[:, ::-1])
        mirrored.append(dataclasses.replace(chest, pixels=pixels, lungs=lungs))
    check(segment_lungs([c.pixels for c in mirrored]), mirrored, 0.90, 0.7)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.rint(x * 4095).astype(np.uint16),
        lambda x: np.rint(x * 4095).astype(np.int16) - 1024,
        lambda x: (x * 1e6).astype(np.float64),
        lambda x: np.rint(x * 255).astype(np.uint8),
    ],
)
def test_the_range_of_the_grey_values_does_not_matter(chests, change):
    image = np.clip(chests[0].pixels, 0, 1)
    (expected,), (found,) = segment_lungs([image]), segment_lungs([change(image)])
    assert dice(found > 0, expected > 0) > 0.99


def test_masks_have_the_sizes_of_their_images(chests):
    base = np.clip(chests[0].pixels, 0, 1)
    sizes = [(64, 48), (1500, 1100), (256, 256), (200, 600), (900, 200)]
    images = [cv2.resize(base, size[::-1]) for size in sizes]
    masks = segment_lungs(images)
    assert [mask.shape for mask in masks] == sizes
    truth = chests[0].lungs
    for mask in masks[:3]:
        drawn = cv2.resize(truth, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
        assert dice(mask > 0, drawn > 0) > 0.85


def test_company_and_order_do_not_matter(chests):
    images = [chest.pixels for chest in chests][:11]
    together = segment_lungs(images)
    for image, mask in zip(images[::-1], together[::-1], strict=True):
        (alone,) = segment_lungs([image])
        assert dice(alone > 0, mask > 0) > 0.999


def test_nothing_to_segment():
    assert segment_lungs([]) == []


@pytest.mark.parametrize("value", [0, 7.5, np.nan, np.inf, -np.inf])
def test_an_image_without_contrast_has_no_lungs(value):
    (mask,) = segment_lungs([np.full((40, 50), value)])
    assert (mask.shape, mask.dtype, mask.any()) == ((40, 50), np.uint8, False)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 300), (300, 1), (2, 2), (8, 8), (1, 40_000), (40_000, 3)]
)
def test_strange_shapes(shape):
    image = np.random.default_rng(0).random(shape)
    (mask,) = segment_lungs([image])
    assert (mask.shape, mask.dtype) == (shape, np.uint8)
    assert mask.max() <= 2


def test_pixels_that_are_not_finite_do_not_spoil_the_rest(chests):
    image = chests[0].pixels.copy()
    (expected,) = segment_lungs([image])
    image[:8, :8] = np.nan
    image[-8:, -8:] = np.inf
    (found,) = segment_lungs([image])
    assert dice(found > 0, expected > 0) > 0.98


def test_a_huge_image(chests):
    image = cv2.resize(np.clip(chests[0].pixels, 0, 1), (5000, 6000))
    (mask,) = segment_lungs([np.rint(image * 65535).astype(np.uint16)])
    drawn = cv2.resize(chests[0].lungs, (5000, 6000), interpolation=cv2.INTER_NEAREST)
    assert dice(mask > 0, drawn > 0) > 0.85


@pytest.mark.parametrize(
    "image, received",
    [
        (np.zeros((3, 4, 3)), r"an array of shape \(3, 4, 3\) and type float64"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.zeros((3, 3), complex), "type complex128"),
        (np.full((3, 3), "a"), "type <U1"),
        ([[1, 2], [3, 4]], "received list"),
    ],
)
def test_what_is_no_image_is_refused_with_its_number(image, received):
    with pytest.raises(ValueError, match=received) as error:
        segment_lungs([np.zeros((4, 4)), image])
    assert str(error.value).startswith("images[1]: expected an array (height, width)")


# From the network's output to a mask.


def answer(labels):
    """Logits (h, w, 3) that are highest at `labels`."""
    return 10 * np.eye(3, dtype=np.float32)[labels]


@pytest.fixture
def labels():
    labels = np.zeros((64, 64), np.uint8)
    labels[10:50, 5:25], labels[10:50, 40:60] = 1, 2
    return labels


def test_an_answer_at_its_own_size_is_taken_as_it_is(labels):
    np.testing.assert_array_equal(to_mask(answer(labels), (64, 64)), labels)


def test_swapped_lungs_change_their_names(labels):
    swapped = np.array([0, 2, 1], np.uint8)[labels]
    np.testing.assert_array_equal(to_mask(answer(swapped), (64, 64)), labels)


def test_one_lung_keeps_its_name_wherever_it_is(labels):
    left_only = np.where(labels == 1, 2, 0).astype(np.uint8)
    np.testing.assert_array_equal(to_mask(answer(left_only), (64, 64)), left_only)


def test_small_pieces_are_removed_and_holes_filled(labels):
    spoilt = labels.copy()
    spoilt[55:60, 5:15] = 1
    spoilt[0:4, 50:60] = 2
    spoilt[0:3, 5:9] = 2  # in the other half
    spoilt[20:24, 10:14] = 0
    spoilt[30:33, 45:48] = 1
    np.testing.assert_array_equal(to_mask(answer(spoilt), (64, 64)), labels)


def test_an_answer_is_enlarged_smoothly(labels):
    mask = to_mask(answer(labels), (640, 320))
    np.testing.assert_array_equal(np.unique(mask), [0, 1, 2])
    for lung, (y0, x0, y1, x1) in {1: (10, 5, 50, 25), 2: (10, 40, 50, 60)}.items():
        rows, columns = np.nonzero(mask == lung)
        box = rows.min() / 10, columns.min() / 5, (rows.max() + 1) / 10
        np.testing.assert_allclose(box, (y0, x0, y1), atol=0.3)
        np.testing.assert_allclose((columns.max() + 1) / 5, x1, atol=0.3)


def test_no_answer_is_an_empty_mask():
    assert not to_mask(answer(np.zeros((64, 64), np.uint8)), (30, 50)).any()
