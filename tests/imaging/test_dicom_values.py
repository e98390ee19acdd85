"""Slopes and padding that other readers take without a word."""

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.dataelem import DataElement

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.dicom_slice import read_hounsfield

RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 0, "WindowWidth": 100}])
@pytest.mark.parametrize(
    "slope, intercept",
    [
        ("0", "0"),
        ("inf", "0"),
        ("nan", "0"),
        ("1", "1e38"),
        ("1", "nan"),
        ("1e-9", "1"),
    ],
)
@pytest.mark.parametrize("reader", [read_image, read_hounsfield])
def test_absurd_slopes(reader, slope, intercept, window):
    rescale = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    data = to_bytes(make_dicom(RAMP, bits=12, Modality="CT", **rescale, **window))
    with pytest.raises(DataError, match=r"^x\.dcm: expected RescaleSlope"):
        reader(data, "x.dcm")


def test_usual_slopes():
    for slope, intercept in [(1, -1024), (0.0001, 0), (-1, 4095), (2.5, 1e6)]:
        rescale = {"RescaleSlope": slope, "RescaleIntercept": intercept}
        expected = RAMP * float(slope)
        expected = (expected - expected.min()) / np.ptp(expected)
        image = read_image(to_bytes(make_dicom(RAMP, bits=12, **rescale)))
        np.testing.assert_allclose(image, expected, atol=1e-4)


@pytest.mark.parametrize(
    "dtype, vr, value",
    [
        ("<i2", "SS", -2000),
        ("<i2", "US", 63536),  # -2000 + 2^16
        ("<i2", "OW", np.int16(-2000).tobytes()),
        ("<u2", "US", 63536),
        ("<u2", "SS", -2000),
        ("<u2", "UN", np.uint16(63536).tobytes()),
    ],
)
def test_padding_of_the_other_sign(dtype, vr, value):
    padding = -2000 if dtype == "<i2" else 63536
    pixels = np.array([[padding, 100], [200, 300]], dtype)
    dataset = make_dicom(pixels)
    dataset["PixelPaddingValue"] = DataElement(0x00280120, vr, value)
    image = read_image(to_bytes(dataset))
    np.testing.assert_allclose(image, [[0, 0], [0.5, 1]], atol=1e-6)


def test_padding_range_of_the_other_sign():
    pixels = np.array([[-2000, -1990], [0, 100]], "<i2")
    dataset = make_dicom(pixels)
    dataset["PixelPaddingValue"] = DataElement(0x00280120, "US", 63536)
    dataset["PixelPaddingRangeLimit"] = DataElement(0x00280121, "US", 63636)
    np.testing.assert_allclose(
        read_image(to_bytes(dataset)), [[0, 0], [0, 1]], atol=1e-6
    )
