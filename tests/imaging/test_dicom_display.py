"""Windows that show nothing, and what a message says of them."""

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging.dicom import read_image

RAMP = np.arange(0, 4096, 2, dtype=np.uint16).reshape(32, 64)


def read(pixels=RAMP, **elements):
    return read_image(to_bytes(make_dicom(pixels, **elements)), "x.dcm")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "pixels, elements, reason",
    [
        (np.full((4, 5), 7, "<u2"), {}, "all pixels have the value 7"),
        (np.full((4, 5), 7, "<u2"), {"PixelPaddingValue": 7}, "value of padding, 7"),
        (
            np.full((4, 5), 7, "<u2"),
            {"WindowCenter": 7, "WindowWidth": 9},
            "values 7 to 7",
        ),
        (
            RAMP,
            {"WindowCenter": 1e6, "WindowWidth": 100},
            r"values 0 to 4094, in a window of center 1e\+06 and width 100",
        ),
        (RAMP, {"WindowCenter": -500, "WindowWidth": 100}, "center -500"),
        (RAMP, {"WindowCenter": 2048, "WindowWidth": 1e12}, r"width 1e\+12"),
    ],
)
def test_nothing_is_visible(pixels, elements, reason, photometric):
    with pytest.raises(DataError, match=rf"^x\.dcm: expected an image .*{reason}"):
        read(pixels, photometric=photometric, **elements)


def test_padding_does_not_make_an_image_visible():
    pixels = np.full((8, 8), 500, "<u2")
    pixels[:2] = 0
    with pytest.raises(DataError, match="on which something is visible"):
        read(pixels, PixelPaddingValue=0, WindowCenter=100, WindowWidth=10)


@pytest.mark.parametrize("key", ["WindowCenter", "WindowWidth"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_windows_that_are_not_finite(key, value):
    window = {"WindowCenter": 2048, "WindowWidth": 4096, key: value}
    with pytest.raises(DataError, match=rf"^x\.dcm: .*{key} {value}"):
        read(**window)


def test_hardly_anything_is_visible():
    # All but one of 2048 pixels are below a window of 100 values.
    with pytest.warns(DataWarning, match=r"^x\.dcm: hardly .*center 4143") as warned:
        image = read(WindowCenter=4143, WindowWidth=100)
    assert 0 < image.mean() < 1e-3
    assert warned[0].message.kind == "hardly anything visible"
