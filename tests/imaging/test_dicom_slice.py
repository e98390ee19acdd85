"""Slices of DICOM files as measured."""

import cv2
import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging.dicom_slice import read_hounsfield
from mdmt_tf.imaging.prepared import prepare_file

HU = np.arange(-1024, 1024, 16, dtype=np.float32).reshape(8, 16)


def ct(**elements):
    stored = (HU + 1024).astype(np.uint16)
    return make_dicom(
        stored,
        **{"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024} | elements,
    )


def test_hounsfield_units_without_the_window_of_the_file():
    found = read_hounsfield(to_bytes(ct(WindowCenter=40, WindowWidth=80)))
    np.testing.assert_array_equal(found, HU)
    assert found.dtype == np.float32


def test_slope_and_signed_pixels():
    file = make_dicom(
        (HU / 2).astype(np.int16), Modality="CT", RescaleSlope=2, RescaleIntercept=0
    )
    np.testing.assert_array_equal(read_hounsfield(to_bytes(file)), HU)


def test_padding_is_as_dark_as_the_darkest_pixel():
    file = ct()
    stored = (HU + 1024).astype(np.uint16)
    stored[0, :3] = 65535  # would be bone
    file.PixelData = stored.tobytes()
    file.add_new("PixelPaddingValue", "US", 65535)
    found = read_hounsfield(to_bytes(file))
    np.testing.assert_array_equal(found[0, :3], HU[0, 3])
    np.testing.assert_array_equal(found[1:], HU[1:])


def test_a_slice_in_a_window_is_prepared_from_its_file(tmp_path):
    path = tmp_path / "slice.dcm"
    path.write_bytes(to_bytes(ct(WindowCenter=1000, WindowWidth=10)))
    prepared = prepare_file(path, "hu_-100_300_4")
    window = np.clip((HU + 100) / 400, 0, 1)
    assert prepared.box_source == "whole"
    np.testing.assert_allclose(prepared.original, window, atol=1e-6)
    # Each new pixel is the mean of 2 x 4.
    expected = window.reshape(4, 2, 4, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(prepared.for_model()[..., 0], expected, atol=0.51 / 255)


def test_other_files_have_no_hounsfield_units(tmp_path):
    path = tmp_path / "slice.png"
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"slice.png: expected a DICOM .*: a PNG"):
        prepare_file(path, "hu_-100_300_4")
    path.write_bytes(b"no picture at all")
    with pytest.raises(DataError, match=r"a DICOM file .*: a text, or a file of ano"):
        prepare_file(path, "hu_-100_300_4")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"Modality": "DX"}, "expected a CT, .* Received: modality DX"),
        ({"Modality": "MR"}, "expected a CT, .* Received: modality MR"),
        ({"RescaleType": "MGML"}, r"expected Hounsfield .*RescaleType MGML \(mg/ml\)"),
        ({"RescaleType": "z_eff"}, "expected Hounsfield .*RescaleType Z_EFF"),
        ({"RescaleType": "HU_MOD"}, "expected Hounsfield .*RescaleType HU_MOD"),
        ({"RescaleType": "Miller^J"}, "expected Hounsfield .*one that DICOM does not"),
        ({"NumberOfFrames": 3}, ".*: 3 frames. Save the slice.*has size"),
    ],
)
def test_what_is_no_slice_of_a_ct(change, message):
    with pytest.raises(DataError, match=f"^x.dcm: {message}"):
        read_hounsfield(to_bytes(ct(**change)), "x.dcm")


@pytest.mark.parametrize("unit", ["HU", "hu ", "US", "", None, "Hounsfield Units"])
def test_units_of_a_usual_ct(unit):
    np.testing.assert_array_equal(read_hounsfield(to_bytes(ct(RescaleType=unit))), HU)


def test_the_unit_of_a_lookup_table():
    table = Dataset()
    table.LUTDescriptor = [2048, 0, 16]
    table.LUTData = np.arange(2048, dtype="<u2").tobytes()
    table.ModalityLUTType = "OD"
    file = make_dicom((HU + 1024).astype(np.uint16), Modality="CT")
    file.ModalityLUTSequence = Sequence([table])
    with pytest.raises(DataError, match="RescaleType OD"):
        read_hounsfield(to_bytes(file))


def test_a_picture_in_a_dicom_file_is_not_in_hounsfield_units():
    file = make_dicom(np.arange(256, dtype=np.uint8).reshape(16, 16), Modality="CT")
    with pytest.raises(DataError, match="x.dcm: expected Hounsfield .* 0 to 255"):
        read_hounsfield(to_bytes(file), "x.dcm")


def test_colour_and_damage():
    colour = make_dicom(np.zeros((8, 8, 3), np.uint8), photometric="RGB", Modality="CT")
    with pytest.raises(DataError, match=r"x.dcm: expected one measured .*colour \(RGB"):
        read_hounsfield(to_bytes(colour), "x.dcm")
    with pytest.raises(DataError, match="x.dcm: truncated DICOM file"):
        read_hounsfield(to_bytes(ct())[:-9], "x.dcm")


def test_a_slice_without_its_intercept_is_doubtful():
    values = np.tile(np.arange(950, 1150, dtype="<u2"), (16, 1))
    values[:, :50] = 24  # air
    with pytest.warns(
        DataWarning, match=r"^x\.dcm: .*as if 1024 had been added"
    ) as found:
        read_hounsfield(to_bytes(make_dicom(values, Modality="CT")), "x.dcm")
    assert found[0].message.kind == "not in Hounsfield units"
