"""A fit is trained, resumed, or used again."""

import pytest

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import finished_run
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.training import trainer


@pytest.fixture
def settings(tmp_path):
    return config.load("phantom", [f"run_dir={tmp_path / 'run'}"])


@pytest.fixture
def calls(monkeypatch):
    """(settings, resume_from) of each training."""
    seen = []

    def train(config, *, resume_from, **others):
        seen.append((config, resume_from))
        return RunFolder(config.run_dir)

    monkeypatch.setattr(trainer, "train", train)
    return seen


def test_a_new_run_is_trained(settings, calls):
    run = finished_run.finish(settings, print)
    assert calls == [(settings, None)] and str(run.path) == settings.run_dir


def test_an_interrupted_run_goes_on_with_its_own_settings(settings, calls):
    run, lines = RunFolder(settings.run_dir), []
    run.path.mkdir()
    own = settings.model_copy(update={"seed": 8, "data_dir": "before"})
    files.write(own.to_plain(), run.config)
    moved = settings.model_copy(update={"data_dir": "now"})
    finished_run.finish(moved, lines.append)
    ((received, resumed),) = calls
    assert (received.seed, received.data_dir, resumed) == (8, "now", run.path)
    assert lines == [f"resuming {run.path}\n"]


def test_a_dataset_that_has_moved_is_read_where_it_is(settings, calls):
    run = RunFolder(settings.run_dir)
    run.path.mkdir()
    files.write(settings.in_folders({"brixia": "before"}).to_plain(), run.config)
    finished_run.finish(settings.in_folders({"brixia": "now"}), print)
    ((received, _),) = calls
    assert received.data_dirs == {"brixia": "now"}


def test_a_finished_run_is_used_again(settings, calls):
    run = RunFolder(settings.run_dir)
    run.path.mkdir()
    run.metrics.write_text("{}")
    assert finished_run.finish(settings, print).path == run.path
    assert calls == []


def test_a_folder_of_something_else_is_no_run(settings, calls):
    RunFolder(settings.run_dir).path.mkdir()
    with pytest.raises(DataError, match="not the folder of a run"):
        finished_run.finish(settings, print)
