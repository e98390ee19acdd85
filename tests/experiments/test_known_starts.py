"""Weights that have seen test images are refused before anything is trained."""

import h5py
import pytest
from small_settings import TWO

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data.sources import open_datasets
from mdmt_tf.errors import LeakageError
from mdmt_tf.experiments import dry_run, plan
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.models.weights import lineage

SETTINGS = TWO | {
    "model": {"weights": None},
    "benchmark": {
        "backbones": ["resnet18"],
        "cross_validation": {"cv": {"folds": 3}},
        "experiments": {
            "grade": {"tasks": ["grade"]},
            "both": {"tasks": ["outcome", "grade"], "start": {"grade": 1}},
        },
    },
}
FEATURES = "{{f: {{task: outcome, model: features, backbone: resnet18, weights: {}}}}}"


@pytest.fixture
def load(data_dir, tmp_path):
    files.write(SETTINGS | {"data_dir": str(data_dir)}, tmp_path / "settings.yaml")

    def load(*overrides):
        return config.load(str(tmp_path / "settings.yaml"), overrides)

    return load


@pytest.fixture
def weights(load, tmp_path):
    """Makes a file of weights that were trained with lists."""

    def weights(name, lists):
        settings = load()
        datasets = open_datasets(settings.data_dir, settings.dataset_versions)
        path = tmp_path / f"{name}.weights.h5"
        h5py.File(path, "w").close()
        own = [dataset for dataset in datasets if dataset.name in lists]
        if own:
            lineage.write(path, lineage.of_lists(own, lists))
        return path

    return weights


def planned(settings, folder):
    folder.mkdir(exist_ok=True)
    return plan.make_plan(settings, Folder(folder))


def dry_planned(settings, folder):
    folder.mkdir(exist_ok=True)
    return dry_run.make_plan(settings, folder, lambda text: None, None)


@pytest.fixture
def folds(load):
    """The lists of each fold."""
    return [split.datasets for split in plan.divide(load()).splits.values()]


@pytest.fixture(params=[planned, dry_planned])
def make(request, monkeypatch):
    monkeypatch.setattr(plan, "fit_baseline", lambda *args: None)
    monkeypatch.setattr(plan.ImageColumns, "model", lambda self, section: None)
    return request.param


def test_a_baseline_whose_weights_have_seen_a_test_fold_is_refused(
    make, load, weights, folds, tmp_path
):
    # They may have chosen the epoch, which other folds allow.
    seen = {"alpha": {"validation": folds[2]["alpha"]["test"][:3]}}
    path = weights("seen", seen)
    count = len(folds[2]["alpha"]["test"])
    with pytest.raises(LeakageError) as error:
        settings = load(f"benchmark.baselines={FEATURES.format(path)}")
        make(settings, tmp_path / "made")
    assert str(error.value).startswith("the weights of f-none-")
    # Of patients with several images, the others have been seen, too.
    assert f"of the {count} test images of dataset 'alpha'" in str(error.value)


def test_so_is_a_network_and_one_that_starts_from_it(
    make, load, weights, folds, tmp_path
):
    path = weights("seen", {"beta": {"train": folds[1]["beta"]["test"][:1]}})
    with pytest.raises(LeakageError, match="the weights of grade-resnet18-s0-.*'beta'"):
        make(load(f"model.weights={path}"), tmp_path / "made")
    # The fits of grade are not judged on alpha.
    path = weights("other", {"alpha": {"train": folds[0]["alpha"]["test"][:1]}})
    with pytest.raises(LeakageError, match="the weights of both-resnet18-s0-.*'alpha'"):
        make(load(f"model.weights={path}"), tmp_path / "made")


def test_weights_of_other_data_pass_and_unknown_ones_are_named_once(
    make, load, weights, tmp_path, caplog
):
    path = weights("unknown", {})
    overrides = f"model.weights={path}", f"benchmark.baselines={FEATURES.format(path)}"
    make(load(*overrides), tmp_path / "made")
    said = [r.getMessage() for r in caplog.records if "are unknown" in r.getMessage()]
    assert len(said) == 1 and "the start unknown.weights.h5" in said[0]


def test_a_baseline_without_a_network_starts_from_nothing(make, load, tmp_path):
    fields = "{age: {task: outcome, fields: {alpha: [age]}}}"
    settings = load(f"benchmark.baselines={fields}")
    fits = make(settings, tmp_path / "made")
    fits = getattr(fits, "grid", fits).fits
    assert [f.baseline.backbone for f in fits.values() if f.baseline] == [None] * 3


def test_a_dry_run_goes_on_without_a_file(load, tmp_path):
    settings = load("model.weights=null")
    gone = settings.model.model_copy(update={"weights": "gone.weights.h5"})
    dry_planned(settings.model_copy(update={"model": gone}), tmp_path / "made")
