"""PNG, JPEG and TIFF files through `read_image`, against the written arrays."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging.dicom import read_image

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
RGB = np.dstack([GREY, 255 - GREY, GREY // 2])
WEIGHTS = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def encode(array, extension, *options):
    """RGB(A) or grey array to file bytes; OpenCV wants BGR(A)."""
    if array.ndim == 3:
        order = [2, 1, 0, 3][: array.shape[2]]
        array = array[..., order]
    success, code = cv2.imencode(extension, np.ascontiguousarray(array), options)
    assert success
    return code.tobytes()


def tiff(array, photometric, *, extra=None, orientation=None, order="<", pages=1):
    """An uncompressed TIFF written by hand, since OpenCV writes a few kinds only."""
    array = np.atleast_3d(array)
    height, width, samples = array.shape
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    page_at = 8 + len(data)
    tags = {256: width, 257: height, 259: 1, 262: photometric, 273: 8}
    tags |= {277: samples, 278: height, 279: len(data)}
    tags |= {} if extra is None else {338: extra}
    tags |= {} if orientation is None else {274: orientation}
    bits = struct.pack(f"{order}{samples}H", *[array.itemsize * 8] * samples)
    page_length = 2 + 12 * (len(tags) + 1) + 4
    if samples <= 2:
        entries = {
            258: struct.pack(f"{order}HHI", 258, 3, samples) + bits.ljust(4, b"\0")
        }
    else:
        at = page_at + page_length
        entries = {258: struct.pack(f"{order}HHII", 258, 3, samples, at)}
    for tag, value in tags.items():
        entries[tag] = struct.pack(f"{order}HHII", tag, 4, 1, value)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", page_at)
    page = struct.pack(f"{order}H", len(entries))
    page += b"".join(entries[tag] for tag in sorted(entries))
    next_page = page_at if pages > 1 else 0
    return start + data + page + struct.pack(f"{order}I", next_page) + bits


def chunk(kind, body):
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def palette_png(indices, palette, opacity=b""):
    header = struct.pack(">IIBBBBB", *indices.shape[::-1], 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in indices.astype(np.uint8))
    body = chunk(b"IHDR", header) + chunk(b"PLTE", bytes(np.ravel(palette).tolist()))
    body += chunk(b"tRNS", opacity) if opacity else b""
    body += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_8_bit_grey(extension):
    image = read_image(encode(GREY, extension))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, GREY / 255, rtol=1e-6)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize(
    "largest, white",
    [(1, 1023), (200, 1023), (1023, 1023), (1024, 4095), (4095, 4095)]
    + [(4096, 16383), (16383, 16383), (16384, 65535), (65535, 65535)],
)
def test_16_bit_grey_reaches_white_at_the_depth_that_holds_it(
    extension, largest, white
):
    pixels = np.array([[0, largest // 2, largest]], np.uint16)
    image = read_image(encode(pixels, extension))
    np.testing.assert_allclose(image, pixels / white, rtol=1e-6)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("factor, white", [(1, 255), (16, 4095), (257, 65535)])
def test_colour_becomes_luminance(extension, factor, white):
    pixels = RGB if factor == 1 else RGB.astype(np.uint16) * factor
    image = read_image(encode(pixels, extension))
    expected = (RGB @ WEIGHTS) * factor / white
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_white_is_1_at_most():
    white = np.full((5, 5, 3), 255, np.uint8)
    white[0, 0] = 0
    assert read_image(encode(white, ".png")).max() == 1


@pytest.mark.parametrize("factor, white", [(1, 255), (16, 4095)])
def test_transparent_png_is_composited_on_black(factor, white):
    dtype = np.uint8 if factor == 1 else np.uint16
    full = np.iinfo(dtype).max
    alpha = np.array([[0, full // 3, full, full]] * 3, dtype)
    pixels = np.dstack([RGB.astype(dtype) * factor, alpha])
    expected = (RGB @ WEIGHTS) * factor / white * (alpha / full)
    np.testing.assert_allclose(read_image(encode(pixels, ".png")), expected, atol=1e-6)


def test_palette_png_with_transparency():
    indices = np.array([[0, 1, 2], [2, 1, 0]])
    palette = [(10, 20, 30), (200, 100, 50), (255, 255, 255)]
    expected = (np.array(palette) @ WEIGHTS / 255)[indices]
    image = read_image(palette_png(indices, palette))
    np.testing.assert_allclose(image, expected, atol=1e-6)
    image = read_image(palette_png(indices, palette, opacity=bytes([255, 51, 0])))
    np.testing.assert_allclose(
        image, expected * np.array([1, 0.2, 0])[indices], atol=1e-6
    )


def test_jpeg_grey_and_colour():
    big = np.kron(GREY, np.ones((16, 16), np.uint8))
    code = encode(big, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
    np.testing.assert_allclose(read_image(code), big / 255, atol=2 / 255)
    big = np.kron(RGB, np.ones((16, 16, 1), np.uint8))
    code = encode(big, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
    np.testing.assert_allclose(read_image(code), big @ WEIGHTS / 255, atol=4 / 255)


def exif(orientation, thumbnail=b""):
    """Exif segment of a JPEG: a TIFF with one tag, and what follows it."""
    page = struct.pack("<HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0II*\0" + struct.pack("<I", 8) + page + thumbnail
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def test_jpeg_orientation_is_obeyed():
    big = np.kron(GREY, np.ones((16, 16), np.uint8))
    code = encode(big, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
    turned = code[:2] + exif(6) + code[2:]  # 6: shown turned clockwise by 90 degrees
    np.testing.assert_allclose(
        read_image(turned), np.rot90(big, -1) / 255, atol=2 / 255
    )


def test_truncated_jpeg_with_a_complete_thumbnail():
    big = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    code = encode(big, ".jpg")
    whole = code[:2] + exif(1, thumbnail=encode(GREY, ".jpg")) + code[2:]
    assert read_image(whole).shape == (64, 64)
    with pytest.raises(DataError, match=r"x\.jpg: truncated JPEG, it stops after"):
        read_image(whole[: len(whole) - 200], "x.jpg")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_tiff_grey(order, dtype, white_is_zero):
    full = np.iinfo(dtype).max
    pixels = GREY.astype(dtype) * (full // 255)
    data = tiff(pixels, 0 if white_is_zero else 1, order=order)
    expected = pixels / full
    if white_is_zero:
        expected = 1 - expected
    np.testing.assert_allclose(read_image(data), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["none", "associated", "unassociated"])
def test_tiff_transparency_is_composited_on_black_once(dtype, kind):
    full = np.iinfo(dtype).max
    rgb = RGB.astype(dtype) * (full // 255)
    alpha = np.array([[0, full // 5, full, full]] * 3, dtype)
    extra = {"none": 0, "associated": 1, "unassociated": 2}[kind]
    image = read_image(tiff(np.dstack([rgb, alpha]), 2, extra=extra))
    expected = rgb @ WEIGHTS / full
    if kind == "unassociated":
        expected = expected * (alpha / full)
    # libtiff rounds the 8-bit products to 8 bits
    np.testing.assert_allclose(image, expected, atol=1e-6 if full > 255 else 1 / 255)


def test_tiff_orientation_is_obeyed():
    image = read_image(tiff(GREY, 1, orientation=6))
    np.testing.assert_allclose(image, np.rot90(GREY, -1) / 255, rtol=1e-6)


NOISE = np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8)


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("extension", [".png", ".jpg", ".tiff"])
def test_truncated_files(extension, keep):
    data = encode(NOISE, extension)
    with pytest.raises(DataError, match=r"^cut: "):
        read_image(data[: int(keep * len(data))], "cut")


def test_corrupt_png():
    data = bytearray(encode(NOISE, ".png"))
    data[len(data) // 2] ^= 255
    with pytest.raises(DataError, match=r"x\.png: corrupt PNG, the checksum of"):
        read_image(bytes(data), "x.png")


def test_corrupt_jpeg():
    data = encode(NOISE, ".jpg")
    with pytest.raises(DataError, match=r"x\.jpg: corrupt JPEG, no marker at byte 20"):
        read_image(data[:20] + b"\0\0\0\0" + data[24:], "x.jpg")


@pytest.mark.parametrize(
    "data, message",
    [
        (tiff(GREY, 1, pages=2), "received a TIFF of several pages"),
        (tiff(np.dstack([GREY, GREY]), 1, extra=2), "2 samples per pixel"),
        (tiff(np.dstack([GREY] * 4), 5), "photometric interpretation 5"),
        (encode(GREY.astype(np.float32), ".tiff"), "received float32"),
        (tiff(GREY, 1)[:6], "truncated TIFF, it stops after 6 bytes"),
    ],
)
def test_unsupported_files(data, message):
    with pytest.raises(DataError) as error:
        read_image(data, "odd.tiff")
    assert str(error.value).startswith("odd.tiff: ")
    assert message in str(error.value)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_in_fewer_than_16_bits(bits, order):
    white = 2**bits - 1
    pixels = np.linspace(0, white, 60).astype(np.uint16).reshape(6, 10)
    image = read_image(tiff(pixels, 0, order=order))
    np.testing.assert_allclose(image, 1 - pixels / white, atol=1e-6)


@pytest.mark.parametrize("largest, is_doubtful", [(65535, True), (4095, False)])
def test_a_mark_with_another_depth_makes_the_image_doubtful(largest, is_doubtful):
    pixels = np.linspace(0, 4000, 60 * 70).astype(np.uint16).reshape(60, 70)
    pixels[:2, :5] = largest
    with collected_warnings() as found:
        image = read_image(encode(pixels, ".png"), "x.png")
    np.testing.assert_allclose(image, pixels / largest, rtol=1e-6)
    *doubts, note = found
    assert (note.fact, len(doubts)) == (
        f"{16 if is_doubtful else 12} bits",
        is_doubtful,
    )
    if is_doubtful:
        assert str(doubts[0]).startswith("x.png: 99 % of the pixels would fit 12 bits")


def test_the_depth_of_one_image_is_noted_and_not_shown(recwarn):
    with collected_warnings() as found:
        read_image(encode(np.array([[0, 700]], np.uint16), ".png"), "x.png")
        read_image(encode(GREY, ".png"), "y.png")  # 8 bits are what they say
    assert [(one.kind, one.fact) for one in found] == [
        ("other depth than most images", "10 bits")
    ]
    assert not recwarn.list


def changed(data, tag, **value):
    """A TIFF with another value, or under another number, in the entry of a tag."""
    data = bytearray(data)
    entry = data.find(struct.pack("<HH", tag, 4))
    if "number" in value:
        data[entry : entry + 2] = struct.pack("<H", value["number"])
    else:
        data[entry + 8 : entry + 12] = struct.pack("<I", value["value"])
    return bytes(data)


def test_a_tag_of_a_tiff_that_the_decoder_can_do_without(capfd):
    data = changed(tiff(GREY, 1), 279, value=0)  # bytes of the strip
    with pytest.warns(DataWarning, match=r'^x\.tif: the decoder says: .*"StripByteC'):
        image = read_image(data, "x.tif")
    np.testing.assert_array_equal(image, read_image(tiff(GREY, 1)))
    unsorted = changed(tiff(GREY, 1), 278, number=256)  # rows of a strip
    with collected_warnings() as found:
        np.testing.assert_array_equal(read_image(unsorted), image)
    assert found == []
    assert capfd.readouterr().err == ""


def test_a_tiff_that_the_decoder_cannot_decode(capfd):
    data = changed(tiff(GREY, 1), 259, value=0)  # the compression: pixels are not set
    with pytest.raises(DataError, match=r"^x\.tif: the image is damaged, .*scheme 0"):
        read_image(data, "x.tif")
    data = changed(tiff(GREY, 1), 278, value=0)
    with pytest.raises(DataError, match=r'decoded \(_TIFF.*"RowsPerStrip" tag\)$'):
        read_image(data, "x.tif")
    assert capfd.readouterr().err == ""
