"""Settings that may change when a run is resumed."""

import json

import pytest

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs import changes
from mdmt_tf.runs.folder import RunFolder

PROGRESS = {"next_epoch": 7, "selection": {"waited": 1}}


@pytest.fixture
def run(tmp_path):
    """The folder of a run of the shipped phantoms; nothing is trained."""
    settings = config.load("phantom", ["training.epochs=20", "training.patience=9"])
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    files.write(settings.to_plain(), folder.config, "Resolved settings of this run.")
    folder.manifest.write_text(json.dumps({"synthetic": True}))
    return folder


def check(run, *overrides, progress=PROGRESS):
    settings = run.settings(overrides=overrides)
    found = changes.changes(run, settings)
    changes.check(run, settings, found, progress)
    return settings, found


@pytest.mark.parametrize(
    "override", ["seed=1", "training.learning_rate=0.1", "model.backbone=resnet18"]
)
def test_other_keys_stay_as_they_are(override):
    with pytest.raises(ConfigError, match="takes the settings of the run"):
        changes.check_keys(["training.epochs=9", override])
    changes.check_keys(["training.epochs=9", "training.devices=[CPU:0]"])
    changes.check_keys(["datasets.brixia.data_dir=elsewhere"])


def test_the_nearest_key_is_named():
    with pytest.raises(ConfigError, match="Did you mean 'training.epochs'"):
        changes.check_keys(["training.epoch=9"])


def test_equal_settings_are_no_changes(run):
    assert check(run, "training.epochs=20")[1] == {}
    assert check(run, "training.epochs=60")[1] == {"training.epochs": [20, 60]}


@pytest.mark.parametrize(
    ("progress", "overrides", "message"),
    [
        (PROGRESS, ["training.epochs=6"], "has trained 7 epochs.* Expected 7 or more"),
        (
            {**PROGRESS, "step": 3},
            ["training.epochs=7"],
            "has trained 8 epochs, the last perhaps in part",
        ),
        (PROGRESS, ["training.patience=8"], "may only be raised .now 9."),
        (
            {**PROGRESS, "selection": {"waited": 9}},
            ["training.epochs=60"],
            "stopped after 9 epochs without improvement",
        ),
    ],
)
def test_what_an_uninterrupted_run_would_not_give_is_refused(
    run, progress, overrides, message
):
    with pytest.raises(ConfigError, match=message):
        check(run, *overrides, progress=progress)


@pytest.mark.parametrize(
    ("progress", "overrides"),
    [
        (PROGRESS, ["training.epochs=7"]),
        (PROGRESS, ["training.patience=null"]),
        (
            {**PROGRESS, "selection": {"waited": 9}},
            ["training.epochs=60", "training.patience=12"],
        ),
        (None, ["training.epochs=5"]),
    ],
)
def test_what_it_would_give_is_allowed(run, progress, overrides):
    check(run, *overrides, progress=progress)


def test_epochs_that_share_steps_are_not_changed(run):
    values, _ = files.read(str(run.config))
    values["training"]["steps"] = 120
    files.write(values, run.config)
    with pytest.raises(ConfigError, match="which its epochs share"):
        check(run, "training.epochs=60")


def test_a_finished_run_without_a_state_does_not_go_on(run):
    run.metrics.write_text("{}")
    with pytest.raises(DataError, match="missing or damaged, so the finished run"):
        check(run, "training.epochs=60", progress=None)


def test_fits_of_a_benchmark_are_found_by_their_settings(run, tmp_path):
    (tmp_path / "benchmark.yaml").write_text("")
    (tmp_path / "runs").mkdir()
    fit = RunFolder(run.path.rename(tmp_path / "runs" / "fit"))
    with pytest.raises(ConfigError, match="is one of the fits of a benchmark"):
        check(fit, "training.epochs=60")
    check(fit, "training.devices=[CPU:0]")


def test_changes_are_stored_and_open_a_finished_run(run):
    run.metrics.write_text("{}")
    before = run.config.read_text()
    settings, found = check(run, "training.epochs=60", "training.saved_model=false")
    run.saved_model.mkdir()
    changes.store(run, settings, found)
    assert not run.is_finished and not run.saved_model.exists()
    after = run.config.read_text()
    assert after == before.replace("epochs: 20", "epochs: 60", 1).replace(
        "saved_model: true", "saved_model: false"
    )
    (noted,) = run.read_json(run.manifest)["changed"]
    assert noted["training.epochs"] == [20, 60] and noted["when"]


def test_where_nothing_depends_on_it_a_run_stays_finished(run):
    run.metrics.write_text("{}")
    settings, found = check(run, "training.devices=[CPU:0]")
    changes.store(run, settings, found)
    assert run.is_finished
