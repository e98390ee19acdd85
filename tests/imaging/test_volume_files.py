"""NIfTI files: what is written is read, and what is refused."""

import errno
import os

import nibabel
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.volume import read_volume, write_nifti


def rotation(degrees, axis):
    angle = np.deg2rad(degrees)
    one, two = (i for i in range(3) if i != axis)
    matrix = np.eye(4)
    matrix[one, one] = matrix[two, two] = np.cos(angle)
    matrix[one, two], matrix[two, one] = -np.sin(angle), np.sin(angle)
    return matrix


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-20, 130, shape).astype(np.float32)


def save(path, data):
    nibabel.save(nibabel.Nifti1Image(data, np.diag([1, 2, 3, 1])), path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a"])
def test_what_is_written_is_read(tmp_path, name):
    hu = noise((4, 5, 6))
    affine = rotation(10, 2) @ np.diag([0.5, 0.5, 5, 1])
    affine[:3, 3] = (1, 2, 3)
    suffix = "" if "." in name else ".nii"
    write_nifti(tmp_path / (name + suffix), hu, affine)
    (tmp_path / (name + suffix)).rename(tmp_path / name)  # known by its content
    found = read_volume(tmp_path / name)
    np.testing.assert_array_equal(found.values, hu)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.affine, affine, atol=1e-6)
    assert found.affine.dtype == np.float64
    assert found.spacing_mm == pytest.approx((0.5, 0.5, 5))


def test_slope_and_intercept(tmp_path):
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nibabel.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(2, -1024)
    image.to_filename(tmp_path / "unscaled.nii")
    data = bytearray((tmp_path / "unscaled.nii").read_bytes())
    # nibabel divides by a slope that it is given; the stored integers are to remain
    data[352:] = stored.tobytes(order="F")
    (tmp_path / "a.nii").write_bytes(data)
    np.testing.assert_array_equal(
        read_volume(tmp_path / "a.nii").values, stored * 2.0 - 1024
    )


def test_a_fourth_axis_of_length_one(tmp_path):
    hu = noise((3, 4, 5))
    found = read_volume(save(tmp_path / "a.nii.gz", hu[..., None, None]))
    np.testing.assert_array_equal(found.values, hu)


def test_the_qform_is_read_where_there_is_no_sform(tmp_path):
    affine = rotation(30, 0) @ np.diag([1, 2, 3, 1.0])
    image = nibabel.Nifti1Image(noise((3, 4, 5)), affine)
    image.set_qform(affine, code=1)
    image.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "a.nii")
    found = read_volume(tmp_path / "a.nii")
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    "data, expected",
    [
        (np.zeros((3, 4), np.int16), r"three axes. Received: shape \(3, 4\)"),
        (np.zeros((3, 4, 5, 2), np.int16), r"Received: shape \(3, 4, 5, 2\)"),
        (np.zeros((3, 4, 5), RGB), "one real number per voxel. Received: .* type RGB"),
        (np.zeros((3, 4, 5), np.complex64), "voxels of type complex64"),
        (np.full((3, 4, 5), np.nan, np.float32), "60 of 60 voxels"),
        (np.full((3, 4, 5), 1e300), "a finite number in every voxel"),
    ],
)
def test_files_without_a_volume_of_hounsfield_units(tmp_path, data, expected):
    path = save(tmp_path / "a.nii.gz", data)
    with pytest.raises(DataError, match=expected) as error:
        read_volume(path)
    assert str(error.value).startswith(f"{path}: expected ")


def test_some_voxels_that_are_not_finite(tmp_path):
    hu = noise((3, 4, 5))
    hu[1, 1, 1:3] = np.inf, np.nan
    with pytest.raises(DataError, match="Received: 2 of 60 voxels .* -1000 HU"):
        read_volume(save(tmp_path / "a.nii", hu))


def test_no_affine_is_no_guess(tmp_path):
    path = save(tmp_path / "a.nii", noise((3, 4, 5)))
    data = bytearray(path.read_bytes())
    data[252:256] = bytes(4)  # both codes
    path.write_bytes(data)
    with pytest.raises(DataError, match="left and right. Received: code 0 for both"):
        read_volume(path)


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[1, 1, 0], [1, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, np.nan, 0], [0, 0, 1]],
    ],
)
def test_an_affine_that_cannot_be_inverted(tmp_path, rows):
    path = save(tmp_path / "a.nii", noise((3, 4, 5)))
    data = bytearray(path.read_bytes())
    sform = np.zeros((3, 4), "<f4")
    sform[:, :3] = rows
    data[280:328] = sform.tobytes()
    path.write_bytes(data)
    with pytest.raises(DataError, match="that can be inverted. Received: \\[\\["):
        read_volume(path)


@pytest.mark.parametrize("content", [b"", b"no NIfTI", b"\x1f\x8b", b"\0" * 400])
def test_other_files(tmp_path, content):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_volume(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "opy" in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="a.nii: cannot be read: No such"):
        read_volume(tmp_path / "a.nii")


def test_a_volume_that_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="no/a.nii: cannot be written: No such"):
        write_nifti(tmp_path / "no" / "a.nii", noise((2, 2, 2)), np.eye(4))
    with pytest.raises(DataError, match="expected a name that ends in .nii or"):
        write_nifti(tmp_path / "a.png", noise((2, 2, 2)), np.eye(4))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_is_written_whole_or_not_at_all(tmp_path, monkeypatch, name):
    path = tmp_path / name
    write_nifti(path, noise((2, 3, 4)), np.eye(4))
    before = path.read_bytes()

    def stop(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(DataError, match=f"{name}: cannot be written: No space left"):
        write_nifti(path, noise((5, 3, 4)), np.eye(4))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [name]
