"""Pixels without a decoder, and headers that contradict themselves."""

import numpy as np
import pydicom
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from mdmt_tf.errors import DataError
from mdmt_tf.imaging import dicom_pixels
from mdmt_tf.imaging.dicom import read_image

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)


class NoDecoder:
    is_available = False
    available_plugins = ()


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless])
def test_a_decoder_that_is_an_extra_is_named(syntax, monkeypatch):
    monkeypatch.setattr(dicom_pixels, "get_decoder", lambda syntax: NoDecoder)
    dataset = make_dicom(RAMP, bits=12)
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff" + bytes(9)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
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


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless"])
def test_the_extra_decodes(tmp_path, syntax):
    gdcm = pytest.importorskip("gdcm")
    path = str(tmp_path / "a.dcm")
    (tmp_path / "a.dcm").write_bytes(to_bytes(make_dicom(RAMP, bits=12)))
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    number = getattr(gdcm.TransferSyntax, syntax)
    change.SetTransferSyntax(gdcm.TransferSyntax(number))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(path)
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_allclose(read_image(path), RAMP / 4095, atol=1e-6)


def test_packages_are_asked_in_an_order_that_gdcm_does_not_change(monkeypatch):
    class Decoder:
        is_available = True
        available_plugins = ("gdcm", "pillow", "pydicom", "pylibjpeg")

    monkeypatch.setattr(dicom_pixels, "get_decoder", lambda syntax: Decoder)
    asked = []

    def pixel_array(dataset, *, decoding_plugin, **options):
        asked.append(decoding_plugin)
        raise RuntimeError("cannot")

    monkeypatch.setattr(dicom_pixels, "pixel_array", pixel_array)
    dataset = make_dicom(RAMP, bits=12)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    with pytest.raises(DataError, match=r"x\.dcm: .*cannot"):
        read_image(to_bytes(dataset), "x.dcm")
    assert asked == ["pylibjpeg", "pillow", "pydicom", "gdcm"]


def test_bits_of_rle_are_checked_as_those_of_words():
    y, x = np.mgrid[:48, :64] / 9
    pixels = np.rint((np.sin(x) + np.cos(y) + 2) / 4 * 4095).astype("<u2")
    dataset = make_dicom(pixels, bits=12)
    dataset.compress(RLELossless, generate_instance_uid=False)
    expected = (pixels - pixels.min()) / np.ptp(pixels)
    np.testing.assert_allclose(read_image(to_bytes(dataset)), expected, atol=1e-6)
    dataset.BitsStored, dataset.HighBit = 10, 9
    with pytest.raises(DataError, match=r"^x\.dcm: expected pixels of 10 bits"):
        read_image(to_bytes(dataset), "x.dcm")
