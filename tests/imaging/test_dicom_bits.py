"""Headers with wrong bits or a wrong sign, of images whose values are known."""

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes

from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging.dicom import read_image


def smooth(low, high, shape=(48, 64)):
    """Grey values like those of a body: no jumps between neighbours."""
    y, x = np.mgrid[: shape[0], : shape[1]] / 9
    wave = (np.sin(x) + np.cos(y) + 2) / 4
    return np.rint(low + wave * (high - low)).astype(np.int64)


def read(pixels, bits=None, **elements):
    return read_image(to_bytes(make_dicom(pixels, bits=bits, **elements)), "x.dcm")


def stretched(values):
    return (values - values.min()) / (values.max() - values.min())


def test_good_images_raise_no_doubt():
    for pixels, bits in [
        (smooth(0, 4095).astype("<u2"), 12),
        (smooth(0, 65535).astype("<u2"), 16),
        (smooth(-2000, 2000).astype("<i2"), 12),
        (smooth(-1000, 3000).astype("<i2"), 16),
    ]:
        with collected_warnings() as found:
            image = read(pixels, bits)
        assert found == []
        np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)
    # Signed values whose unused bits are 0: -1 is stored as 0x0FFF.
    pixels = smooth(-2000, 2000)
    words = (pixels & 0x0FFF).astype("<u2")
    with collected_warnings() as found:
        image = read(words, 12, PixelRepresentation=1)
    assert found == []
    np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)


@pytest.mark.parametrize("high_bit", [7, 11])
def test_fewer_bits_than_the_pixels_have(high_bit):
    with pytest.raises(DataError, match=r"^x\.dcm: expected .*BitsStored"):
        read(smooth(0, 4095).astype("<u2"), 8, HighBit=high_bit)


@pytest.mark.parametrize("bits, largest", [(12, 4095), (16, 65535)])
def test_unsigned_pixels_that_are_said_to_be_signed(bits, largest):
    with pytest.raises(DataError, match=r"^x\.dcm: expected signed pixels"):
        read(smooth(0, largest).astype("<u2"), bits, PixelRepresentation=1)


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_pixels_that_are_said_to_be_unsigned(bits):
    with pytest.raises(DataError, match=r"^x\.dcm: expected unsigned pixels"):
        read(smooth(-1000, 2000).astype("<i2"), bits, PixelRepresentation=0)


def test_white_marks_on_black_are_no_wrong_sign():
    pixels = smooth(0, 3000).astype("<u2")
    pixels[::4, ::8] = 65535
    with collected_warnings() as found:
        image = read(pixels)
    assert found == []
    np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_at_the_upper_end_of_the_word(signed):
    low, high = (-2000, 2000) if signed else (0, 4000)
    pixels = smooth(low, high)
    words = ((pixels & 0x0FFF) << 4).astype("<u2")
    with collected_warnings() as found:
        image = read(words, 12, HighBit=15, PixelRepresentation=int(signed))
    assert found == []
    np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)


def test_a_wrong_high_bit_of_values_at_the_lower_end():
    pixels = smooth(0, 4000).astype("<u2")
    with pytest.warns(DataWarning, match=r"^x\.dcm: BitsStored 12 and HighBit 15,"):
        image = read(pixels, 12, HighBit=15)
    np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)


def test_an_overlay_above_the_pixels_is_left_out_and_said():
    pixels = smooth(0, 4000).astype("<u2")
    words = pixels.copy()
    words[:6] |= 0x8000  # an eighth of 48 rows
    with pytest.warns(DataWarning, match=r"^x\.dcm: 12\.5% of the pixels have bits"):
        image = read(words, 12)
    np.testing.assert_allclose(image, stretched(pixels), atol=1e-6)
