"""DICOM series as volumes."""

import re
import warnings

import numpy as np
import pytest
from made_series import AXIAL, enhanced, hu, make_slices, write_slices
from scipy.spatial.transform import Rotation

from mdmt_tf.errors import DataError, collected_warnings
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.imaging.series import read_series
from mdmt_tf.imaging.volume import write_nifti

CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
OBLIQUE = tuple(
    Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix().T[:2].tolist()
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "highly experimental"
    from nibabel.nicom import dicomwrappers

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_a_voxel_is_where_its_slice_says(tmp_path, directions):
    values = hu()
    slices = make_slices(values, directions=directions)
    write_slices(tmp_path, slices)
    found = read_series(tmp_path)
    assert found.values.dtype == np.float32
    assert found.values.shape == (10, 8, 6)
    assert found.modality == "CT"
    np.testing.assert_allclose(found.spacing_mm, (0.75, 0.5, 5), atol=1e-6)
    # Equation C.7.6.2.1-1 of DICOM PS3.3, slice by slice; then to the right and front.
    for number, one in enumerate(slices):
        origin = np.array(one.ImagePositionPatient, float)
        row = np.array(one.ImageOrientationPatient[:3], float)
        column = np.array(one.ImageOrientationPatient[3:], float)
        for i, j in ((0, 0), (9, 0), (0, 7), (4, 3)):
            place = origin + i * 0.75 * row + j * 0.5 * column
            expected = place * [-1, -1, 1]
            place = found.affine @ [i, j, number, 1]
            np.testing.assert_allclose(place[:3], expected, atol=1e-4)
            assert found.values[i, j, number] == values[number, j, i]


@pytest.mark.parametrize("directions", [AXIAL, SAGITTAL, OBLIQUE])
def test_frames_of_one_file_are_as_nibabel_reads_them(tmp_path, directions):
    values = hu()
    slices = make_slices(values, directions=directions)
    dataset = enhanced(slices)
    path = tmp_path / "enhanced"
    dataset.save_as(path, enforce_file_format=True)
    found = read_series(path)
    reference = dicomwrappers.MultiframeWrapper(dataset)
    # nibabel counts rows first, and slices downwards: compare by place.
    matrix = np.linalg.inv(TO_RAS @ reference.affine) @ found.affine
    voxels = np.indices(found.values.shape).reshape(3, -1)
    places = matrix[:3, :3] @ voxels + matrix[:3, 3:]
    np.testing.assert_allclose(places, places.round(), atol=1e-3)
    expected = reference.get_data()[tuple(places.round().astype(int))]
    np.testing.assert_array_equal(found.values.ravel(), expected)
    (tmp_path / "folder").mkdir()
    write_slices(tmp_path / "folder", slices)
    separate = read_series(tmp_path / "folder")
    np.testing.assert_array_equal(separate.values, found.values)
    np.testing.assert_allclose(separate.affine, found.affine)


def test_each_slice_has_its_own_slope(tmp_path):
    values = hu()
    slices = [
        make_slices(values, slope=number + 1, intercept=-2000)[number]
        for number in range(6)
    ]
    write_slices(tmp_path, slices)
    found = read_series(tmp_path).values
    rounding = (np.arange(6) + 1) / 2
    assert (np.abs(found - values.T) <= rounding).all()
    dataset = enhanced(slices)
    dataset.save_as(tmp_path / "frames", enforce_file_format=True)
    np.testing.assert_array_equal(read_series(tmp_path / "frames").values, found)


@pytest.mark.parametrize("name", ["head_8x12x10", "hu_-100_300_7x9x9_4x1x1mm_RAS"])
def test_a_series_and_its_nifti_file_are_prepared_alike(tmp_path, name):
    folder = tmp_path / "series"
    write_slices(folder, make_slices(hu(), directions=OBLIQUE))
    volume = read_series(folder)
    path = tmp_path / "series.nii.gz"
    # A converter may write the axes in another order.
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = volume.values.shape[1] - 1
    write_nifti(path, volume.values[:, ::-1], volume.affine @ flip)
    found, expected = prepare_file(folder, name), prepare_file(path, name)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-5)


@pytest.mark.parametrize("modality, count", [("CT", 1), ("PT", 0)])
def test_a_slice_of_a_ct_with_another_intercept_is_doubtful(tmp_path, modality, count):
    slices = make_slices(hu(), Modality=modality)
    slices[3] = make_slices(hu(), Modality=modality, intercept=-1000)[3]
    paths = write_slices(tmp_path, slices)
    with collected_warnings() as found:
        values = read_series(tmp_path).values
    np.testing.assert_array_equal(values, hu().T)
    message = f"{paths[3]}: RescaleIntercept -1000, where most .* have -1024"
    assert len(found) == count
    assert all(re.match(message, str(one)) for one in found)


def test_a_truncated_slice_is_named(tmp_path):
    paths = write_slices(tmp_path, make_slices(hu()))
    paths[3].write_bytes(paths[3].read_bytes()[:-50])
    with pytest.raises(DataError, match=f"^{paths[3]}: truncated DICOM file"):
        read_series(tmp_path)


def test_a_window_is_for_ct_alone(tmp_path):
    write_slices(tmp_path, make_slices(hu(), Modality="MR"))
    with pytest.raises(DataError, match=f"{tmp_path}: expected a CT.*: modality MR"):
        prepare_file(tmp_path, "hu_0_80_8x8x8")
    assert prepare_file(tmp_path, "zscore_5_8x8x8").pixels.any()


@pytest.mark.parametrize("is_enhanced", [False, True])
def test_a_window_is_for_hounsfield_units_alone(tmp_path, is_enhanced):
    """Maps of materials of a spectral CT."""
    slices = make_slices(hu(), RescaleType="MGML")
    if is_enhanced:
        frames = enhanced(slices)
        for own in frames.PerFrameFunctionalGroupsSequence:
            own.PixelValueTransformationSequence[0].RescaleType = "MGML"
        slices = [frames]
    write_slices(tmp_path, slices)
    with pytest.raises(DataError, match=rf"^{tmp_path}: .*RescaleType MGML \(mg/ml\)"):
        prepare_file(tmp_path, "hu_0_80_8x8x8")
    assert prepare_file(tmp_path, "zscore_5_8x8x8").pixels.any()


def test_slices_in_different_units(tmp_path):
    slices = make_slices(hu())
    for one, unit in zip(slices, ["HU", "US", "", "HU", "HU", "HU"], strict=True):
        one.RescaleType = unit
    write_slices(tmp_path, slices)
    np.testing.assert_array_equal(read_series(tmp_path).values, hu().T)
    slices[2].RescaleType = "Z_EFF"
    path = write_slices(tmp_path, slices)[2]
    message = f"one RescaleType .*none, HU or US in most, Z_EFF .*{path.name}"
    with pytest.raises(DataError, match=message):
        read_series(tmp_path)


def test_the_slices_are_upright_in_the_prepared_volume(tmp_path):
    values = np.full((8, 9, 10), -1000, np.float32)
    values[6, 1, 2] = 100  # above, in front, on the patient's right
    write_slices(tmp_path, make_slices(values))
    pixels = prepare_file(tmp_path, "head_8x9x10").pixels[..., 0]
    assert np.argwhere(pixels).tolist() == [[6, 1, 2]]


def test_a_doubt_of_all_slices_is_said_once(tmp_path):
    slices = make_slices(hu())
    for one in slices:
        one.PixelData = one.PixelData + bytes(one.Rows * one.Columns * 2)
    write_slices(tmp_path / "series", slices)
    with collected_warnings() as found:
        read_series(tmp_path / "series")
    (doubt,) = found
    assert doubt.kind == "frames without announcement"
    assert str(doubt).endswith(f"(and {len(slices) - 1} more slices)")
    assert str(doubt).startswith(f"{tmp_path}/series/")


def test_a_series_without_contrast(tmp_path):
    write_slices(tmp_path / "series", make_slices(np.full((4, 5, 6), 40, np.float32)))
    with pytest.raises(DataError, match=f"^{tmp_path}/series: .*all voxels have the"):
        read_series(tmp_path / "series")
