"""`python -m mdmt_tf.evaluate`, and other commands on a run whose data have moved."""

import contextlib
import io
import json
import shutil

import pandas as pd
import pytest
from command_lines import run
from declared import write_ward

from mdmt_tf import config, evaluate, explain, train
from mdmt_tf.config import files
from mdmt_tf.data.sources import prepared_configs
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs.folder import RunFolder
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
            "epochs": 2,
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


@pytest.mark.large
def test_it_is_explained_there_too(finished, moved, tmp_path):
    out = ["--out", str(tmp_path / "maps")]
    with pytest.raises(DataError, match="before: no such folder"):
        explain.main([str(finished.path), *out])
    explain.main([str(finished.path), "--most", "1", "--data-dir", str(moved), *out])
    assert len(pd.read_csv(tmp_path / "maps" / "saliency.csv"))


def test_an_interrupted_run_is_resumed_there(
    interrupted, finished, moved, tmp_path, capsys
):
    copy = shutil.copytree(interrupted, tmp_path / "copy")
    with pytest.raises(DataError, match="before: no such folder"):
        train.main(["--resume", str(copy)])
    train.main(["--resume", str(copy), "--data-dir", str(moved)])
    expected = finished.predictions.read_bytes()
    assert (copy / "predictions.csv").read_bytes() == expected
    assert f"evaluate {copy} --data-dir {moved}" in capsys.readouterr().out


class Read(Exception):
    """Settings of a run are read, with these changes."""


def test_data_dir_of_a_resumed_run_may_be_a_setting(interrupted, moved, monkeypatch):
    def settings(run, data_dir, overrides):
        raise Read(data_dir, overrides)

    monkeypatch.setattr(RunFolder, "settings", settings)
    for words in (["--data-dir", str(moved)], [f"data_dir={moved}"]):
        with pytest.raises(Read) as read:
            train.main(["--resume", str(interrupted), "training.epochs=5", *words])
        assert read.value.args == (str(moved), ["training.epochs=5"])


def test_data_dir_of_a_new_run_is_a_setting(capsys):
    with pytest.raises(SystemExit):
        train.main(["--data-dir", "DATA"])
    assert "--data-dir is for --resume; write data_dir=DIR" in capsys.readouterr().err


WARD = """\
dataset:
  name: ward
  images: films/
  tables: outcomes.xlsx
  columns: {image: file, patient: pid, site: hospital}
  labels:
    dead: {column: died_or_icu, classes: {"0": mild, "1": severe}}
    stay: {column: los, unit: days}
  fields: [age, sex, projection]
  preprocess: lungs_256
tasks:
  outcome: {kind: binary, from: {ward: dead}}
"""


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """A file that declares 24 films of 12 patients, with another preprocessing."""
    return write_ward(tmp_path_factory.mktemp("ward"), WARD)


@pytest.fixture(scope="module")
def validated(finished, moved, ward, tmp_path_factory):
    """The folder of data, and what was printed when the run was evaluated on it."""
    data = tmp_path_factory.mktemp("data")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        arguments = ["--on", str(ward), "--data-dir", str(data)]
        assert evaluate.main([str(finished.path), *arguments]) == 0
    return data, printed.getvalue()


def test_a_declared_dataset_is_prepared_as_the_run_needs_it(validated, finished):
    data, printed = validated
    assert prepared_configs(data, "ward") == ["full_256"]
    folder = finished.path / "external" / "ward"
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    assert len(table) == 24 and set(table["task"]) == {"outcome"}
    # As in the fixture: patient k died if k is odd.
    truth = table["patient_id"].str.removeprefix("P").astype(int) % 2
    assert (table["target"].astype(int) == truth).all()
    found = json.loads((folder / "assessment.json").read_text())["external"]
    strata = found["outcome"]["strata"]
    # All patients are in one age band.
    assert list(strata) == ["site", "sex", "projection"]
    assert [own["patients"] for own in strata["projection"].values()] == [12, 12]
    page = (folder / "index.html").read_text()
    assert "On ward, which the model has not seen, AUC for outcome is" in page
    # The closing table of the preparation, the sentence, and where the files are.
    assert "full_256" in printed and "On ward, which the model" in printed
    left = "Not judged, because ward has no label of it: grade (--labels grade=FIELD)."
    assert left in printed and left in page
    assert str(folder / "index.html") in printed


def test_it_is_not_prepared_twice_and_not_overwritten(
    validated, finished, ward, capsys
):
    data, _ = validated
    command = [str(finished.path), "--on", "ward", "--data-dir", str(data)]
    with pytest.raises(ConfigError, match="external/ward exists.*--overwrite"):
        evaluate.main(command)
    prepared = data / "ward" / "full_256" / "1.0.0" / "dataset_info.json"
    before = prepared.stat().st_mtime_ns
    again = [str(finished.path), "--on", str(ward), "--data-dir", str(data)]
    first = (finished.path / "external" / "ward" / "index.html").read_bytes()
    assert evaluate.main([*again, "--overwrite"]) == 0
    assert prepared.stat().st_mtime_ns == before
    assert (finished.path / "external" / "ward" / "index.html").read_bytes() == first


@pytest.mark.large
def test_a_prepared_dataset_needs_its_originals_no_more(
    validated, finished, ward, tmp_path
):
    """The file that declares it does, in any folder."""
    data, _ = validated
    alone = tmp_path / "alone.yaml"
    alone.write_text(WARD)
    command = [str(finished.path), "--on", str(alone), "--overwrite"]
    out = ["--out", str(tmp_path / "out")]
    assert evaluate.main([*command, "--data-dir", str(data), *out]) == 0
    first = (finished.path / "external" / "ward" / "predictions.csv").read_bytes()
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == first
    alone.write_text(WARD.replace("severe", "severer"))
    with pytest.raises(DataError, match="changed since: dataset.labels. Give another"):
        evaluate.main([*command, "--data-dir", str(data), *out])
    # Another folder of prepared data.
    alone.write_text(WARD)
    other = [*command, "--data-dir", str(tmp_path / "other"), *out]
    with pytest.raises(DataError, match="no such folder.*--manual-dir"):
        evaluate.main(other)
    assert evaluate.main([*other, "--manual-dir", str(ward.parent)]) == 0
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == first


def test_the_folder_of_originals_is_of_a_file(finished, ward):
    options = ["--data-dir", "DATA", "--manual-dir", str(ward.parent)]
    with pytest.raises(ConfigError, match="--manual-dir.*--on ward is no file"):
        evaluate.main([str(finished.path), "--on", "ward", *options])


@pytest.mark.large
def test_labels_of_a_prepared_dataset_are_given(validated, finished, tmp_path):
    data, _ = validated
    command = [str(finished.path), "--on", "ward", "--data-dir", str(data)]
    command += ["--out", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match="no label for outcome, grade.*dead"):
        evaluate.main(command)
    with pytest.raises(DataError, match="no field 'died'. Did you mean 'dead'"):
        evaluate.main([*command, "--labels", "outcome=died"])
    with pytest.raises(DataError, match="tasks.outcome.from.ward = 'sex'"):
        evaluate.main([*command, "--labels", "outcome=sex"])
    assert not (tmp_path / "out").exists()
    evaluate.main([*command, "--labels", "outcome=dead", "grade=stay"])
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(metrics["external"]) == {"outcome", "grade"}


def test_its_own_data_are_refused(finished, moved):
    command = [str(finished.path), "--on", "alpha", "--data-dir", str(moved)]
    with pytest.raises(DataError, match=r"made with it \(dataset 'alpha'\)"):
        evaluate.main(command)


@pytest.mark.parametrize(
    "options",
    [
        ["--labels", "outcome=dead"],
        ["--out", "x"],
        ["--overwrite"],
        ["--manual-dir", "x"],
    ],
)
def test_options_of_another_dataset_need_one(finished, options, capsys):
    with pytest.raises(SystemExit):
        evaluate.main([str(finished.path), *options])
    assert "need --on" in capsys.readouterr().err


def test_a_mistake_is_reported_before_tensorflow_is_loaded(tmp_path):
    (tmp_path / "config.yaml").write_text("experiment: x\n")
    (tmp_path / "metrics.json").write_text("{}")
    arguments = [str(tmp_path), "--on", "ward.yml", "--data-dir", "DATA"]
    code = (
        "import sys; from mdmt_tf import errors, evaluate\n"
        "try:\n"
        f"    evaluate.main({arguments!r})\n"
        "except errors.ConfigError:\n"
        "    assert 'tensorflow' not in sys.modules\n"
        "    sys.exit(3)"
    )
    assert run("-c", code).returncode == 3
