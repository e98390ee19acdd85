"""`python -m mdmt_tf.evaluate`, and other commands on a run whose data have moved."""

import shutil

import pandas as pd
import pytest
from command_lines import run

from mdmt_tf import config, evaluate, explain, train
from mdmt_tf.config import files
from mdmt_tf.errors import DataError
from mdmt_tf.training import trainer


def test_an_unfinished_run_cannot_be_evaluated(tmp_path):
    (tmp_path / "config.yaml").write_text("experiment: x\n")
    result = run("-m", "mdmt_tf.evaluate", str(tmp_path))
    assert result.returncode == 2
    assert "the run is not finished" in result.stderr


@pytest.fixture(scope="module")
def settings(tiny_backbone, data_dir, tmp_path_factory):
    """Settings of a small run whose data can be moved."""
    folder = tmp_path_factory.mktemp("moved")
    shutil.copytree(data_dir, folder / "before")
    grade = {"kind": "ordinal", "cut_points": [1, 2, 3], "from": {"beta": "grade"}}
    outcome = {
        "kind": "binary",
        "classes": ["mild", "severe"],
        "from": {"alpha": "outcome"},
    }
    values = {
        "experiment": "small",
        "image_size": 32,
        "data_dir": str(folder / "before"),
        "tasks": {"outcome": outcome, "grade": grade},
        "datasets": {name: {"config": "full_256"} for name in ("alpha", "beta")},
        "split": {"folds": 3},
        "model": {"backbone": tiny_backbone},
        "training": {
            "epochs": 3,
            "batch_size": 8,
            "warmup_epochs": 1,
            "tensorboard": False,
            "saved_model": False,
            "select_on": {"task": "outcome"},
        },
    }
    files.write(values, folder / "settings.yaml")

    def settings(name):
        return config.load(str(folder / "settings.yaml"), [f"run_dir={folder / name}"])

    return settings


@pytest.fixture(scope="module")
def finished(settings):
    return trainer.train(settings("run"))


@pytest.fixture(scope="module")
def interrupted(settings):
    """The folder of the same run, stopped in its second epoch."""

    def write(text):
        if text.lstrip().startswith("2/"):
            raise KeyboardInterrupt

    cut = settings("interrupted")
    with pytest.raises(KeyboardInterrupt):
        trainer.train(cut, write=write)
    return cut.run_dir


@pytest.fixture(scope="module")
def moved(finished, interrupted):
    """The folder to which the data of both runs have moved."""
    before = finished.path.parent / "before"
    return before.rename(before.with_name("after"))


def test_a_run_is_evaluated_after_its_data_moved(finished, moved, capsys):
    with pytest.raises(DataError, match="before: no such folder.*--data-dir DIR"):
        evaluate.main([str(finished.path)])
    assert evaluate.main([str(finished.path), "--data-dir", str(moved)]) == 0
    printed = capsys.readouterr().out
    assert "reproduces" in printed and "validation" in printed


def test_it_is_explained_there_too(finished, moved, tmp_path):
    out = ["--out", str(tmp_path / "maps")]
    with pytest.raises(DataError, match="before: no such folder"):
        explain.main([str(finished.path), *out])
    explain.main([str(finished.path), "--most", "1", "--data-dir", str(moved), *out])
    assert len(pd.read_csv(tmp_path / "maps" / "saliency.csv"))


@pytest.mark.parametrize("written", ["--data-dir {}", "data_dir={}"])
def test_an_interrupted_run_is_resumed_there(
    written, interrupted, finished, moved, tmp_path, capsys
):
    copy = shutil.copytree(interrupted, tmp_path / "copy")
    with pytest.raises(DataError, match="before: no such folder"):
        train.main(["--resume", str(copy)])
    train.main(["--resume", str(copy), *written.format(moved).split()])
    expected = finished.predictions.read_bytes()
    assert (copy / "predictions.csv").read_bytes() == expected
    assert f"evaluate {copy} --data-dir {moved}" in capsys.readouterr().out


def test_data_dir_of_a_new_run_is_a_setting(capsys):
    with pytest.raises(SystemExit):
        train.main(["--data-dir", "DATA"])
    assert "--data-dir is for --resume; write data_dir=DIR" in capsys.readouterr().err
