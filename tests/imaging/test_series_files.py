"""DICOM files of one series, and of several in one folder."""

import numpy as np
import pytest
from made_dicom import make_dicom
from made_series import enhanced, hu, make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.series import read_series
from mdmt_tf.imaging.series_files import find_series


def test_a_file_stands_for_its_series(tmp_path):
    one = write_slices(tmp_path, make_slices(hu(seed=1)))
    second = make_slices(hu((4, 8, 10), seed=2), series="1.2.3.5", Modality="MR")
    for number, dataset in enumerate(second):
        dataset.save_as(tmp_path / f"mr{number}", enforce_file_format=True)
    np.testing.assert_array_equal(read_series(one[3]).values, hu(seed=1).T)
    found = read_series(tmp_path / "mr2")
    np.testing.assert_array_equal(found.values, hu((4, 8, 10), seed=2).T)
    assert found.modality == "MR"
    with pytest.raises(DataError) as error:
        read_series(tmp_path)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}: expected the slices of one series.")
    assert "2 series (CT, 6 slices, such as 000.dcm; MR, 4" in message
    assert "name one file of the series to use" in message
    # Found, so that reading it says what is wrong.
    assert find_series([tmp_path]) == [tmp_path]


def test_what_else_lies_in_the_folder_is_left_alone(tmp_path):
    write_slices(tmp_path, make_slices(hu()))
    (tmp_path / "notes.txt").write_text("a head")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / ".hidden").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "below").mkdir()
    report = make_slices(hu((1, 8, 10)), series="9")[0]
    del report.PixelData, report.Rows, report.Columns
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    assert read_series(tmp_path).values.shape == (10, 8, 6)
    assert find_series([tmp_path]) == [tmp_path]
    assert find_series([tmp_path / "below"]) == []


def test_files_of_many_frames_are_volumes_of_their_own(tmp_path):
    for number in range(2):
        dataset = enhanced(make_slices(hu(seed=number), series=f"1.2.{number}"))
        dataset.save_as(tmp_path / f"volume{number}", enforce_file_format=True)
    assert find_series([tmp_path]) == [tmp_path / "volume0", tmp_path / "volume1"]
    np.testing.assert_array_equal(
        read_series(tmp_path / "volume1").values, hu(seed=1).T
    )


def test_folders_that_hold_no_volume_are_not_found(tmp_path):
    radiograph = make_dicom(np.zeros((8, 10), np.uint16), SeriesInstanceUID="1.2.3.4")
    write_slices(tmp_path / "films", [radiograph])
    assert find_series([tmp_path / "films"]) == []
    (path, *_) = write_slices(tmp_path / "cut", make_slices(hu()))
    path.write_bytes(path.read_bytes()[:700])
    assert find_series([tmp_path / "cut"]) == [tmp_path / "cut"]
    with pytest.raises(DataError, match=f"{path}: truncated DICOM file"):
        read_series(tmp_path / "cut")


def test_folders_without_slices(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"x")
    with pytest.raises(DataError, match=f"{tmp_path}: expected the slices .* 1 files"):
        read_series(tmp_path)


@pytest.mark.parametrize("uid", ["1.2.3.4", ""])
@pytest.mark.parametrize(
    "keyword", ["PatientID", "StudyInstanceUID", "FrameOfReferenceUID"]
)
@pytest.mark.parametrize("above", [30, 2.5])  # stacked, or one between two
def test_slices_of_two_patients_are_no_volume(tmp_path, uid, keyword, above):
    one = make_slices(hu(), series=uid, **{keyword: "1.9"})
    place = (-10, -20, 30 + above)
    other = make_slices(hu(seed=1), series=uid, origin=place, **{keyword: "1.8"})
    paths = write_slices(tmp_path, [*one, *other])
    assert find_series([tmp_path]) == [tmp_path]
    with pytest.raises(
        DataError, match=f"one SeriesInstanceUID, but differ in {keyword} "
    ) as error:
        read_series(tmp_path)
    assert "1.9" not in str(error.value)  # the value may name a patient
    np.testing.assert_array_equal(read_series(paths[8]).values, hu(seed=1).T)


def test_a_long_list_of_series_is_cut(tmp_path):
    slices = [make_slices(hu((1, 8, 10)), series=f"1.{n}")[0] for n in range(5)]
    write_slices(tmp_path, slices)
    with pytest.raises(DataError, match=r"5 series \(CT, 1 slice, .*; and 2 more\)"):
        read_series(tmp_path)


def parts(folder, *groups, **elements):
    """Slices of one series, a folder for each group of their numbers."""
    slices = make_slices(hu(), **elements)
    folders = [folder / f"DIR{number:03d}" for number in range(len(groups))]
    for place, group in zip(folders, groups, strict=True):
        write_slices(place, [slices[number] for number in group])
    return folders


@pytest.mark.parametrize(
    "groups", [(range(3), range(3, 6)), ((0, 2, 4), (1, 3, 5)), [[n] for n in range(6)]]
)
def test_a_series_in_several_folders_is_refused(tmp_path, groups):
    folders = parts(tmp_path, *groups)
    with pytest.raises(
        DataError,
        match=f"^{folders[0]}: expected all slices .* here and in {folders[1]}",
    ) as error:
        find_series(folders)
    assert ("and 2 more" in str(error.value)) == (len(folders) == 6)
    # Alone, a folder of some slices is what it is.
    assert find_series(folders[:1]) == folders[:1]


@pytest.mark.parametrize(
    "groups, uid",
    [
        ((range(6), range(6)), "1.2.3.4"),  # copies
        ((range(2), range(3, 6)), "1.2.3.4"),  # one is missing between them
        ((range(3), range(3, 6)), ""),  # perhaps another series
    ],
)
def test_folders_that_are_not_parts_of_a_volume(tmp_path, groups, uid):
    folders = parts(tmp_path, *groups, series=uid)
    assert find_series(folders) == folders
