"""Orientation tags, against Pillow."""

import io
import struct

import numpy as np
import pytest
from oriented_files import exif, jpeg, png
from PIL import Image, ImageOps

from mdmt_tf.imaging.orientation import orientation_of, png_orientation, upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_by_pillow(orientation):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    data = png(pixels, exif(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert png_orientation(data) == orientation
    np.testing.assert_array_equal(upright(pixels, orientation), expected)
    colours = np.stack([pixels] * 3, axis=-1)
    assert upright(colours, orientation).shape == (*np.shape(expected), 3)


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_and_other_tags_before(order):
    assert orientation_of(exif(8, order, others=3)) == 8


@pytest.mark.parametrize("length", range(19))
def test_cut_data_count_as_none(length):
    assert orientation_of(exif(6)[:length]) == 1


@pytest.mark.parametrize(
    "data",
    [
        exif(0),
        exif(9),
        exif(65535),
        b"XX" + exif(6)[2:],
        # The page lies behind the end.
        exif(6)[:4] + struct.pack("<I", 2**32 - 1) + exif(6)[8:],
    ],
)
def test_anything_else_counts_as_none(data):
    assert orientation_of(data) == 1


def test_a_png_without_the_chunk_is_upright():
    assert png_orientation(png(np.zeros((2, 2), np.uint8))) == 1


def test_a_jpeg_of_these_fixtures_is_turned_by_pillow():
    turned = ImageOps.exif_transpose(
        Image.open(io.BytesIO(jpeg(np.zeros((8, 16), np.uint8), exif(6))))
    )
    assert turned.size == (8, 16)
