"""Finding a dataset and its images in the user's files."""

import json

import pytest

from mdmt_tf.datasets._shared.manual_files import (
    ImageFiles,
    find_root,
    optional_file,
    synthetic_details,
)
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import DataError


@pytest.mark.parametrize("given", [".", "BRIXIA"])
@pytest.mark.parametrize("folder", ["BRIXIA", "Brixia"])
def test_root_or_the_folder_around_it(tmp_path, given, folder):
    (tmp_path / "BRIXIA" / "dicom_clean").mkdir(parents=True)
    found = find_root(tmp_path / given, folder, ["table.csv", "dicom_clean"])
    assert found == tmp_path / "BRIXIA"


def test_no_root(tmp_path):
    (tmp_path / "BRIXIA").mkdir()
    assert find_root(tmp_path, "BRIXIA", ["table.csv"]) is None
    assert find_root(tmp_path / "none", "BRIXIA", ["table.csv"]) is None


@pytest.fixture
def images(tmp_path):
    for name in ("a/P_1.dcm", "a/x.y.png", "a/two.png", "a/two.dcm", "b/P_2"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "a" / "._P_1.dcm").touch()
    (tmp_path / "a" / "folder").mkdir()
    return ImageFiles(tmp_path, ["a", "b"])


@pytest.mark.parametrize(
    "name, found",
    [
        ("P_1.dcm", "a/P_1.dcm"),
        ("P_1", "a/P_1.dcm"),
        ("p_1.PNG", "a/P_1.dcm"),
        ("P_2.dcm", "b/P_2"),
        ("x.y", "a/x.y.png"),
        ("two.dcm", "a/two.dcm"),
    ],
)
def test_images_are_found(images, name, found):
    assert images.relative(images.find(name)) == found


def test_images_that_are_not_there(images):
    with pytest.raises(RowError, match="image missing: there is no file for 'P_3'"):
        images.find("P_3")
    with pytest.raises(RowError, match=r"'two' may be a/two\.dcm, a/two\.png"):
        images.find("two")


def test_all_images_of_a_name(images):
    names = [images.relative(path) for path in images.find_all("two")]
    assert names == ["a/two.dcm", "a/two.png"]
    assert [images.relative(path) for path in images.find_all("TWO.png")] == names[1:]
    assert images.find_all("none") == []
    assert not [path for path in images.not_requested() if path.stem == "two"]


def test_images_that_nobody_requested(images):
    images.find("P_1")
    images.find("two.png")
    names = [images.relative(path) for path in images.not_requested()]
    assert names == ["a/two.dcm", "a/x.y.png", "b/P_2"]


def test_an_optional_file_in_any_case(tmp_path):
    (tmp_path / "Metadata.CSV").touch()
    assert optional_file(tmp_path, "metadata.csv").name == "Metadata.CSV"
    assert not optional_file(tmp_path, "groups.csv").exists()
    (tmp_path / "metadata.csv").touch()
    assert optional_file(tmp_path, "metadata.csv").name == "metadata.csv"
    assert not optional_file(tmp_path / "none", "metadata.csv").exists()


def test_synthetic_beside_or_within(tmp_path):
    root = tmp_path / "BRIXIA"
    root.mkdir()
    assert synthetic_details(root) is None
    (tmp_path / "SYNTHETIC.json").write_text(json.dumps({"seed": 1}))
    assert synthetic_details(root) == {"seed": 1}
    (root / "SYNTHETIC.json").write_text(json.dumps({"seed": 2}))
    assert synthetic_details(root) == {"seed": 2}
    (root / "SYNTHETIC.json").write_text("true")
    assert synthetic_details(root) == {"synthetic": True}


def test_synthetic_files_of_a_dataset_whose_files_are_anywhere(tmp_path):
    root, other = tmp_path / "a" / "study", tmp_path / "b" / "phantoms"
    image = root / "drawn" / "images" / "deep" / "1.png"
    table = other / "tables" / "data.csv"
    files = [root / "own.csv", image, table]
    for folder in (image.parent, table.parent):
        folder.mkdir(parents=True)
    # Elsewhere it says nothing about these files.
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    assert synthetic_details(root, files) is None
    for marked in (root / "drawn", image.parent, other, other / "tables", root.parent):
        mark = marked / "SYNTHETIC.json"
        mark.write_text(json.dumps({"seed": 3}))
        assert synthetic_details(root, files) == {"seed": 3}
        mark.unlink()


def test_an_unreadable_note_is_not_taken_for_none(tmp_path):
    (tmp_path / "SYNTHETIC.json").write_text("{")
    with pytest.raises(DataError, match=r"SYNTHETIC\.json: expected a JSON object"):
        synthetic_details(tmp_path)
