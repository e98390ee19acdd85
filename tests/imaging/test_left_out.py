"""Files of folders that look like images and are not taken."""

import gzip
import os

import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.errors import DataWarning
from mdmt_tf.imaging.image_files import find_images
from mdmt_tf.imaging.left_out import left_out, warn_left_out

DICOM = bytes(128) + b"DICM"
NIFTI = b"\x5c\x01\0\0" + bytes(600)
FILES = {
    "a.dcm": b"x",
    "by_preamble": DICOM,
    "bare": b"\x08\0\x05\0CS",
    "photo.jpe": b"\xff\xd8\xff\xe0",
    "picture": b"\x89PNG\r\n\x1a\n",
    "v/scan.nii.gz": b"x",
    "v/scan.bin": NIFTI,
    "v/packed": gzip.compress(NIFTI),
    "b.bmp": b"BM",
    "c.WEBP": b"RIFF",
    "d.jp2": b"x",
    "e.dcm.gz": b"x",
    "f.zip": b"PK\3\4",
    "g": gzip.compress(DICOM),
    "h.nrrd": b"NRRD",
    "pair.hdr": NIFTI,
    # No images.
    "t.csv": b"BMI,age",
    "t.csv.gz": gzip.compress(b"BMI,age"),
    "t.xlsx": b"PK\3\4",
    "README": b"text",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    ".DS_Store": b"\x89PNG",
    "DICOMDIR": DICOM,
    "empty": b"",
}
OTHERS = ["b.bmp", "c.WEBP", "d.jp2", "e.dcm.gz", "f.zip", "g", "h.nrrd", "pair.hdr"]
FILMS = ["a.dcm", "bare", "by_preamble", "photo.jpe", "picture"]
SCANS = ["v/packed", "v/scan.bin", "v/scan.nii.gz"]


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def relative(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


@pytest.mark.parametrize(
    ("volumes", "taken", "others"),
    [(False, FILMS, [*OTHERS, *SCANS]), (True, SCANS, [*OTHERS, *FILMS])],
)
def test_each_image_of_a_folder_is_taken_or_counted(folder, volumes, taken, others):
    images = find_images([folder], volumes, by_content=True)
    assert relative(images, folder) == taken
    found = left_out([folder], images, volumes)
    assert relative(found, folder) == sorted(others)
    pattern = folder.parent / f"[{folder.name[0]}]{folder.name[1:]}"
    assert left_out([pattern], images, volumes) == found


def test_files_that_are_named_are_not_left_out(folder):
    named = [folder / "b.bmp", folder / "a.dcm"]
    assert left_out(named, find_images(named, False, by_content=True), False) == []
    assert warn_left_out(named, named, False) == ""


def test_a_warning_counts_the_suffixes(folder):
    images = find_images([folder], False, by_content=True)
    message = r"11 files look like images.* 1 \..*Expected \.dcm.*name one"
    with pytest.warns(DataWarning, match=message) as warned:
        text = warn_left_out([folder], images, False)
    kinds = "2 without suffix, 1 .bmp, 1 .webp, 1 .jp2, 1 .dcm.gz, ..."
    assert text == f"11 files left out: {kinds}"
    assert f"such as {folder / 'b.bmp'}" in str(warned[0].message)
    for name in OTHERS[1:] + SCANS:
        (folder / name).unlink()
    with pytest.warns(DataWarning, match="1 file looks like an image, but is left out"):
        text = warn_left_out([folder], images, False)
    assert text == "1 file left out: 1 .bmp"


def test_slices_of_a_volume_are_not_left_out(tmp_path):
    values = np.arange(480, dtype=np.int16).reshape(6, 8, 10)
    write_slices(tmp_path / "a", make_slices(values))
    (tmp_path / "a" / "preview.png").write_bytes(b"x")
    images = find_images([tmp_path], True, by_content=True)
    assert images == [tmp_path / "a"]
    expected = [tmp_path / "a" / "preview.png"]
    assert left_out([tmp_path], images, True) == expected
    # One of the slices is named, and stands for them.
    first = min((tmp_path / "a").glob("*.dcm"))
    given = [first, tmp_path]
    images = find_images(given, True, by_content=True)
    assert images == [first] and left_out(given, images, True) == expected


def test_a_dataset_has_the_images_that_it_had_when_it_was_prepared(folder):
    films = relative(find_images([folder], False), folder)
    assert films == ["a.dcm", "by_preamble"]
    assert relative(find_images([folder], True), folder) == ["v/scan.nii.gz"]
