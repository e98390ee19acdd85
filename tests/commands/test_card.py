"""`python -m mdmt_tf.card`."""

import json
import shutil

import pytest

from mdmt_tf import card
from mdmt_tf.errors import DataError
from mdmt_tf.storage import write_json


@pytest.fixture
def runs(made_run, tmp_path, no_strata):
    """Folders of a run, twice."""
    for name in ("first", "second"):
        shutil.copytree(made_run.path, tmp_path / name)
    return [tmp_path / "first", tmp_path / "second"]


def test_a_run_of_an_earlier_version_gets_its_card(runs, capsys):
    assert card.main([str(runs[0])]) == 0
    files = [runs[0] / f"model_card.{kind}" for kind in ("json", "md", "html")]
    assert capsys.readouterr().out.splitlines() == [str(file) for file in files]
    assert json.loads(files[0].read_text())["title"] == "made"
    assert files[1].read_text().startswith("# Model card: made\n")
    assert files[2].read_text().startswith("<!DOCTYPE html>")


def test_the_card_of_several_models_has_a_folder_of_its_own(runs, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        card.main([str(path) for path in runs])
    assert stopped.value.code == 2
    assert "--out DIR" in capsys.readouterr().err
    out = tmp_path / "new" / "both"
    # As of a model with other weights.
    assert card.main([str(runs[1])]) == 0
    facts = json.loads((runs[1] / "model_card.json").read_text(encoding="utf-8"))
    facts["hashes"]["model"] = "sha256:other"
    write_json(runs[1] / "model_card.json", facts)
    assert card.main([*map(str, runs), "--out", str(out)]) == 0
    text = (out / "model_card.md").read_text()
    assert text.startswith("# Model card: ensemble of 2: made\n")


def test_a_folder_of_no_model(tmp_path):
    with pytest.raises(DataError, match="Expected the folder of a run"):
        card.main([str(tmp_path)])
