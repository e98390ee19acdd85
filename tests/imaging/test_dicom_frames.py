"""Elements of frames in their groups, in shared groups and in the file itself."""

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from made_series import enhanced, make_slices
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.dicom_frames import element, frames_with_groups
from mdmt_tf.imaging.dicom_slice import read_hounsfield
from mdmt_tf.imaging.series import read_series

OWN, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
RESCALE = {"RescaleSlope": 2, "RescaleIntercept": -1000}
HU = np.arange(0, 480, 2, dtype=np.float32).reshape(3, 8, 10) - 1000
# Where a file may state an element.
PLACES = ["frame", "shared", "file"]


def item(**elements):
    dataset = Dataset()
    for key, value in elements.items():
        setattr(dataset, key, value)
    return dataset


def frames_of(values):
    """An enhanced CT whose slope and intercept are stated nowhere."""
    dataset = enhanced(make_slices(values, slope=2, intercept=-1000))
    for own in dataset[OWN]:
        del own.PixelValueTransformationSequence
    return dataset


def state(dataset, place, group, **elements):
    """State elements in one of PLACES."""
    if place == "file":
        items = []
        for key, value in elements.items():
            setattr(dataset, key, value)
    else:
        items = dataset[OWN if place == "frame" else SHARED].value
    for one in items:
        setattr(one, group, Sequence([item(**elements)]))


@pytest.mark.parametrize("place", PLACES)
def test_slope_and_intercept_of_frames(tmp_path, place):
    dataset = frames_of(HU)
    state(dataset, place, "PixelValueTransformationSequence", **RESCALE)
    dataset.save_as(tmp_path / "frames", enforce_file_format=True)
    np.testing.assert_array_equal(read_series(tmp_path / "frames").values, HU.T)
    # A single frame may be an image.
    dataset = frames_of(HU[:1])
    state(dataset, place, "PixelValueTransformationSequence", **RESCALE)
    np.testing.assert_array_equal(read_hounsfield(to_bytes(dataset)), HU[0])


@pytest.mark.parametrize("place", PLACES)
def test_the_window_of_a_frame(place):
    stored = np.arange(80, dtype=np.uint16).reshape(8, 10)
    window = {"WindowCenter": 30, "WindowWidth": 20, "VOILUTFunction": "LINEAR_EXACT"}
    dataset = make_dicom(stored, NumberOfFrames=1)
    setattr(dataset, OWN, Sequence([Dataset()]))
    setattr(dataset, SHARED, Sequence([Dataset()]))
    state(dataset, place, "FrameVOILUTSequence", **window)
    expected = np.clip((stored - 20.0) / 20, 0, 1)  # from 30 - 10 to 30 + 10
    np.testing.assert_allclose(read_image(to_bytes(dataset)), expected, atol=1e-6)


@pytest.mark.parametrize("places", [PLACES[:2], PLACES[1:], PLACES[::2]])
def test_places_that_contradict_each_other(places):
    dataset = frames_of(HU[:1])
    for place, intercept in zip(places, (-1000, -1024), strict=True):
        elements = {"RescaleSlope": 2, "RescaleIntercept": intercept}
        state(dataset, place, "PixelValueTransformationSequence", **elements)
    with pytest.raises(
        DataError, match="^x: expected one RescaleIntercept for frame 1.*different"
    ):
        read_hounsfield(to_bytes(dataset), "x")


def test_a_rounded_repetition_is_no_contradiction():
    dataset = frames_of(HU)
    dataset.PixelSpacing = [0.50001, 0.75]
    assert element(dataset, "PixelSpacing", "x", 1) == [0.5, 0.75]


def test_the_position_of_the_file_is_that_of_its_first_frame():
    dataset = frames_of(HU)
    dataset.ImagePositionPatient = [1, 2, 3]
    assert element(dataset, "ImagePositionPatient", "x", 1) == [-10, -20, 35]
    for own in dataset[OWN]:
        del own.PlanePositionSequence
    assert element(dataset, "ImagePositionPatient", "x") == [1, 2, 3]
    assert element(dataset, "ImagePositionPatient", "x", 1) is None


def test_files_without_groups():
    dataset = make_dicom(np.zeros((2, 2), np.uint16), RescaleSlope=3)
    assert element(dataset, "RescaleSlope", "x") == 3
    assert element(dataset, "WindowWidth", "x") is None
    assert frames_with_groups(dataset, "x") == 0
