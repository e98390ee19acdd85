"""Files that are decoded in the graph, against Pillow and the package's own reader."""

import io
import re

import cv2
import numpy as np
import pytest
import tensorflow as tf
from oriented_files import app1, exif, jpeg, png
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.raster import decode_raster
from mdmt_tf.serving.decoding import decode_grey

# Each quarter has its own grey.
PIXELS = np.kron([[0, 80], [160, 240]], np.ones((16, 24))).astype(np.uint8)
XMP = app1(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")


def by_pillow(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return np.asarray(image) / 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [jpeg, png])
def test_every_orientation_is_obeyed(make, orientation, tmp_path):
    data = make(PIXELS, exif(orientation))
    received = decode_grey(data).numpy()[..., 0]
    np.testing.assert_allclose(received, by_pillow(data), atol=1.01 / 255)
    path = tmp_path / f"image.{make.__name__}"
    path.write_bytes(data)
    np.testing.assert_allclose(received, read_image(path), atol=1.01 / 255)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(PIXELS, exif(6, ">")),
        jpeg(PIXELS, exif(6, others=40)),
        jpeg(PIXELS, exif(6), before=XMP),
        # Fillings before a marker.
        jpeg(PIXELS, exif(6), before=b"\xff\xff\xff"),
        png(PIXELS, exif(6), at_the_end=True),
        png(np.stack([PIXELS] * 3, axis=-1), exif(6, ">")),
    ],
    ids=["MM", "other tags", "XMP before", "fillings", "PNG end", "colour"],
)
def test_exif_data_are_found_wherever_they_are(data):
    received = decode_grey(data).numpy()[..., 0]
    expected = cv2.rotate(PIXELS, cv2.ROTATE_90_CLOCKWISE) / 255
    np.testing.assert_allclose(received, expected, atol=1.01 / 255)


@pytest.mark.parametrize(
    "damaged",
    [exif(6)[:n] for n in (0, 3, 9, 12, 18)] + [exif(0), exif(9), b"XX" + exif(6)[2:]],
)
def test_damaged_exif_data_count_as_none(damaged):
    received = decode_grey(jpeg(PIXELS, damaged)).numpy()[..., 0]
    np.testing.assert_allclose(received, PIXELS / 255, atol=1.01 / 255)


def test_the_name_of_the_chunk_in_a_text_is_not_the_chunk():
    file = io.BytesIO()
    text = PngInfo()
    text.add_text("note", "eXIf" + exif(6).hex())
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=text)
    received = decode_grey(file.getvalue()).numpy()[..., 0]
    np.testing.assert_allclose(received, PIXELS / 255, atol=1e-6)


# Files that are cut off


def stored_as(options, side=96, channels=1):
    """A JPEG with detail everywhere."""
    noise = np.random.default_rng(side).integers(0, 60, (side, side, channels))
    ramp = np.linspace(0, 180, side)[:, None, None]
    return cv2.imencode(".jpg", (noise + ramp).astype(np.uint8), options)[1].tobytes()


KINDS = {
    "plain": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "own codes": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_that_is_cut_off_is_an_error_despite_its_end_marker(kind, channels):
    data = stored_as(KINDS[kind], channels=channels)
    expected = decode_raster(data, "whole")
    # Also where something follows the end, as some cameras write it.
    for whole in (data, data + b"\0\0", data + data):
        found = decode_grey(whole).numpy()[..., 0]
        np.testing.assert_allclose(found, expected, atol=1.01 / 255)
    for part in (0.5, 0.7, 0.9, 0.99):
        cut = data[: int(len(data) * part)].rstrip(b"\xff") + b"\xff\xd9"
        with pytest.raises(DataError):
            decode_raster(cut, "cut")
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_grey(cut)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_progressive_jpeg_without_its_last_scans_is_an_error(channels):
    data = stored_as(KINDS["progressive"], channels=channels)
    scans = [place.start() for place in re.finditer(b"\xff\xda", data)]
    refused = []
    for place in scans[1:]:
        cut = data[:place] + b"\xff\xd9"
        try:
            decode_raster(cut, "cut")
        except DataError:
            refused.append(place)
            with pytest.raises(tf.errors.InvalidArgumentError):
                decode_grey(cut)
        else:  # scans of colours alone are missing
            decode_grey(cut)
    assert len(refused) > 4 and (channels > 1 or len(refused) == len(scans) - 1)


def test_the_end_marker_of_a_thumbnail_is_not_that_of_the_image():
    small, data = stored_as([], side=16), stored_as([])
    whole = data[:2] + app1(b"Exif\0\0" + small) + data[2:]
    found = decode_grey(whole).numpy()[..., 0]
    np.testing.assert_allclose(found, decode_raster(data, "a"), atol=1.01 / 255)
    with pytest.raises(tf.errors.InvalidArgumentError, match="truncated"):
        decode_grey(whole[:-500] + b"\xff\xd9")
