"""The box around the lungs: by arithmetic, at every border, and without lungs."""

import itertools

import numpy as np
import pytest

from mdmt_tf.imaging.crop import implausible, lung_box, smallest_box, whole_box


def chest(shape, y0, x0, y1, x1):
    """Two lungs that fill the box (y0, x0, y1, x1), with a fifth of it between them."""
    mask = np.zeros(shape, np.uint8)
    width = (x1 - x0) * 2 // 5
    mask[y0:y1, x0 : x0 + width] = 1
    mask[y0:y1, x1 - width : x1] = 2
    return mask


def test_in_the_middle():
    # 40 high and 50 wide: a side of 55 about row 50 and column 60.
    assert lung_box(chest((100, 120), 30, 35, 70, 85)) == ((22, 32, 77, 87), "lungs")


def test_high_lungs_grow_sideways():
    # 60 high, 40 wide: a side of 66 about (50, 60).
    assert lung_box(chest((100, 120), 20, 40, 80, 80)) == ((17, 27, 83, 93), "lungs")


@pytest.mark.parametrize(
    "place, expected",
    [
        ((0, 35, 40, 85), (0, 32, 55, 87)),  # at the top
        ((60, 35, 100, 85), (45, 32, 100, 87)),  # at the bottom
        ((30, 0, 70, 50), (22, 0, 77, 55)),  # at the left
        ((30, 70, 70, 120), (22, 65, 77, 120)),  # at the right
        ((0, 0, 40, 50), (0, 0, 55, 55)),
        ((0, 70, 40, 120), (0, 65, 55, 120)),
        ((60, 0, 100, 50), (45, 0, 100, 55)),
        ((60, 70, 100, 120), (45, 65, 100, 120)),
    ],
)
def test_at_a_border_the_square_is_shifted_into_the_image(place, expected):
    assert lung_box(chest((100, 120), *place)) == (expected, "lungs")


def test_a_square_longer_than_the_image_is_cut_by_its_border():
    # 95 wide, so 104.5, rounded up 105: more than the 100 rows.
    box, source = lung_box(chest((100, 120), 10, 10, 90, 105))
    assert (box, source) == ((0, 5, 100, 110), "lungs")
    assert lung_box(chest((50, 60), 0, 0, 50, 60))[0] == (0, 0, 50, 60)


@pytest.mark.parametrize("side", [50, 59, 60, 100, 101, 130])
def test_ten_percent_exactly(side):
    (y0, x0, y1, x1), _ = lung_box(chest((200, 200), 40, 40, 40 + side, 40 + side))
    assert (y1 - y0, x1 - x0) == (-(-side * 11 // 10),) * 2  # rounded up


def test_no_lung_is_ever_cut_and_the_box_is_in_the_image():
    rng = np.random.default_rng(0)
    squares = 0
    for _ in range(500):
        height, width = rng.integers(30, 200, 2)
        y0, x0 = rng.integers(0, (height // 2, width // 2))
        y1 = rng.integers(y0 + height // 3, height + 1)
        x1 = rng.integers(x0 + width // 3, width + 1)
        mask = chest((height, width), y0, x0, y1, x1)
        box, source = lung_box(mask)
        if source != "lungs":
            continue
        assert 0 <= box[0] <= y0 and 0 <= box[1] <= x0
        assert y1 <= box[2] <= height and x1 <= box[3] <= width
        assert all(isinstance(edge, int) for edge in box)
        sides = box[2] - box[0], box[3] - box[1]
        wanted = np.ceil(1.1 * max(y1 - y0, x1 - x0) - 1e-9)
        assert sides == (min(wanted, height), min(wanted, width))
        squares += sides[0] == sides[1]
    assert squares > 100


def test_mirrored_and_turned_masks_give_mirrored_and_turned_boxes():
    mask = chest((101, 141), 30, 40, 81, 91)  # 51 by 51: a side of 57 (56.1)
    (y0, x0, y1, x1), _ = lung_box(mask)
    assert (y1 - y0, x1 - x0) == (57, 57)
    turned, _ = lung_box(np.ascontiguousarray(mask.T))
    assert turned == (x0, y0, x1, y1)
    (a0, b0, a1, b1), _ = lung_box(np.ascontiguousarray(mask[::-1, ::-1]))
    # A side that cannot lie evenly about the centre goes one pixel to the top left.
    for mirrored, (low, high), length in (
        ((a0, a1), (y0, y1), 101),
        ((b0, b1), (x0, x1), 141),
    ):
        assert mirrored[0] - (length - high) in (-1, 0)
        assert mirrored[1] - (length - low) in (-1, 0)


@pytest.mark.parametrize(
    "mask, reason",
    [
        (np.zeros((100, 80), np.uint8), "no lungs"),
        (chest((100, 100), 40, 40, 60, 60), "tiny lungs"),  # 320 of 10000 pixels
        (np.where(chest((100, 100), 10, 10, 90, 90) == 1, 1, 0), "one lung"),
        (np.where(chest((100, 100), 10, 10, 90, 90) == 2, 2, 0), "one lung"),
        (chest((100, 100), 40, 5, 60, 95), "absurd aspect"),
        (chest((100, 100), 5, 40, 95, 60), "absurd aspect"),
    ],
)
def test_where_there_is_no_chest_the_whole_image_is_kept_and_says_so(mask, reason):
    mask = mask.astype(np.uint8)
    assert implausible(mask) == reason
    assert lung_box(mask) == (whole_box(mask.shape), f"whole: {reason}")


def test_limits_of_the_implausible():
    small = np.zeros((100, 100), np.uint8)
    small[40:65, 40:50], small[40:65, 55:65] = 1, 2  # 500 pixels, 5 %
    assert implausible(small) is None
    small[64, 40] = 0
    assert implausible(small) == "tiny lungs"
    uneven = np.zeros((100, 100), np.uint8)
    uneven[20:60, 20:40], uneven[20:40, 50:60] = 1, 2  # 800 to 200
    assert implausible(uneven) is None
    uneven[20, 50] = 0
    assert implausible(uneven) == "one lung"


def test_the_smallest_box():
    for y, x in itertools.product((0, 3, 6), (0, 2, 4)):
        mask = np.zeros((7, 5), np.uint8)
        mask[y, x] = 2
        assert smallest_box(mask) == (y, x, y + 1, x + 1)
