"""Sizes in compressed images, against those that OpenCV wrote."""

import cv2
import numpy as np
import pytest
from made_dicom import make_dicom
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.codestreams import check_frame, size_of

IMAGE = np.arange(50 * 70).reshape(50, 70).astype(np.uint8)


def encoded(suffix, *options):
    return cv2.imencode(suffix, IMAGE, options)[1].tobytes()


@pytest.mark.parametrize(
    "data",
    [
        encoded(".jpg"),
        encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".jp2")[encoded(".jp2").find(b"\xff\x4f\xff\x51") :],
    ],
)
def test_sizes(data):
    assert size_of(data) == (50, 70)
    for end in range(40):
        assert size_of(data[:end]) in (None, (50, 70))


def test_other_data_have_no_size():
    for data in (b"", b"\xff\xd8\xff\xd9", b"RLE", bytes(100)):
        assert size_of(data) is None


def test_a_frame_larger_than_the_header_is_refused():
    dataset = make_dicom(IMAGE)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([encoded(".jpg")])
    check_frame(dataset, "a.dcm")
    dataset.Rows = 40
    with pytest.raises(
        DataError, match="^a.dcm: expected a compressed image of 40 x 70"
    ):
        check_frame(dataset, "a.dcm")
