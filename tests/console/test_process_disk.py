"""Full disks and folders that are gone are named, and damage nothing.

A limit of the size of files stands for a full disk: the error comes from the same
calls, in the middle of a file.
"""

import functools
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from forked_commands import run_forked
from tiny_network import environment_of

from mdmt_tf.experiments.grid import Folder
from mdmt_tf.runs.folder import RunFolder

# Many processes. `.ci/run` runs them.
pytestmark = pytest.mark.large

DUMMY = Path(__file__).resolve().parents[2] / "datasets" / "hannover" / "dummy_data"
SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": {
        "outcome": {
            "kind": "categorical",
            "classes": ["mild", "severe"],
            "from": {"alpha": "outcome"},
        }
    },
    "datasets": {"alpha": {"config": "full_256"}},
    "split": {"folds": 3},
    "model": {"backbone": "tiny"},
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "warmup_epochs": 0,
        "tensorboard": False,
        "select_on": {"task": "outcome"},
    },
    "benchmark": {
        "backbones": ["tiny"],
        "cross_validation": {"cv": {"folds": 3}},
        "experiments": {"stl": {"tasks": ["outcome"]}},
    },
}


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """command(*words, most=bytes of a file): a command with small files alone."""
    environment = environment_of(tmp_path_factory.mktemp("site"))
    return functools.partial(run_forked, environment=environment)


@pytest.fixture(scope="module")
def settings(data_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "small.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | {"data_dir": str(data_dir)}))
    return path


@pytest.fixture(scope="module")
def run(command, settings, tmp_path_factory):
    """A finished run with a SavedModel."""
    path = tmp_path_factory.mktemp("runs") / "run"
    done = command("mdmt_tf.train", "--config", settings, f"run_dir={path}")
    assert done.returncode == 0, done.stderr
    return RunFolder(path)


def assert_named(done, *texts):
    assert "Traceback" not in done.stderr
    assert done.returncode == 2, done.stderr
    for text in ("File too large", *texts):
        assert text in done.stderr
    # Nothing is left under a temporary name.
    return done


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_prepare(command, tmp_path):
    words = ["mdmt_tf.prepare", "hannover", "--manual-dir", DUMMY]
    words += ["--data-dir", tmp_path, "--config", "full_8"]
    assert_named(command(*words, most=500), "hannover")
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert command(*words).returncode == 0
    # What is there survives an attempt to replace it.
    before = contents(tmp_path)
    assert_named(command(*words, "--overwrite", most=500))
    assert contents(tmp_path) == before


def test_train(command, settings, run, tmp_path):
    path = tmp_path / "new"
    words = ["mdmt_tf.train", "--config", settings, f"run_dir={path}"]
    assert_named(command(*words, most=1000), "run_dir")
    assert not list(tmp_path.iterdir())
    # The first large file is the state of the fit.
    limited = command(*words, most=20_000)
    assert_named(limited, "last.h5", f"--resume {path}")
    assert not list(path.rglob("*.partial"))
    done = command("mdmt_tf.train", "--resume", path)
    assert done.returncode == 0, done.stderr
    assert RunFolder(path).predictions.read_bytes() == run.predictions.read_bytes()


def test_evaluate(command, run, prepare, stored_pixels, tmp_path):
    rows = [
        {"image": stored_pixels(f"g{number}"), "image_id": f"g{number}"}
        | {"patient_id": f"g{number}", "site": "A", "outcome": outcome}
        for number, outcome in enumerate(["mild", "severe"] * 6)
    ]
    prepare(tmp_path / "data", "gamma", rows)
    words = ["mdmt_tf.evaluate", run.path, "--on", "gamma"]
    words += ["--data-dir", tmp_path / "data", "--out", tmp_path / "out"]
    assert_named(command(*words, most=500), "out")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert command(*words).returncode == 0
    before = contents(tmp_path / "out")
    assert_named(command(*words, "--overwrite", most=500))
    assert contents(tmp_path / "out") == before


def test_predict(command, run, tmp_path):
    image = np.tile(np.arange(64, dtype=np.uint8), (64, 1)) * 3
    cv2.imwrite(str(tmp_path / "a.png"), image)
    out = tmp_path / "answers.csv"
    words = ["mdmt_tf.predict", run.path, tmp_path / "a.png", "--out", out]
    assert_named(command(*words, most=50), "answers.csv")
    assert not out.exists()
    assert command(*words).returncode == 0
    before = out.read_bytes()
    assert_named(command(*words, "--overwrite", most=50))
    assert out.read_bytes() == before


def test_convert(command, tmp_path):
    import safetensors.numpy

    tensors = {
        "conv.weight": np.ones((8, 3, 3, 3), np.float32),
        **{f"norm.{n}": np.ones(8, np.float32) for n in ("weight", "bias")},
        **{f"norm.running_{n}": np.ones(8, np.float32) for n in ("mean", "var")},
    }
    safetensors.numpy.save_file(tensors, tmp_path / "net.safetensors")
    target = tmp_path / "mine.weights.h5"
    words = ["mdmt_tf.convert", "tiny", tmp_path / "net.safetensors", target]
    assert_named(command(*words, most=1000), "mine.weights.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
    assert command(*words).returncode == 0


def test_benchmark_and_report(command, settings, tmp_path):
    path = tmp_path / "grid"
    words = ["mdmt_tf.benchmark", "--config", settings, f"run_dir={path}"]
    assert_named(command(*words, most=1000), "pending.yaml")
    # Its fits fail alone, and are tried again.
    done = command(*words, most=20_000)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "3 fits are not finished" in done.stdout and "too large" in done.stdout
    done = command(*words, "--retry-failed")
    assert done.returncode == 0, done.stdout
    assert all(run.is_finished for run in map(Folder(path).run, fits_of(path)))

    words = ["mdmt_tf.report", path, "--resamples", "20"]
    assert command(*words).returncode == 0
    before = contents(path)
    assert_named(command(*words, most=2000))
    assert contents(path) == before


def fits_of(path):
    return [folder.name for folder in (path / "runs").iterdir()]


@pytest.mark.parametrize("module", ["train", "benchmark"])
def test_a_file_in_the_way_of_a_folder(command, settings, tmp_path, module):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "run"
    done = command(f"mdmt_tf.{module}", "--config", settings, f"run_dir={path}")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    # What is refused depends on whether the folder above is made before.
    reason = "File exists" if module == "train" else "Not a directory"
    assert reason in done.stderr


def test_a_run_whose_folder_is_gone(command, settings, run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    shutil.rmtree(copy / "checkpoints")
    (copy / "metrics.json").unlink()
    done = command("mdmt_tf.train", "--resume", copy)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "It is missing: removed, or its disk is no longer mounted?" in done.stderr
