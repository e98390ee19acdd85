import os
from pathlib import Path

import numpy as np
import pytest
from made_series import make_slices, write_slices

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.memory_files import open_memory_file
from mdmt_tf.imaging.series import read_series
from mdmt_tf.imaging.series_files import find_series
from mdmt_tf.serving.web import items
from mdmt_tf.serving.web.uploads import Upload


@pytest.fixture
def upload():
    """A function that makes uploads of paths, with their names below a folder."""
    opened = []

    def make(root, *paths):
        for path in paths:
            file = open_memory_file()
            file.write(path.read_bytes())
            opened.append(Upload(str(path.relative_to(root)), file))
        return opened[-len(paths) :]

    yield make
    for one in opened:
        one.file.close()


def series(folder, uid="1.2.3.4"):
    """Four slices of values from 0 to 300 HU in a new folder."""
    values = np.arange(4 * 6 * 5, dtype=float).reshape(4, 6, 5) * 2.5
    return sorted(write_slices(folder, make_slices(values, series=uid)))


def test_a_radiograph_is_an_item_of_its_own(tmp_path, upload):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    files = upload(tmp_path, tmp_path / "a.png", tmp_path / "b.png")
    found = items.items_of(files, are_volumes=False)
    assert [(one.name, one.path) for one in found] == [
        ("a.png", files[0].path),
        ("b.png", files[1].path),
    ]


def test_the_slices_of_a_series_are_one_item(tmp_path, upload):
    paths = series(tmp_path / "ct")
    (tmp_path / "a.nii").write_bytes(b"x")
    files = upload(tmp_path, tmp_path / "a.nii", *paths)
    other, volume = items.items_of(files, are_volumes=True)
    assert other.path == files[0].path and volume.name == "ct"
    expected, found = read_series(tmp_path / "ct"), read_series(volume.path)
    np.testing.assert_array_equal(found.values, expected.values)
    # The folder holds links alone: no pixels, and no names.
    links = [os.readlink(volume.path / name) for name in os.listdir(volume.path)]
    assert sorted(links) == sorted(str(one.path) for one in files[1:])
    assert not {path.name for path in paths} & set(os.listdir(volume.path))
    items.remove_links([other, volume])
    assert not volume.path.exists() and files[1].path.exists()


def test_files_without_a_folder_are_a_volume_for_each_series(tmp_path, upload):
    first = series(tmp_path / "a")
    second = series(tmp_path / "b", uid="9")
    files = [*upload(tmp_path / "a", *first), *upload(tmp_path / "b", *second)]
    files = [files[0], *files[4:], *files[1:4]]
    found = items.items_of(files, are_volumes=True)
    assert [one.name for one in found] == [first[0].name, second[0].name]
    assert [len(os.listdir(one.path)) for one in found] == [4, 4]
    items.remove_links(found)


def test_series_in_one_folder_are_an_error_as_for_predict(tmp_path, upload):
    paths = series(tmp_path / "ct")
    more = [
        path.rename(tmp_path / "ct" / f"x{path.name}")
        for path in series(tmp_path / "other", uid="9")
    ]
    (volume,) = items.items_of(upload(tmp_path, *paths, *more), are_volumes=True)
    same_error(volume, tmp_path, "2 series")


def test_the_same_series_in_two_folders_is_two_items(tmp_path, upload):
    paths = series(tmp_path / "a") + series(tmp_path / "b")
    found = items.items_of(upload(tmp_path, *paths), are_volumes=True)
    assert [(one.name, one.error) for one in found] == [("a", ""), ("b", "")]
    items.remove_links(found)


def test_parts_of_one_volume_have_an_error_as_for_predict(tmp_path, upload):
    paths = series(tmp_path / "a")
    (tmp_path / "b").mkdir()
    paths[2:] = [path.rename(tmp_path / "b" / path.name) for path in paths[2:]]
    paths += series(tmp_path / "c", uid="9")
    found = items.items_of(upload(tmp_path, *paths), are_volumes=True)
    items.remove_links(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(DataError) as expected:
            find_series(["a", "b", "c"])
    assert [one.name for one in found] == ["a", "b", "c"]
    assert found[0].error == str(expected.value) and not found[2].error
    assert found[1].error.startswith("b: ") and "here and in a." in found[1].error


def test_what_is_wrong_names_the_files_of_the_client(tmp_path, upload):
    paths = series(tmp_path / "ct")
    paths[1].write_bytes(paths[2].read_bytes())
    (volume,) = items.items_of(upload(tmp_path, *paths), are_volumes=True)
    same_error(volume, tmp_path, f"{paths[1].name}, {paths[2].name}")


def test_a_damaged_file_is_one_of_its_folder(tmp_path, upload):
    paths = series(tmp_path / "ct")
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    (volume,) = items.items_of(upload(tmp_path, *paths), are_volumes=True)
    same_error(volume, tmp_path, "at equal distances")


def same_error(volume, root, text):
    """The error about an item is that about the folder of the client."""
    with pytest.raises(DataError) as found:
        read_series(volume.path)
    items.remove_links([volume])
    with (
        pytest.raises(DataError, match=text) as expected,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(root)
        read_series("ct")
    assert volume.named(str(found.value)) == str(expected.value)


def test_only_the_own_path_is_replaced():
    one = items.Item("a.png", Path("/proc/7/fd/1"))
    text = "/proc/7/fd/1: is not /proc/7/fd/12; /proc/7/fd/1"
    assert one.named(text) == "a.png: is not /proc/7/fd/12; a.png"
