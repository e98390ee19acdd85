"""Codes of a DICOM header that are not in capitals."""

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from made_series import hu, make_slices, write_slices
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mdmt_tf.errors import DataError, collected_warnings
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.dicom_slice import read_hounsfield
from mdmt_tf.imaging.file_facts import FileFacts, read_facts
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.planning.headers import read_header

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("modality", ["ct", "Ct ", " CT"])
def test_a_ct_in_any_letters_is_a_ct(tmp_path, modality):
    # The rows go to the left of the picture, so that the slice is turned, too.
    directions = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    slices = make_slices(hu(), directions=directions, Modality=modality)
    np.testing.assert_array_equal(
        read_hounsfield(to_bytes(slices[0])), hu()[0, :, ::-1]
    )
    slices[1].RescaleIntercept = -1000  # doubted in a CT alone
    path = write_slices(tmp_path, slices)[0]
    with collected_warnings() as found:
        assert prepare_file(tmp_path, "hu_0_80_6x8x8").pixels.any()
    assert [one.kind for one in found] == ["different intercepts"]
    assert read_facts(path) == FileFacts("CT")
    assert read_header(path).modality == "CT"


def test_another_modality_in_small_letters_is_still_another():
    (mr,) = make_slices(hu((1, 8, 10)), Modality="mr")
    with pytest.raises(DataError, match="expected a CT.*Received: modality MR"):
        read_hounsfield(to_bytes(mr))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_white_and_black_in_any_letters(photometric):
    """Small letters were refused by the decoder, or not inverted."""
    expected = RAMP / 255
    expected = 1 - expected if photometric == "MONOCHROME1" else expected
    file = make_dicom(RAMP, photometric=photometric.lower())
    np.testing.assert_allclose(read_image(to_bytes(file)), expected, atol=1e-6)


def test_colour_in_small_letters(tmp_path):
    pixels = np.stack([RAMP, RAMP[::-1], RAMP], axis=-1)
    (tmp_path / "a").write_bytes(to_bytes(make_dicom(pixels, photometric="rgb")))
    luminance = pixels @ (0.299, 0.587, 0.114) / 255
    np.testing.assert_allclose(read_image(tmp_path / "a"), luminance, atol=1e-2)
    assert read_facts(tmp_path / "a").is_colour
    grey = make_dicom(RAMP, photometric="monochrome2")
    (tmp_path / "a").write_bytes(to_bytes(grey))
    assert not read_facts(tmp_path / "a").is_colour


@pytest.mark.parametrize("is_of_frame", [False, True])
def test_the_function_of_a_window_in_small_letters(is_of_frame):
    window = {"WindowCenter": 128, "WindowWidth": 64, "VOILUTFunction": "sigmoid"}
    if is_of_frame:
        item, group = Dataset(), Dataset()
        for key, value in window.items():
            setattr(item, key, value)
        group.FrameVOILUTSequence = Sequence([item])
        window = {"SharedFunctionalGroupsSequence": Sequence([group])}
    expected = 1 / (1 + np.exp(-4 * (RAMP - 128.0) / 64))
    image = read_image(to_bytes(make_dicom(RAMP, **window)))
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_a_localizer_and_directions_in_small_letters(tmp_path):
    slices = make_slices(hu())
    slices[2].ImageType = ["original", "primary", "localizer"]
    write_slices(tmp_path, slices)
    with pytest.raises(DataError, match="marks as localizer"):
        prepare_file(tmp_path, "hu_0_80_6x8x8")
    film = make_dicom(RAMP, Modality="dx", PatientOrientation=["l", "h"])
    with collected_warnings() as found:
        read_image(to_bytes(film))
    assert [one.kind for one in found] == ["stated as mirrored or turned"]
