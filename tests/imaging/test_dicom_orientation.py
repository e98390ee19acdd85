"""Single DICOM images are upright, or doubtful."""

import itertools

import numpy as np
import pytest
from made_dicom import make_dicom, to_bytes
from made_series import AXIAL, make_slices, write_slices
from scipy.spatial.transform import Rotation

from mdmt_tf.errors import collected_warnings
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.imaging.dicom_slice import read_hounsfield
from mdmt_tf.imaging.series import read_series
from mdmt_tf.imaging.volume import prepare_volume

LEFT, BACK, UP = np.eye(3)
# Directions of a row and of a column in an upright image.
PLANES = {"axial": (LEFT, BACK), "coronal": (LEFT, -UP), "sagittal": (BACK, -UP)}
HU = np.random.default_rng(0).integers(-1000, 1500, (8, 10)).astype(np.float32)


def stored_ways(image, row, column):
    """All eight ways to store an image: pixels, and directions of row and column."""
    for is_swapped, flips in itertools.product(
        (False, True), itertools.product((1, -1), repeat=2)
    ):
        pixels = image[:: flips[0], :: flips[1]]
        directions = [flips[1] * row, flips[0] * column]
        if is_swapped:
            pixels, directions = pixels.T, directions[::-1]
        yield np.ascontiguousarray(pixels), directions


def ct(pixels, directions, **elements):
    (dataset,) = make_slices(pixels[np.newaxis], directions=directions, **elements)
    return to_bytes(dataset)


@pytest.mark.parametrize("degrees", [0, 12])
@pytest.mark.parametrize("plane", PLANES)
def test_a_slice_is_upright_however_it_is_stored(plane, degrees):
    oblique = Rotation.from_rotvec([degrees, degrees / 2, -degrees], degrees=True)
    row, column = oblique.apply(PLANES[plane])
    for pixels, directions in stored_ways(HU, row, column):
        with collected_warnings() as found:
            values = read_hounsfield(ct(pixels, directions))
        np.testing.assert_array_equal(values, HU)
        # As on a screen: the window of the file.
        window = {"WindowCenter": 250, "WindowWidth": 3000}
        shown = read_image(ct(pixels, directions, **window))
        expected = read_image(ct(HU, [row, column], **window))
        np.testing.assert_array_equal(shown, expected)
        words = [f"a {plane} slice. A model of axial"] * (plane != "axial")
        assert [str(one).split(": ")[1][: len(words[0])] for one in found] == words


def test_a_slice_is_turned_as_the_slices_of_a_volume(tmp_path):
    """Two slices of a patient who lies prone, and one of them alone."""
    values = np.stack([HU, HU + 1])
    slices = make_slices(values, directions=-np.array(AXIAL))
    paths = write_slices(tmp_path, slices)
    pixels = prepare_volume(read_series(tmp_path), "hu_-1000_1500_2x8x10").pixels
    alone = (read_hounsfield(paths[0]) + 1000) / 2500
    np.testing.assert_allclose(pixels[0, ..., 0] / 32767, alone, atol=1e-4)


@pytest.mark.parametrize("missing", [None, [], [0] * 6, [1, 0, 0, 1, 0, 0]])
def test_a_slice_without_directions_stays(missing):
    (dataset,) = make_slices(HU[np.newaxis], ImageOrientationPatient=missing)
    np.testing.assert_array_equal(read_hounsfield(to_bytes(dataset)), HU)


@pytest.mark.parametrize(
    "stated, is_doubtful",
    [
        (["L", "F"], False),
        (["R", "F"], True),
        (["L", "H"], True),
        (["F", "L"], True),
        (["LA", "FP"], False),
        (["A", "F"], False),  # lateral
        (["P", "F"], False),
        (["P", "H"], True),
        (["A", "R"], False),  # a breast
        (["P", "L"], False),
        (["L", "Q"], False),
        ("", False),
        (None, False),
    ],
)
def test_radiographs_that_are_stated_to_be_mirrored(stated, is_doubtful):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    elements = {"Modality": "DX", "PatientOrientation": stated}
    # Directions in the patient are those of slices alone.
    elements["ImageOrientationPatient"] = [-1, 0, 0, 0, 1, 0]
    with collected_warnings() as found:
        image = read_image(to_bytes(make_dicom(pixels, **elements)), "x.dcm")
    np.testing.assert_allclose(image, pixels / 11, atol=1e-6)
    message = "x.dcm: PatientOrientation "
    assert [str(one)[: len(message)] for one in found] == [message] * is_doubtful
