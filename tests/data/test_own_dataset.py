"""A declared dataset is prepared when it is first trained on."""

import contextlib

import cv2
import numpy as np
import pytest

from mdmt_tf import benchmark, config
from mdmt_tf.data import own_dataset
from mdmt_tf.data.sources import open_dataset, prepared_configs
from mdmt_tf.errors import DataError

DECLARED = """\
dataset:
  name: ward
  images: films
  tables: t.csv
  columns: {image: file}
  labels: {died: {column: died, classes: {0: "no", 1: "yes"}}}
  preprocess: full_64
tasks:
  died: {kind: binary, classes: ["no", "yes"], from: {ward: died}}
model: {backbone: shufflenet_v2_x0_5}
training: {epochs: 2, warmup_epochs: 0}
"""


@pytest.fixture
def ward(tmp_path):
    """A configuration with its films; returns its path."""
    (tmp_path / "films").mkdir()
    rows = ["file,died"]
    for n in range(6):
        film = np.tile(np.arange(n, n + 160, 2, dtype=np.uint8), (70, 1))
        cv2.imwrite(str(tmp_path / f"films/i{n}.png"), film)
        rows.append(f"i{n}.png,{n % 2}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    (tmp_path / "ward.yaml").write_text(DECLARED)
    return tmp_path / "ward.yaml"


def provide(settings, path):
    lines = []

    def no_bar(name):
        return contextlib.nullcontext(lambda done, total: None)

    own_dataset.provide(settings, str(path), lines.append, no_bar)
    return "".join(lines)


def test_it_is_prepared_once(ward, tmp_path):
    folder = tmp_path / "DATA"
    settings = config.load(str(ward), [f"data_dir={folder}"])
    text = provide(settings, ward)
    assert text.startswith(f"preparing ward into {folder}, once\n")
    assert len(open_dataset(folder, "ward", "full_64")) == 6
    # Its tables are not looked at any more.
    (tmp_path / "t.csv").unlink()
    assert provide(settings, ward) == ""


def test_another_preprocessing_is_prepared_beside_it(ward, tmp_path):
    overrides = [f"data_dir={tmp_path}/DATA", "datasets.ward.config=full_32"]
    provide(config.load(str(ward), overrides), ward)
    assert prepared_configs(tmp_path / "DATA", "ward") == ["full_32"]


def test_without_writing_the_command_that_prepares_it_is_told(ward, tmp_path):
    folder = tmp_path / "DATA"
    settings = config.load(str(ward), [f"data_dir={folder}"])
    with pytest.raises(DataError, match="'ward' is not prepared") as caught:
        own_dataset.require(settings, str(ward))
    told = str(caught.value).partition("Prepare it: ")[2]
    assert told.endswith(f"-m mdmt_tf.prepare {ward} --data-dir {folder}")
    assert not folder.exists()
    provide(settings, ward)
    own_dataset.require(settings, str(ward))


def test_what_is_missing_is_named(ward, tmp_path):
    (tmp_path / "t.csv").unlink()
    settings = config.load(str(ward), [f"data_dir={tmp_path}/DATA"])
    with pytest.raises(DataError, match=r"t\.csv"):
        provide(settings, ward)


def test_a_benchmark_prepares_it_too(ward, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    grid = "benchmark: {backbones: [shufflenet_v2_x0_5], experiments: "
    grid += "{image: {tasks: [died]}}, cross_validation: {cv: {kind: kfold, folds: 3}}}"
    ward.write_text(f"{DECLARED}{grid}\n")
    for _ in range(2):
        command = ["--config", "ward.yaml", "--plan", "data_dir=DATA", "run_dir=grid"]
        assert not benchmark.main([*command, "model.weights=null"])
    text = capsys.readouterr().out
    assert text.count("preparing ward into DATA, once\n") == 1
    assert len(open_dataset("DATA", "ward", "full_64")) == 6
    assert (tmp_path / "grid" / "splits").is_dir()


def test_other_configurations_need_nothing(tmp_path):
    assert provide(config.load("phantom"), "phantom") == ""
