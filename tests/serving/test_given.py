"""Folders of models among the files to predict."""

import pytest

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.serving.given import divide, is_model


@pytest.fixture
def folders(tmp_path):
    """A finished run, one that is not, a SavedModel, and a folder of films."""
    files = {
        "finished": ["config.yaml", "split.json", "metrics.json"],
        "unfinished": ["config.yaml", "split.json"],
        "saved": ["saved_model.pb", "model.json"],
        "films": ["a.png", "config.yaml"],
    }
    for folder, names in files.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    return {name: str(tmp_path / name) for name in files}


def test_models_are_recognised_wherever_they_stand(folders):
    given = [folders[name] for name in ("films", "finished", "saved", "finished")]
    models, others = divide([*given, "x.dcm", "*.png"])
    # Once, though given twice.
    assert models == [folders["finished"], folders["saved"]]
    assert others == [folders["films"], "x.dcm", "*.png"]
    assert not is_model(folders["films"]) and not is_model("nowhere")


def test_a_model_counts_once_however_it_is_written(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = tmp_path / "finished" / "saved_model"
    saved.mkdir()
    (saved / "saved_model.pb").touch()
    (tmp_path / "link").symlink_to(folders["finished"])
    models, others = divide(
        ["finished/", folders["finished"], "link", str(saved), "saved", "x.dcm"]
    )
    assert models == ["finished/", "saved"] and others == ["x.dcm"]


def test_a_run_that_is_not_finished_is_no_folder_of_images(folders):
    with pytest.raises(DataError, match="unfinished: the run is not finished"):
        divide([folders["unfinished"], "x.dcm"])


def test_something_is_missing(folders):
    with pytest.raises(ConfigError, match=r"no model: .* Received: x.dcm"):
        divide(["x.dcm"])
    with pytest.raises(ConfigError, match="nothing to predict"):
        divide([folders["finished"]])
