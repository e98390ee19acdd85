"""A dataset that was prepared from other files is not served for these."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets._shared.originals import Originals
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.series_files import SeriesFolders

ROOT = Path(__file__).resolve().parents[3]


def change(root, path, text="x"):
    """A change that keeps the size."""
    old = (root / path).read_bytes()
    (root / path).write_bytes(text.encode() + old[len(text) :])
    os.utime(root / path, ns=(1, 1))


def remove(root, path):
    (root / path).unlink()


def add(root, path):
    (root / path).write_bytes(b"new")


def touch(root, path):
    os.utime(root / path, ns=(1, 1))


@pytest.fixture
def files(tmp_path):
    root = tmp_path / "files"
    for name in ("t.csv", "a.png", "b.png", "series/1.dcm", "series/2.dcm"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(f"{name} 123".encode())
    return root


def originals(root):
    tables = sorted(root.glob("*.csv"))
    images = [*sorted(root.glob("*.png")), root / "series"]
    return Originals(root, tables, images, SeriesFolders().files_of)


@pytest.mark.parametrize(
    "what, path, tables, images",
    [
        (touch, "a.png", [], []),
        (touch, "t.csv", [], []),
        (change, "t.csv", ["the table t.csv"], []),
        (remove, "t.csv", ["the table t.csv is gone"], []),
        (add, "u.csv", ["the table u.csv is new"], []),
        (change, "a.png", [], ["the image a.png has other bytes"]),
        (add, "a.png", [], ["the image a.png has other bytes"]),  # another size
        (remove, "b.png", [], ["the image b.png is gone"]),
        (add, "c.png", [], ["the image c.png is new"]),
        (change, "series/2.dcm", [], ["the image series/2.dcm has other bytes"]),
        (add, "series/3.dcm", [], ["the image series/3.dcm is new"]),
    ],
)
def test_changes(files, tmp_path, what, path, tables, images):
    before = originals(files)
    for image in (files / "a.png", files / "series"):
        before.hash_image(image)
    before.write(tmp_path)
    what(files, path)
    now, stored = originals(files), json.loads(json.dumps(before.digest()))
    assert now.changed_tables(stored) == tables
    assert now.changed_images(stored, tmp_path) == images
    (tmp_path / "originals.csv").unlink()
    # Without the list, names and sizes are compared.
    is_seen = bool(images) and what is not change
    words = ["names or sizes of images"] if is_seen else []
    assert now.changed_images(stored, tmp_path) == words


def test_a_change_of_another_slice_of_a_named_series(tmp_path):
    """The table names one slice; its volume is made of all slices of the series."""
    values = np.zeros((3, 4, 5), np.float32)
    folder = tmp_path / "files" / "ct"
    soft = write_slices(folder, make_slices(values, series="1.1"))
    write_slices(folder / "bone", make_slices(values, series="1.2"))
    (bone, *_) = [file.rename(folder / f"b{file.name}") for file in folder.glob("*/*")]

    def now():
        return Originals(folder, [], soft[1:2], SeriesFolders().files_of)

    before = now()
    before.hash_image(soft[1])
    before.write(tmp_path)
    change(folder, bone.name)
    assert now().changed_images(before.digest(), tmp_path) == []
    data = soft[0].read_bytes()
    soft[0].write_bytes(data[:-1] + b"x")
    os.utime(soft[0], ns=(1, 1))
    assert now().changed_images(before.digest(), tmp_path) == [
        f"the image {soft[0].name} has other bytes"
    ]


def test_many_changes_are_counted(files, tmp_path):
    before = originals(files)
    before.write(tmp_path)
    shutil.rmtree(files / "series")
    for number in range(3):
        add(files, f"{number}.png")
    now = Originals(files, [], sorted(files.glob("*.png")))
    assert now.changed_images(before.digest(), tmp_path) == [
        "2 images are gone, such as series/1.dcm",
        "3 images are new, such as 0.png",
    ]


def test_a_list_that_cannot_be_read_is_said(files, tmp_path, caplog):
    now = originals(files)
    (tmp_path / "originals.csv").write_text("file,size\na.png,many\n")
    assert now.changed_images(now.digest(), tmp_path) == []
    assert "originals.csv: this list cannot be read" in caplog.text


@pytest.fixture
def hannover(tmp_path):
    root = tmp_path / "H"
    shutil.copytree(ROOT / "datasets" / "hannover" / "dummy_data", root)
    return root


def again(root, tmp_path, **options):
    return prepare.prepare_dataset(
        "hannover", root, tmp_path / "D", config="full_8", **options
    )


def test_changed_originals_are_never_served_silently(hannover, tmp_path):
    assert again(hannover, tmp_path).compared
    assert again(hannover, tmp_path).reused
    # The same files elsewhere are the same.
    copy = tmp_path / "copy"
    shutil.copytree(hannover, copy)
    assert again(copy, tmp_path).compared
    table = hannover / "data.csv"
    table.write_text(table.read_text().replace("pd,d1,m", "pe,d1,m"))
    with pytest.raises(DataError, match=r"since: the table data\.csv\..*--overw"):
        again(hannover, tmp_path)
    assert again(copy, tmp_path).reused
    cv2.imwrite(str(copy / "png" / "e1.png"), np.eye(9, dtype=np.uint8))
    with pytest.raises(DataError, match=r"the image png/e1\.png is new"):
        again(copy, tmp_path)
    assert not again(copy, tmp_path, overwrite=True).reused
    assert again(copy, tmp_path).reused


def test_what_earlier_versions_have_prepared_is_served_with_a_note(hannover, tmp_path):
    path = again(hannover, tmp_path).path / "metadata.json"
    metadata = json.loads(path.read_text())
    del metadata["originals"]
    path.write_text(json.dumps(metadata))
    (path.parent / "originals.csv").unlink()
    found = again(hannover, tmp_path)
    assert found.reused and not found.compared
    assert "an earlier version has prepared it" in found.note
