"""`python -m mdmt_tf.doctor`."""

import json

import pytest

from mdmt_tf import doctor
from mdmt_tf.errors import ConfigError

SETTINGS = [
    "phantoms=null",
    "datasets={alpha: {config: full_256}, beta: {config: full_256}}",
    "tasks={outcome: {kind: categorical, classes: [mild, severe], from: {alpha: "
    "outcome}}, grade: {kind: ordinal, cut_points: [1, 2, 3], from: {beta: grade}}}",
    "training.select_on={task: outcome, metric: loss}",
    "image_size=32",
    "split.folds=3",
    "experiment=two_wards",
]


@pytest.fixture
def examine(data_dir, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; returns the exit status."""
    monkeypatch.chdir(tmp_path)
    return lambda *options: doctor.main([f"data_dir={data_dir}", *SETTINGS, *options])


def test_prepared_datasets_are_examined(examine, tmp_path, capsys):
    # Few patients are a warning.
    assert examine("--fail-on", "warning") == 3
    folder = tmp_path / "doctor" / "two_wards"
    found = json.loads((folder / "findings.json").read_text())
    assert {name: of["images"] for name, of in found["datasets"].items()} == {
        "alpha": 40,
        "beta": 23,
    }
    output = capsys.readouterr().out
    assert "SYNTHETIC" in output
    assert "No serious findings" in output
    assert str(folder.relative_to(tmp_path) / "index.html") in output
    page = (folder / "index.html").read_text()
    assert "python -m mdmt_tf.doctor --config phantom data_dir=" in page


def test_mistakes_are_reported_before_anything_is_read(examine, tmp_path):
    with pytest.raises(ConfigError, match="split.fold"):
        examine("split.fold=7")
    with pytest.raises(SystemExit):
        examine("--fail-on", "note")
    assert not list(tmp_path.iterdir())
