"""Image files in folders and by patterns."""

import os
import unicodedata

import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import find_images, image_stem
from mdmt_tf.imaging.series import read_series

DICOM = bytes(128) + b"DICM"


@pytest.fixture
def folder(tmp_path):
    """Films of two patients, volumes, and what archives hold besides."""
    for name, content in {
        "b/film.PNG": b"x",
        "b/deeper/1.2.840.7": DICOM,
        "a/film.dcm": b"x",
        "a/scan.nii.gz": b"x",
        "a/._film.dcm": b"x",
        "a/notes.txt": b"a film",
        "a/empty": b"",
        ".cache/old.png": b"x",
        "DICOMDIR": DICOM,
        "first.jpeg": b"x",
        "scan.nii": b"x",
        "tables/labels.csv": b"x",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def found(folder, *given, volumes=False):
    paths = [f"{folder}/{name}" for name in given]
    return [os.path.relpath(path, folder) for path in find_images(paths, volumes)]


def test_a_folder_stands_for_its_images_at_any_depth_in_order(folder):
    films = ["a/film.dcm", "b/deeper/1.2.840.7", "b/film.PNG", "first.jpeg"]
    assert found(folder, "") == films
    assert found(folder, "", volumes=True) == ["a/scan.nii.gz", "scan.nii"]


def test_files_folders_and_patterns_keep_their_order_and_count_once(folder):
    given = ["first.jpeg", "b", "*/film.*", "a", "first.jpeg"]
    assert found(folder, *given) == [
        "first.jpeg",
        "b/deeper/1.2.840.7",
        "b/film.PNG",
        "a/film.dcm",
    ]
    assert found(folder, "**/*.dcm", "a/notes.txt") == ["a/film.dcm", "a/notes.txt"]


def test_folders_that_match_a_pattern_may_be_without_images(folder):
    assert found(folder, "[abt]*") == ["a/film.dcm", "b/deeper/1.2.840.7", "b/film.PNG"]


def test_a_file_that_exists_is_no_pattern(folder):
    (folder / "film[1].png").write_bytes(b"x")
    (folder / "film1.png").write_bytes(b"x")
    assert found(folder, "film[1].png") == ["film[1].png"]


@pytest.mark.parametrize(
    ("given", "volumes", "message"),
    [
        (
            "tables",
            False,
            r"tables: expected .*\.dcm.* in it.*: none among 1 file \(1 \.",
        ),
        (
            "b",
            True,
            r"b: expected .*\.nii, \.nii\.gz or DICOM s.*none among 2 files \(",
        ),
        ("new", False, r"new: expected .* Received: an empty folder\."),
        ("tab*", False, r"tab\*: expected .*none among 1 file \("),
        ("none*.png", False, r"none\*\.png: no file or folder matches\."),
        ("nowhere", False, r"nowhere: no such file or folder\."),
    ],
)
def test_nothing_to_read_is_an_error_with_the_path(folder, given, volumes, message):
    (folder / "new").mkdir()
    with pytest.raises(DataError, match=f"{folder}/{message}"):
        found(folder, given, volumes=volumes)


@pytest.mark.parametrize("volumes", [False, True])
def test_volumes_of_other_formats_are_named(tmp_path, volumes):
    for name in ("a.mha", "b.MHA", "c.nrrd", "d.txt", "e.csv", "notes"):
        (tmp_path / name).write_bytes(b"x")
    message = r"none among 6 files \(2 \.mha, 1 .*, \.\.\.\)\. Convert \.mha, \.nrrd to"
    with pytest.raises(DataError, match=message):
        find_images([tmp_path], volumes)


def test_a_folder_that_cannot_be_listed_is_an_error_with_its_path(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=rf"{folder}/a: cannot be read: Permission"):
        found(folder, "a")


@pytest.mark.parametrize(
    "name, stem",
    [
        ("P_1.dcm", "P_1"),
        ("P_1", "P_1"),
        ("1-s2.0-S0929.JPG", "1-s2.0-S0929"),
        ("1-s2.0-S0929", "1-s2.0-S0929"),
        ("ryct.2020.fig5-day7.jpeg", "ryct.2020.fig5-day7"),
        ("007_brain.nii.gz", "007_brain"),
        ("007_brain.nii", "007_brain"),
        ("P_1.gz", "P_1.gz"),
        ("1.2.840.7", "1.2.840.7"),
        (".png", ".png"),
    ],
)
def test_only_the_suffix_of_an_image_is_cut_off(name, stem):
    assert image_stem(name) == stem


@pytest.fixture
def studies(tmp_path):
    """Two series of three slices, one in a NIfTI file, and a radiograph."""
    for number in range(2):
        values = np.full((3, 4, 5), float(number), np.float32)
        slices = make_slices(values, series=f"1.2.{number}")
        write_slices(tmp_path / f"patient{number}" / "ct", slices)
    (tmp_path / "patient0" / "head.nii.gz").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    return tmp_path


def test_a_folder_of_a_series_is_one_image(studies):
    expected = ["patient0/ct", "patient0/head.nii.gz", "patient1/ct"]
    assert found(studies, "", volumes=True) == expected
    assert found(studies, "patient1", volumes=True) == ["patient1/ct"]
    assert found(studies, "patient1/ct", volumes=True) == ["patient1/ct"]
    assert found(studies, "*/ct", volumes=True) == ["patient0/ct", "patient1/ct"]
    # As radiographs, all slices are images.
    assert len(found(studies, "")) == 6


def test_slices_of_one_series_are_one_image(studies):
    given = ["patient1/ct/*.dcm", "patient0/ct/001.dcm", "patient0/ct/002.dcm"]
    expected = ["patient1/ct/000.dcm", "patient0/ct/001.dcm"]
    assert found(studies, *given, volumes=True) == expected
    given = ["patient0/ct", "patient0/ct/001.dcm"]
    assert found(studies, *given, volumes=True) == ["patient0/ct"]
    assert found(studies, *given[::-1], volumes=True) == ["patient0/ct/001.dcm"]


def test_a_slice_is_kept_beside_its_folder_of_several_series(studies):
    folder = studies / "patient0" / "ct"
    other = make_slices(np.zeros((2, 4, 5), np.float32), series="9.9")
    for number, dataset in enumerate(other):
        dataset.save_as(folder / f"other{number}", enforce_file_format=True)
    given = ["patient0/ct", "patient0/ct/001.dcm", "patient0/ct/other1"]
    given += ["patient0/ct/000.dcm"]
    assert found(studies, *given, volumes=True) == given[:3]


def test_a_folder_of_several_series_is_one_image_that_cannot_be_read(studies):
    other = make_slices(np.zeros((2, 4, 5), np.float32), series="9.9")
    for number, dataset in enumerate(other):
        dataset.save_as(studies / "patient1" / "ct" / f"other{number}")
    assert "patient1/ct" in found(studies, "", volumes=True)
    with pytest.raises(DataError, match=f"{studies}/patient1/ct: .* 2 series"):
        read_series(studies / "patient1" / "ct")
    assert found(studies, "patient1/ct/other1", volumes=True) == ["patient1/ct/other1"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_path_in_another_unicode_form(tmp_path, form):
    """As copied from a system that writes names in another form."""
    on_disk = tmp_path / unicodedata.normalize(form, "M\u00fcller") / "a.png"
    on_disk.parent.mkdir()
    on_disk.touch()
    for other in ("NFC", "NFD"):
        given = unicodedata.normalize(other, str(on_disk))
        assert find_images([given], volumes=False) == [on_disk]
