"""Damaged PNG, JPEG and TIFF files that OpenCV takes, and files of several images."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.dicom import read_image

GREY = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (200, 160)).astype(np.uint8), (0, 0), 2
)
END = b"\xff\xd9"


def jpeg(*options):
    _, code = cv2.imencode(".jpg", GREY, options)
    return code.tobytes()


def chunk(kind, body):
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(*more, rows=GREY, height=200, pixels=None):
    header = struct.pack(">IIBBBBB", 160, height, 8, 0, 0, 0, 0)
    if pixels is None:
        pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    body = chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", pixels)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def refused(data, reason, capfd):
    with pytest.raises(DataError, match=rf"^x\.img: .*{reason}"):
        read_image(data, "x.img")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("restart", [0, 4])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_jpeg_cut_and_ended(kept, restart, capfd):
    data = jpeg(cv2.IMWRITE_JPEG_RST_INTERVAL, restart)
    cut = data[: int(kept * len(data))] + END
    refused(cut, "damaged, the decoder says: .*premature end", capfd)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_progressive_jpeg_cut_and_ended(kept, capfd):
    data = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    np.testing.assert_allclose(read_image(data) * 255, GREY, atol=30)
    refused(data[: int(kept * len(data))] + END, "(premature end|scans for)", capfd)


def test_a_progressive_jpeg_without_its_last_scans(capfd):
    data = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    scans = [i for i in range(len(data)) if data[i : i + 2] == b"\xff\xda"]
    assert len(scans) > 2
    for last in scans[1:]:
        refused(data[:last] + END, r"truncated JPEG, scans for \d+ of 64", capfd)


def test_a_jpeg_of_another_height(capfd):
    data = bytearray(jpeg())
    at = data.find(b"\xff\xc0") + 5
    data[at : at + 2] = struct.pack(">H", 400)
    refused(bytes(data), "damaged", capfd)
    data[at : at + 2] = struct.pack(">H", 100)  # the lower half would be left out
    refused(bytes(data), "damaged, the decoder says: .*extraneous", capfd)


def test_bytes_that_no_pixel_needs_are_doubtful(capfd):
    data = jpeg()
    with pytest.warns(DataWarning, match=r"^x\.jpg: .*2 extraneous bytes"):
        image = read_image(data[:-2] + bytes(9) + END, "x.jpg")
    np.testing.assert_array_equal(image, read_image(data))
    assert capfd.readouterr().err == ""


def test_a_whole_png_with_damaged_pixels(capfd):
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY))
    refused(png(rows=GREY[:90]), "Not enough image data", capfd)
    refused(png(pixels=pixels[: len(pixels) // 2]), "Not enough image data", capfd)
    refused(png(pixels=pixels[:-4] + b"abcd"), "incorrect data check", capfd)
    refused(png(height=90), "Too much image data", capfd)


def test_notes_of_libpng_are_no_doubt(capfd):
    expected = read_image(png())
    profile = chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"nonsense" * 20))
    for more in (profile, chunk(b"tIME", bytes(3)), chunk(b"sRGB", b"\0") * 2):
        with collected_warnings() as found:
            np.testing.assert_array_equal(read_image(png(more)), expected)
        assert found == []
    assert capfd.readouterr().err == ""


def test_frames_of_an_animated_png(capfd):
    assert read_image(png(chunk(b"acTL", struct.pack(">II", 1, 0)))).shape == (200, 160)
    animated = png(chunk(b"acTL", struct.pack(">II", 2, 0)))
    refused(animated, "received an animated PNG of 2 frames", capfd)


@pytest.mark.parametrize("start", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
def test_bigtiff(start, capfd):
    refused(start + bytes(100), "received a BigTIFF. Save it as a classic TIFF", capfd)


@pytest.mark.parametrize("compression", [5, 8, 32773])  # LZW, deflate, PackBits
def test_a_tiff_with_damaged_pixels(compression, capfd):
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    data = cv2.imencode(".tiff", GREY, options)[1].tobytes()
    np.testing.assert_array_equal(read_image(data), read_image(png()))
    at = len(data) // 2
    refused(data[:at] + bytes(60) + data[at + 60 :], "damaged, the decoder says", capfd)


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff"])
def test_a_header_that_claims_too_many_pixels(kind, capfd):
    data = {
        "png": png(),
        "jpg": jpeg(),
        "tiff": cv2.imencode(".tiff", GREY)[1].tobytes(),
    }[kind]
    with limits.using(limits.Limits(max_pixels=200 * 160)):
        assert read_image(data).shape == (200, 160)
    with limits.using(limits.Limits(max_pixels=200 * 160 - 1)):
        refused(data, "max_pixels", capfd)
