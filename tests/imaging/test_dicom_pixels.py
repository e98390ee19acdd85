"""Compressed pixels without their end, without a decoder, and contradicting headers."""

import cv2
import numpy as np
import pydicom
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import dicom_pixels
from mdmt_tf.imaging.dicom import read_image

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)


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


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless])
def test_a_decoder_that_is_an_extra_is_named(syntax):
    if pydicom.pixels.get_decoder(syntax).is_available:
        pytest.skip("the extra is installed")
    dataset = make_dicom(RAMP, bits=12)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff" + bytes(9)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(DataError, match=r"x\.dcm.*pip install 'mdmt_tf\[gdcm\]'"):
        read_image(to_bytes(dataset), "x.dcm")


def test_12_bit_jpeg_needs_the_extra(monkeypatch):
    # Pillow, which decodes 8 bits only, fails as for a damaged file.
    monkeypatch.setattr(dicom_pixels, "_has_gdcm", lambda: False)
    dataset = make_dicom(RAMP, bits=12)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff" + bytes(9)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.51"
    with pytest.raises(DataError, match=r"x\.dcm.*pip install 'mdmt_tf\[gdcm\]'"):
        read_image(to_bytes(dataset), "x.dcm")


def test_a_film_has_no_decoder():
    dataset = make_dicom(RAMP, bits=12)
    dataset.PixelData = pydicom.encaps.encapsulate([bytes(9)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    with pytest.raises(DataError, match=r"x\.dcm.*MPEG2.*there is no decoder"):
        read_image(to_bytes(dataset), "x.dcm")


@pytest.mark.parametrize(
    "samples, photometric",
    [(1, "RGB"), (1, "YBR_FULL"), (3, "MONOCHROME2"), (3, "PALETTE COLOR")],
)
def test_samples_that_contradict_the_colours(samples, photometric):
    pixels = RAMP.astype(np.uint8) if samples == 1 else np.dstack([RAMP] * 3) // 16
    dataset = make_dicom(pixels.astype(np.uint8), photometric=photometric)
    with pytest.raises(
        DataError, match=rf"x\.dcm: .*{photometric}. Received: {samples}"
    ):
        read_image(to_bytes(dataset), "x.dcm")


@pytest.mark.parametrize("key", ["PhotometricInterpretation", "BitsStored"])
def test_a_missing_element_is_named(key):
    dataset = make_dicom(RAMP, bits=12)
    delattr(dataset, key)
    with pytest.raises(DataError, match=rf"^x\.dcm: the header lacks {key}"):
        read_image(to_bytes(dataset), "x.dcm")


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
