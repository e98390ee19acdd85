import csv

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.saliency import earlier


def write_maps(folder, *names, volume=""):
    """A table with maps of images, as an earlier call wrote them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "saliency.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_id", "task", "method", "file", "volume"])
        for name in names:
            picture = f"{name}/age-grad_cam.png"
            writer.writerow([name, "age", "grad_cam", picture, volume])
            (folder / name).mkdir(exist_ok=True)
            (folder / picture).touch()


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_that_is_new_or_empty_is_taken(tmp_path):
    earlier.check_folder(tmp_path, overwrite=False)
    earlier.check_folder(tmp_path / "new", overwrite=False)
    earlier.remove_maps(tmp_path / "new")


def test_a_folder_with_files_needs_a_word(tmp_path):
    write_maps(tmp_path, "a")
    with pytest.raises(ConfigError, match="expected an empty folder.*--overwrite"):
        earlier.check_folder(tmp_path, overwrite=False)
    earlier.check_folder(tmp_path, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_no_folder(tmp_path, overwrite):
    (tmp_path / "maps").touch()
    with pytest.raises(ConfigError, match="expected a folder. Received: a file"):
        earlier.check_folder(tmp_path / "maps", overwrite)


def test_maps_of_one_and_of_several_models_are_removed(tmp_path):
    write_maps(tmp_path, "a", "b", volume="a/age-grad_cam.nii.gz")
    (tmp_path / "a" / "age-grad_cam.nii.gz").touch()
    write_maps(tmp_path / "model_1", "a")
    write_maps(tmp_path / "model_2", "a")
    earlier.remove_maps(tmp_path)
    assert files_in(tmp_path) == []


def test_other_files_remain(tmp_path):
    write_maps(tmp_path / "model_1", "a", "b")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "model_1" / "a" / "mine.png").touch()
    earlier.remove_maps(tmp_path)
    assert files_in(tmp_path) == [
        "model_1",
        "model_1/a",
        "model_1/a/mine.png",
        "notes.txt",
    ]


@pytest.mark.parametrize(
    "name",
    ["../mine.png", "{outside}/mine.png", "mine.png", "link/mine.png", "a/b.txt"],
)
def test_a_table_removes_nothing_outside_its_folder(tmp_path, name):
    outside, folder = tmp_path / "outside", tmp_path / "maps"
    outside.mkdir()
    write_maps(folder, "a", volume=name.format(outside=outside))
    (folder / "link").symlink_to(outside)
    kept = [
        tmp_path / "mine.png",
        outside / "mine.png",
        folder / "mine.png",
        folder / "a" / "b.txt",
    ]
    for path in kept:
        path.touch()
    earlier.remove_maps(folder)
    assert all(path.exists() for path in kept)


def test_another_table_is_not_replaced(tmp_path):
    (tmp_path / "saliency.csv").write_text("patient,score\n1,2\n")
    with pytest.raises(ConfigError, match="not a table of saliency maps"):
        earlier.check_folder(tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="not a table of saliency maps"):
        earlier.remove_maps(tmp_path)
    assert files_in(tmp_path) == ["saliency.csv"]
