"""Phantoms through the real builders: what was drawn is what training reads."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data import embedded
from mdmt_tf.data.sources import open_dataset, open_datasets
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.errors import DataError
from mdmt_tf.phantoms import write

COUNTS = {
    "aiforcovid_patients": 12,
    "brixia_patients": 6,
    "hannover_patients": 4,
    "cohen_brixia_patients": 5,
}
FIELDS = {
    "aiforcovid": "prognosis",
    "brixia": "brixia_global",
    "hannover": "severe",
    "cohen_brixia": "brixia_global",
}


def settings(folder, data_dir, **changes):
    values, _ = files.read("phantom")
    values |= {
        "data_dir": str(data_dir),
        "phantoms": COUNTS | {"matrix": 96} | changes,
        "datasets": {name: {"config": "full_64"} for name in FIELDS},
        "tasks": {
            name: {"kind": "regression", "from": {name: field}}
            for name, field in FIELDS.items()
        },
    }
    values["training"]["select_on"] = {"task": "brixia", "metric": "loss"}
    path = folder / "settings.yaml"
    files.write(values, path)
    return config.load(str(path))


@pytest.fixture(scope="module")
def provided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    lines = []
    ready = embedded.provide(settings(folder, folder / "data"), lines.append)
    assert lines == [f"synthetic images in {folder / 'data'}\n"]
    return ready


@pytest.fixture(scope="module")
def truth(provided):
    path = Path(provided.data_dir) / "originals" / "phantom_truth.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["dataset"].lower(), Path(row["file"]).stem): row for row in rows}


@pytest.mark.parametrize("name", FIELDS)
def test_every_builder_reads_its_phantoms_whole(provided, truth, name):
    dataset = open_dataset(provided.data_dir, name, "full_64")
    assert dataset.synthetic
    assert dataset.image_shape == (64, 64, 1)
    drawn = {image for of, image in truth if of == name}
    ids = {Path(image).stem for image in dataset.table["image_id"]}
    assert ids == drawn
    with (dataset.folder / "rejected.csv").open() as file:
        assert list(csv.DictReader(file)) == []


def test_labels_are_those_that_were_drawn(provided, truth):
    table = open_dataset(provided.data_dir, "aiforcovid", "full_64").table
    for image, outcome, site in zip(
        table["image_id"], table["prognosis"], table["site"], strict=True
    ):
        row = truth["aiforcovid", image]
        assert (int(row["severe"]), row["site"]) == (outcome, site)
    table = open_dataset(provided.data_dir, "cohen_brixia", "full_64").table
    for image, zones, total in zip(
        table["image_id"], table["brixia_scores"], table["brixia_global"], strict=True
    ):
        row = truth["cohen_brixia", Path(image).stem]
        assert [int(row[zone]) for zone in "ABCDEF"] == zones.tolist()
        assert int(row["brixia_global"]) == total


@pytest.mark.parametrize("name", FIELDS)
def test_bone_is_bright_whatever_the_file_says(provided, name):
    """MONOCHROME1, windows, tables and depths end in one polarity and range."""
    from mdmt_tf.data.images import Images

    dataset = open_dataset(provided.data_dir, name, "full_64")
    pixels = Images([dataset], (64, 64)).gather(np.arange(len(dataset))).numpy()
    spine_and_heart = pixels[:, 20:50, 28:36].mean(axis=(1, 2, 3))
    # Inverted, the middle is darker than the rest. Bright films have little contrast.
    assert (spine_and_heart > 1.02 * pixels.mean(axis=(1, 2, 3))).all()
    assert (pixels.max(axis=(1, 2, 3)) > 180).all()


def test_what_is_there_is_not_made_again(provided, tmp_path):
    folder = Path(provided.data_dir)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = embedded.provide(settings(tmp_path, folder), lambda line: None)
    assert again == provided
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_plan_does_not_overwrite(provided, tmp_path):
    other = settings(tmp_path, provided.data_dir, seed=5)
    with pytest.raises(DataError, match="holds phantoms of another plan"):
        embedded.provide(other, lambda line: None)


def test_real_data_are_left_alone(tmp_path):
    loaded = config.load("open_cxr", [f"data_dir={tmp_path}"])
    assert embedded.provide(loaded, lambda line: None) is loaded
    assert not list(tmp_path.iterdir())


MIXED = [
    "phantoms={synthetic_cxr_patients: 4, matrix: 64}",
    "datasets={beta: {config: full_256}, synthetic_cxr: {config: lungs_32, "
    "auxiliary: true}}",
    "tasks={grade: {kind: regression, from: {beta: total, synthetic_cxr: "
    "brixia_global}}}",
    "training.select_on={task: grade, metric: loss}",
]


def test_synthetic_images_beside_real_ones(data_dir, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = sorted(Path(data_dir).iterdir())
    loaded = config.load("phantom", [*MIXED, f"data_dir={data_dir}"])
    assert loaded.drawn_datasets == ["synthetic_cxr"]
    ready = embedded.provide(loaded, lambda line: None)
    assert ready.data_dir == str(data_dir)
    assert sorted(Path(data_dir).iterdir()) == before
    place = Path(ready.datasets["synthetic_cxr"].data_dir)
    assert tmp_path in place.parents and ready.datasets["beta"].data_dir is None
    real, drawn = open_datasets(ready.data_dir, ready.dataset_versions)
    assert (real.name, real.synthetic, len(real)) == ("beta", False, 23)
    assert (drawn.synthetic, len(drawn)) == (True, 4)
    assert set(drawn.table["box_source"]) == {"lungs"}
    # The settings of a run: the images are drawn again if they are gone.
    assert embedded.provide_again(ready) is ready
    shutil.rmtree(place)
    assert embedded.provide_again(ready) == ready
    (again,) = open_datasets(None, {"synthetic_cxr": ("lungs_32", None, str(place))})
    assert again.fingerprint == drawn.fingerprint


def test_synthetic_images_alone_do_not_go_among_real_ones(
    data_dir, monkeypatch, tmp_path
):
    """An experiment that reads the synthetic datasets of a mixed configuration."""
    drawn = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        write, "write_phantoms", lambda root, *_, **__: drawn.append(root)
    )
    monkeypatch.setattr(prepare, "prepare_dataset", lambda *_, **__: None)
    alone = "datasets={synthetic_cxr: {config: full_32}}"
    task = "tasks.grade.from={synthetic_cxr: brixia_global}"
    loaded = config.load("phantom", [*MIXED, f"data_dir={data_dir}", alone, task])
    ready = embedded.provide(loaded, lambda line: None)
    assert ready.data_dir == str(data_dir)
    (root,) = drawn
    assert tmp_path in root.parents
    assert ready.datasets["synthetic_cxr"].data_dir == str(root.parent)


def test_each_plan_has_a_folder_of_its_own_in_the_cache(monkeypatch, tmp_path):
    from mdmt_tf.phantoms.write import PhantomPlan

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, two = (
        embedded._cache_folder(1, PhantomPlan(brixia_patients=3, seed=seed))
        for seed in (0, 1)
    )
    assert one != two
    assert tmp_path in one.parents
