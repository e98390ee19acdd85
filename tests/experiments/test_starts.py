"""What one experiment alone starts from: trained once, by identity."""

import re

import pytest
import yaml

from mdmt_tf import config, storage
from mdmt_tf.experiments import alone, starts
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.training import trainer

SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": {
        "score": {
            "kind": "regression",
            "from": {"alpha": "scores[0]", "beta": "total"},
        },
    },
    "datasets": {
        "alpha": {"config": "full_256", "auxiliary": True},
        "beta": {"config": "full_256"},
    },
    "model": {"backbone": "tiny"},
    "split": {"folds": 3},
    "training": {
        "epochs": 1,
        "batch_size": 8,
        "warmup_epochs": 0,
        "saliency": 0,
        "saved_model": False,
        "tensorboard": False,
        "select_on": {"task": "score", "metric": "loss"},
    },
    "benchmark": {
        "backbones": ["tiny"],
        "cross_validation": {"cv": {"folds": 3}},
        "experiments": {
            "pretrain": {"tasks": ["score"], "datasets": ["alpha"]},
            "longer": {"tasks": ["score"], "match": "pretrain"},
            "start": {
                "tasks": ["score"],
                "datasets": ["beta"],
                "start": {"pretrain": 0.5, "longer": 0.5},
            },
        },
    },
}


@pytest.fixture(scope="module")
def load(tiny_backbone, data_dir, tmp_path_factory):
    """The fits of `experiment=start` with these overrides."""
    path = tmp_path_factory.mktemp("settings") / "small.yaml"
    values = {**SETTINGS, "data_dir": str(data_dir)}
    path.write_text(yaml.safe_dump(values, sort_keys=False))

    def load(*overrides):
        overrides = ("experiment=start", *overrides)
        return alone.parts_of(config.load(str(path), overrides), overrides)

    return load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "starts"


@pytest.fixture(scope="module")
def first(load, folder):
    """The settings of fold 0, after what it starts from has been trained."""
    return starts.settings_to_train(load(), folder, lambda text: None)


@pytest.fixture
def calls(monkeypatch):
    """The runs that would be trained: (experiment, whether it is resumed)."""
    seen = []

    def train(settings, *, resume_from, **others):
        seen.append((settings.experiment, resume_from is not None))
        return RunFolder(settings.run_dir)

    monkeypatch.setattr(trainer, "train", train)
    return seen


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_the_weights_are_those_of_finished_runs_by_identity(first, folder):
    names = names_in(folder)
    assert [re.sub(r"[0-9a-f]{12}$", "", name) for name in names] == [
        "longer-tiny-s0-",
        "pretrain-tiny-s0-",
    ]
    files = [f"{folder}/{name}/checkpoints/backbone.weights.h5" for name in names]
    assert first.model.weights == dict.fromkeys(reversed(files), 0.5)
    assert all((folder / name / "metrics.json").is_file() for name in names)
    # Averaged weights, as a grid has them.
    assert first.recalibrates


def test_what_is_trained_is_used_again(first, load, folder, calls):
    texts = []
    again = starts.settings_to_train(load(), folder, texts.append)
    assert again.model.weights == first.model.weights and not calls
    assert "trained before" in texts[0]


def test_in_another_fold_the_auxiliary_fit_is_the_same(first, load, folder, calls):
    longer = "benchmark.experiments.start.start={pretrain: 1}"
    found = starts.settings_to_train(load("split.fold=1", longer), folder, calls.append)
    (path,) = [path for path in first.model.weights if "pretrain" in path]
    assert found.model.weights == path
    assert not [call for call in calls if isinstance(call, tuple)]


@pytest.mark.parametrize("change", ["training.learning_rate=0.01", "seed=1"])
def test_other_settings_are_other_fits(first, load, folder, calls, change):
    before = names_in(folder)
    starts.settings_to_train(load(change), folder, lambda text: None)
    assert calls == [("pretrain", False), ("longer", False)]
    assert names_in(folder) == before


def test_an_interrupted_fit_is_resumed(first, load, folder, calls, tmp_path):
    (name,) = [name for name in names_in(folder) if name.startswith("longer")]
    finished, kept = folder / name / "metrics.json", tmp_path / "metrics.json"
    finished.rename(kept)
    try:
        starts.settings_to_train(load(), folder, lambda text: None)
    finally:
        kept.rename(finished)
    assert calls == [("longer", True)]


def test_a_fit_that_another_process_trains_is_waited_for(
    first, load, folder, calls, monkeypatch
):
    (name,) = [name for name in names_in(folder) if name.startswith("pretrain")]
    held, texts = storage.lock(folder / f".{name}.lock"), []
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: held.close())
    starts.settings_to_train(load(), folder, texts.append)
    assert texts[0].startswith("waiting for ") and name in texts[0]
    assert not calls


def test_an_experiment_without_starts_trains_nothing_before(load, folder, calls):
    parts = load("experiment=longer")
    found = starts.settings_to_train(parts, folder, lambda text: None)
    assert not calls and found.training.steps is not None
