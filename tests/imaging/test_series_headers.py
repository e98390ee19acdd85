"""Headers of DICOM slices."""

import os

import numpy as np
import pytest
from made_series import enhanced, make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.series_headers import dicom_files, read_slices

VALUES = np.zeros((3, 8, 10), np.float32)


def test_dicom_files_are_told_by_their_content(tmp_path):
    paths = write_slices(tmp_path, make_slices(VALUES))
    bare = tmp_path / "1.2.840"
    bare.write_bytes(b"\x08\0" + bytes(200))
    (tmp_path / "picture.dcm").write_bytes(b"no DICOM")
    (tmp_path / ".cache.dcm").write_bytes(paths[0].read_bytes())
    (tmp_path / "below").mkdir()
    assert dicom_files(tmp_path) == sorted([*paths, bare])


def test_what_a_header_says(tmp_path):
    ids = {"PatientID": "P1", "StudyInstanceUID": "1.2"}
    (path, *_) = write_slices(tmp_path, make_slices(VALUES, **ids))
    (one,) = read_slices([path])
    assert (one.path, one.frame) == (path, 0)
    assert one.series == ("P1", "1.2", "1.2.3.4", "")
    assert "P1" not in repr(one)
    assert (one.modality, one.is_localizer) == ("CT", False)
    assert (one.shape, one.spacing_mm) == ((8, 10), (0.5, 0.75))
    assert (one.frames, one.rescale) == (1, (1, -1024))
    np.testing.assert_array_equal(one.directions, [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(one.position, [-10, -20, 30])
    assert one.is_placed


def test_frames_have_places_of_their_own(tmp_path):
    dataset = enhanced(make_slices(VALUES, slope=2, intercept=-500))
    dataset.save_as(tmp_path / "frames", enforce_file_format=True)
    slices = read_slices([tmp_path / "frames"])
    assert [one.frame for one in slices] == [0, 1, 2]
    assert [one.position[2] for one in slices] == [30, 35, 40]
    assert {one.rescale for one in slices} == {(2, -500)}
    assert all(one.is_placed for one in slices)


@pytest.mark.parametrize("frames, groups", [(4, 3), (3, 2), (3, 4), (1, 2)])
def test_frames_and_their_groups_are_as_many(tmp_path, frames, groups):
    dataset = enhanced(make_slices(np.zeros((4, 8, 10), np.float32)))
    dataset.NumberOfFrames = frames
    own = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = own[:groups]
    path = tmp_path / "frames"
    dataset.save_as(path, enforce_file_format=True)
    with pytest.raises(
        DataError, match=f"^{path}: .* each of {frames} frames .*: {groups} groups"
    ):
        read_slices([path])


def test_frames_without_places(tmp_path):
    (dataset,) = make_slices(VALUES[:1], NumberOfFrames=3)
    dataset.save_as(tmp_path / "frames", enforce_file_format=True)
    (one,) = read_slices([tmp_path / "frames"])
    assert one.frames == 3


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_a_slice_without_a_place(tmp_path, keyword):
    datasets = make_slices(VALUES)
    delattr(datasets[0], keyword)
    first, second, _ = read_slices(write_slices(tmp_path, datasets))
    assert not first.is_placed
    assert second.is_placed


def test_pixels_without_a_distance_have_no_place(tmp_path):
    datasets = make_slices(VALUES, spacing=(0.0, 0.75))
    assert not any(
        one.is_placed for one in read_slices(write_slices(tmp_path, datasets))
    )


def test_files_without_an_image_have_no_slices(tmp_path):
    report = make_slices(VALUES)[0]
    del report.PixelData, report.Rows, report.Columns
    report.save_as(tmp_path / "report", enforce_file_format=True)
    assert read_slices([tmp_path / "report"]) == []


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be read: Permission"):
        dicom_files(tmp_path)
