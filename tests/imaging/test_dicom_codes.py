"""Compressed frames that are cut, damaged or too many, inside of a whole file."""

import cv2
import numpy as np
import pydicom
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom_codes
from mdmt_tf.imaging.dicom import read_image

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)
FILM = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (200, 160)).astype(np.uint8), (0, 0), 2
)


def compressed(syntax):
    dataset = make_dicom(RAMP, bits=12)
    dataset.compress(syntax, generate_instance_uid=False)
    return dataset


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("missing", [1, 8, 9, 40])
def test_without_the_end(syntax, missing):
    data = to_bytes(compressed(syntax))
    np.testing.assert_allclose(read_image(data), RAMP / 4095, atol=1e-6)
    with pytest.raises(DataError, match=r"^x\.dcm: truncated DICOM file, it stops"):
        read_image(data[:-missing], "x.dcm")


def with_code(pixels, code, syntax, bits=8):
    dataset = make_dicom(pixels, bits=bits)
    dataset.PixelData = pydicom.encaps.encapsulate([code])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_jpeg_cut_and_ended(kept, progressive, capfd):
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    code = cv2.imencode(".jpg", FILM, options)[1].tobytes()
    assert read_image(to_bytes(with_code(FILM, code, JPEGBaseline8Bit))).max() == 1
    cut = code[: int(kept * len(code))] + b"\xff\xd9"
    with pytest.raises(DataError, match=r"^x\.dcm: (the image is damaged|truncated)"):
        read_image(to_bytes(with_code(FILM, cut, JPEGBaseline8Bit)), "x.dcm")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_code_cut_in_a_whole_file(syntax, kept, capfd):
    pixels = FILM.astype(np.uint16) * 16
    dataset = make_dicom(pixels, bits=12)
    dataset.compress(syntax, generate_instance_uid=False)
    code = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    cut = with_code(pixels, code[: int(kept * len(code))], syntax, 12)
    with pytest.raises(DataError, match=r"^x\.dcm: "):
        read_image(to_bytes(cut), "x.dcm")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("more, is_damaged", [(2, False), (40, True)])
def test_rle_with_more_values_than_the_image(more, is_damaged):
    pixels = FILM[:100]
    # One segment of literal runs: a byte of the length - 1, then the values.
    values = pixels.ravel().tolist() + [7] * more
    runs = [values[at : at + 128] for at in range(0, len(values), 128)]
    segment = b"".join(bytes([len(run) - 1, *run]) for run in runs)
    code = np.array([1, 64, *[0] * 14], "<u4").tobytes() + segment
    dataset = with_code(pixels, code, RLELossless)
    if not is_damaged:
        dicom_codes.check_rle(dataset, "x.dcm", 0)
        return
    with pytest.raises(DataError, match=r"^x\.dcm: .*16000 values. Received: 40 more"):
        dicom_codes.check_rle(dataset, "x.dcm", 0)


def test_several_compressed_images_under_one_header():
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    codes = [
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
        for image in (ramp, 255 - ramp)
    ]
    dataset = make_dicom(ramp)
    dataset.PixelData = pydicom.encaps.encapsulate(codes)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    with pytest.warns(DataWarning, match=r"^x\.dcm: 2 compressed images"):
        image = read_image(to_bytes(dataset), "x.dcm")
    np.testing.assert_allclose(image, ramp / 252, atol=3 / 255)
