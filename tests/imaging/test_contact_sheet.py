"""What a contact sheet shows, pixel by pixel."""

import cv2
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import contact_sheet
from mdmt_tf.imaging.prepared import PreparedImage
from mdmt_tf.imaging.volume import FULL_SCALE, PreparedVolume


@pytest.fixture
def mask():
    mask = np.zeros((128, 64), np.uint8)
    mask[40:80, 10:25], mask[40:80, 40:55] = 1, 2
    return mask


def colours(picture):
    """The colours of a picture that are not grey."""
    pixels = picture.reshape(-1, 3)
    return {tuple(map(int, p)) for p in pixels if len(set(p.tolist())) > 1}


def test_outlines_box_and_crop(mask):
    grey = np.full((128, 64), 0.25, np.float32)
    crop = np.full((32, 32), 200, np.uint8)
    image = PreparedImage(grey, mask, (20, 5, 100, 60), "lungs", crop)
    tile = contact_sheet.tile(image, "a1: lungs")
    assert tile.shape == (18 + 256, 2 * 256 + 4, 3)
    picture = tile[18:, :128]  # 128 x 64 enlarged to 256 x 128
    assert len(colours(picture)) == 2  # of the right lung and of the left
    assert (picture[40, 10:120] == 255).all()  # the box: 2 x 20, 2 x 5 to 2 x 60
    assert (picture[199, 10:120] == 255).all()
    assert (picture[40:200, 10] == 255).all()
    assert (picture[40:200, 119] == 255).all()
    assert (picture[0] == 64).all()
    assert (tile[18:, 128:256] == 0).all()
    assert (tile[18:, 256:512] == 200).all()
    assert tile[:18].any()


def test_without_a_mask_nothing_is_coloured():
    grey, crop = np.zeros((50, 70), np.float32), np.zeros((8, 8), np.uint8)
    image = PreparedImage(grey, None, (0, 0, 50, 70), "whole", crop)
    tile = contact_sheet.tile(image, "x" * 300)
    assert not colours(tile)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1)])
def test_strange_shapes(shape):
    grey, mask = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    crop = np.zeros((8, 8), np.uint8)
    tile = contact_sheet.tile(
        PreparedImage(grey, mask, (0, 0, *shape), "whole", crop), ""
    )
    assert tile.shape == (274, 516, 3)


@pytest.mark.parametrize("count, rows, columns", [(1, 1, 1), (4, 1, 4), (6, 2, 4)])
def test_tiles_are_laid_out_row_by_row(tmp_path, count, rows, columns):
    tiles = [np.full((5, 7, 3), 10 + n, np.uint8) for n in range(count)]
    contact_sheet.write(tmp_path / "sheet.png", tiles)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (5 * rows, 7 * columns, 3)
    for n in range(count):
        y, x = 5 * (n // 4), 7 * (n % 4)
        assert (sheet[y : y + 5, x : x + 7] == 10 + n).all()


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="cannot be written: "):
        contact_sheet.write(tmp_path / "no" / "a.png", [np.zeros((2, 2, 3), np.uint8)])


@pytest.mark.parametrize("depth, rows, columns", [(24, 3, 4), (12, 3, 4), (5, 2, 3)])
def test_slices_of_a_volume(depth, rows, columns):
    pixels = np.zeros((depth, 16, 20, 1), np.int16)
    pixels[:, :8, :10] = FULL_SCALE  # in front, on the patient's right
    pixels[:, 8:] = (np.arange(depth) * 1000)[:, np.newaxis, np.newaxis, np.newaxis]
    image = PreparedVolume(pixels, np.eye(4), (20, 16, depth), np.eye(4))
    tile = contact_sheet.volume_tile(image, "12: 20 x 16 x 5 voxels")
    assert tile.shape == (18 + rows * 128, columns * 128, 3)
    assert tile[:18].any()
    chosen = [
        (2 * i + 1) * depth // (2 * min(12, depth)) for i in range(min(12, depth))
    ]
    for place, number in enumerate(chosen):
        top, left = 18 + place // columns * 128, place % columns * 128
        one = tile[top : top + 128, left : left + 128]
        assert (one[:60, :60] == 255).all()
        assert (one[:60, 70:] == 0).all()
        assert (one[70:] == round(number * 1000 / FULL_SCALE * 255)).all()


def test_a_sheet_takes_its_place_when_it_is_whole(tmp_path):
    sheet, kept = tmp_path / "sheet.png", tmp_path / "kept.png"
    contact_sheet.write(sheet, [np.zeros((4, 4, 3), np.uint8)])
    kept.hardlink_to(sheet)
    before = kept.read_bytes()
    contact_sheet.write(sheet, [np.full((8, 8, 3), 9, np.uint8)])
    # One that is written in place would be read half by who looks at it meanwhile.
    assert kept.read_bytes() == before
    assert (cv2.imread(str(sheet)) == 9).all()
