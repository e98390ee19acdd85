"""DICOM files of phantoms, read back by the standard and by `read_image`."""

import dataclasses
import re

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array

from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.phantoms.chest import detector, dicom_writer

SITES = detector.HOSPITALS | detector.MANUFACTURERS
HEADER = dicom_writer.DicomHeader(
    key="0 test 1 2",
    patient_id="P_1_1",
    sex="F",
    age=64,
    date="20200310",
    manufacturer="Siemens",
    institution="SYNTHETIC PHANTOM A",
    view="AP",
    cm_per_px=0.0815,
)


@pytest.fixture
def pixels():
    """Every grey value of the window and some beyond it, odd number of columns."""
    ramp = np.linspace(-0.1, 1.1, 31 * 17, dtype=np.float32)
    return ramp.reshape(31, 17)


def display(data):
    """Stored values to 0..1 by PS3.3 C.11.1 and C.11.2, then the inversion."""
    x = pixel_array(data).astype(np.float64)
    x = x * float(data.RescaleSlope) + float(data.RescaleIntercept)
    if "VOILUTSequence" in data:
        lut = data.VOILUTSequence[0]
        entries, first, bits = lut.LUTDescriptor
        table = np.frombuffer(lut.LUTData, "<u2")
        assert len(table) == entries
        y = table[np.clip(x - first, 0, entries - 1).astype(int)] / (2**bits - 1)
    elif data.get("VOILUTFunction") == "SIGMOID":
        y = 1 / (1 + np.exp(-4 * (x - data.WindowCenter) / data.WindowWidth))
    elif "WindowCenter" in data:
        y = (x - (data.WindowCenter - 0.5)) / (data.WindowWidth - 1) + 0.5
        y = np.clip(y, 0, 1)
    else:
        y = x / (2**data.BitsStored - 1)
    return 1 - y if data.PhotometricInterpretation == "MONOCHROME1" else y


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("site", SITES)
def test_file_holds_the_picture(tmp_path, pixels, site, inverted):
    look = SITES[site]
    path = tmp_path / "a.dcm"
    dicom_writer.write_dicom(path, pixels, look, HEADER, inverted=inverted)
    data = pydicom.dcmread(path)
    expected = np.clip(pixels, 0, 1)
    # One stored step is 1 / (0.7 full) of the window at most; SIGMOID cuts 0.002 off,
    # and the table of "lut" is steepest, 1.5 steps, at its upper end.
    tolerance = 2.0 / 2**look.bits + (0.0021 if look.voi == "sigmoid" else 0)
    np.testing.assert_allclose(display(data), expected, atol=tolerance)
    np.testing.assert_allclose(read_image(path), expected, atol=tolerance)
    assert data.PhotometricInterpretation == f"MONOCHROME{1 if inverted else 2}"
    assert (data.Rows, data.Columns) == pixels.shape
    assert data.BitsStored == look.bits and data.HighBit == look.bits - 1
    assert data.BitsAllocated == (8 if look.bits == 8 else 16)


def test_sites_cover_what_archives_hold():
    looks = list(SITES.values())
    assert {look.voi for look in looks} == {"none", "window", "sigmoid", "lut"}
    assert {look.modality for look in looks} == {"CR", "DX"}
    assert {look.bits for look in looks} == {8, 10, 12, 14}
    assert any(look.rescale != (1.0, 0.0) for look in looks)
    assert any(look.compressed > 0 for look in looks)
    fractions = [look.monochrome1 for look in detector.HOSPITALS.values()]
    assert min(fractions) == 0.0 and max(fractions) == 1.0


def test_compression_changes_the_bytes_and_not_the_values(tmp_path, pixels):
    look = detector.HOSPITALS["A"]
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    dicom_writer.write_dicom(plain, pixels, look, HEADER)
    dicom_writer.write_dicom(packed, pixels, look, HEADER, compressed=True)
    assert pydicom.dcmread(packed).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"
    np.testing.assert_array_equal(read_image(plain), read_image(packed))
    assert plain.read_bytes() != packed.read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
def test_same_input_same_bytes(tmp_path, pixels, compressed):
    look = detector.HOSPITALS["F"]
    paths = [tmp_path / f"{i}.dcm" for i in range(2)]
    for path in paths:
        dicom_writer.write_dicom(path, pixels, look, HEADER, compressed=compressed)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    other = dataclasses.replace(HEADER, key="0 test 1 3")
    dicom_writer.write_dicom(paths[1], pixels, look, other, compressed=compressed)
    first, second = (pydicom.dcmread(p) for p in paths)
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        assert first[name].value != second[name].value


@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_header_says_what_it_is(tmp_path, pixels, modality):
    path = tmp_path / "a.dcm"
    look = detector.Appearance(modality=modality)
    dicom_writer.write_dicom(path, pixels, look, HEADER)
    data = pydicom.dcmread(path)
    assert str(data.PatientName) == "SYNTHETIC^PHANTOM"
    assert data.ManufacturerModelName == "SYNTHETIC PHANTOM"
    assert "SYNTHETIC PHANTOM" in data.InstitutionName
    assert "SYNTHETIC PHANTOM" in data.ImageComments
    assert data.SOPClassUID.name == (
        "Computed Radiography Image Storage"
        if modality == "CR"
        else "Digital X-Ray Image Storage - For Presentation"
    )
    assert data.Modality == modality and data.ViewPosition == "AP"
    assert data.PatientAge == "064Y" and data.StudyDate == "20200310"
    assert data.ImagerPixelSpacing == [0.815, 0.815]
    assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID


def test_uids_are_valid_and_follow_from_the_key():
    first = dicom_writer.uid("a")
    assert first == dicom_writer.uid("a") != dicom_writer.uid("b")
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", first) and len(first) <= 64


def test_unknown_voi_is_refused(pixels):
    look = detector.Appearance(voi="cubic")
    with pytest.raises(ValueError, match=r"none, window, sigmoid, lut.*voi='cubic'"):
        dicom_writer.stored_values(pixels, look, False)
