"""Opening of models, and which of them may answer together."""

import dataclasses
import json
import re
import shutil
import types

import keras
import numpy as np
import pandas as pd
import pytest
from task_kinds import task_of

from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs import digests
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import ensemble
from mdmt_tf.serving.ensemble import open_model, open_models
from mdmt_tf.serving.export import export_model
from mdmt_tf.tasks import KINDS, make_task
from mdmt_tf.tasks.alike import are_alike, descriptions

OUTCOME = make_task(kind="binary", name="outcome", classes=("mild", "severe"))
OTHER = make_task(kind="binary", name="outcome", classes=("alive", "dead"))
GRADE = make_task(kind="ordinal", name="grade", cut_points=(5, 9))


@pytest.fixture(scope="module")
def save(tmp_path_factory):
    """A function that writes a SavedModel and returns its folder."""

    def save(*tasks, size=(8, 8), preprocessing=("lungs_256",), seed=0, described=None):
        keras.utils.set_random_seed(seed)
        image = keras.Input((*size, 3))
        x = keras.layers.Flatten()(image)
        outputs = {
            t.name: keras.layers.Dense(t.n_outputs, name=t.name)(x) for t in tasks
        }
        about = {
            "trained_on": "ward",
            "image": {"size": list(size)},
            "preprocessing": {f"d{n}": one for n, one in enumerate(preprocessing)},
            "tasks": described or descriptions(tasks, [task.name for task in tasks]),
        }
        path = tmp_path_factory.mktemp("models") / "saved_model"
        export_model(keras.Model(image, outputs), tasks, path, about)
        return path

    return save


@pytest.fixture(scope="module")
def saved(save):
    return save(OUTCOME, GRADE)


def test_a_model_says_what_it_is(saved):
    model = open_model(saved)
    assert [task.name for task in model.tasks] == ["outcome", "grade"]
    assert model.tasks[1].class_names == ("<5", "5 to <9", ">=9")
    assert model.preprocessing.name == "lungs_256" and model.size == (8, 8)
    assert model.training_images is None and model.trained_on == "ward"
    assert not model.is_calibrated


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_of_every_kind_is_opened_with_permuted_labels_too(kind, caplog):
    for permuted in (False, True):
        task = dataclasses.replace(task_of(kind), permute=permuted)
        caplog.clear()
        (facts,) = descriptions([task], [task.name]).values()
        opened = ensemble._task_of("model", task.name, facts)
        assert are_alike([opened], [task]) and opened.permute == permuted
        assert not are_alike(
            [opened], [dataclasses.replace(task, permute=not permuted)]
        )
        assert ("answers mean nothing" in caplog.text) == permuted


def test_answers_that_mean_nothing_are_named_with_the_reason(save, caplog):
    """A sum says so if one of its parts has learned nothing."""
    death = dataclasses.replace(OUTCOME, name="death", permute=True)
    total = make_task(
        kind="sum", name="total", terms={"death": (0, 1), "grade": (0, 1, 2)}
    )
    described = descriptions([OUTCOME, death, GRADE, total], ["outcome", "death"])
    model = open_model(save(OUTCOME, death, GRADE, described=described))
    nothing = "; the answers mean nothing"
    assert model.meaningless == {
        "death": f"the training labels were permuted{nothing}",
        "grade": f"nothing has trained its head{nothing}",
        "total": "the training labels of death were permuted, nothing has trained the "
        f"head of grade{nothing}",
    }
    assert [getattr(task, "permute", None) for task in model.tasks] == [
        *(False, True, False, None)
    ]
    assert len(caplog.records) == 3


def test_models_with_other_cut_points_have_no_mean(save):
    cuts = {"kind": "ordinal", "name": "grade", "classes": ("a", "b", "c")}
    paths = [save(make_task(**cuts, cut_points=points)) for points in ((5, 9), (1, 2))]
    with pytest.raises(ConfigError, match=r"cut points 5, 9.; .* cut points 1, 2"):
        open_models(paths)


def test_the_digest_is_that_of_the_weights(save, saved):
    same, other = open_model(saved), save(OUTCOME, GRADE, seed=1)
    assert same.digest == open_model(saved).digest != open_model(other).digest


def test_a_copy_of_a_model_is_refused_with_both_names(saved, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "copy")
    text = re.escape(f"{saved} and {copy} have the same weights")
    with pytest.raises(ConfigError, match=text):
        open_models([saved, copy])


@pytest.mark.large
def test_models_answer_together_if_their_tasks_are_the_same(save, saved):
    alike = save(OUTCOME, GRADE, seed=1, preprocessing=["full_128"])
    assert len(open_models([saved, alike])) == 2
    for tasks, text in (
        ([OUTCOME], r"outcome \(binary: mild, severe\)\. Predict"),
        ([OTHER, GRADE], r"outcome \(binary: alive, dead\)"),
    ):
        with pytest.raises(ConfigError, match="the same tasks, classes and") as error:
            open_models([saved, save(*tasks)])
        assert error.match(text)


def test_several_kinds_of_preprocessing_need_a_choice(save):
    path = save(OUTCOME, preprocessing=["lungs_256", "full_256"])
    with pytest.raises(ConfigError, match="d0: lungs_256, d1: full_256"):
        open_model(path)
    assert open_model(path, "full_256").preprocessing.name == "full_256"
    with pytest.raises(ConfigError, match="expected one of .*: full_256, lungs_256"):
        open_model(path, "full_512")


def test_a_preprocessing_of_somebody_else_is_an_error(save):
    with pytest.raises(DataError, match="is not one of this package"):
        open_model(save(OUTCOME, preprocessing=["theirs"]))


def test_a_folder_without_a_model_is_an_error(tmp_path, saved):
    with pytest.raises(DataError, match="not the folder of a run"):
        open_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"none")
    with pytest.raises(DataError, match="not a SavedModel"):
        open_model(tmp_path)


def test_the_model_predicts(saved):
    answer = open_model(saved).predictor.predict(np.zeros((2, 5, 7, 1), np.float32))
    assert {name: value.shape for name, value in answer.items()} == {
        "outcome": (2, 2),
        "grade": (2, 3),
    }
    assert json.loads((saved / "model.json").read_text())["trained_on"] == "ward"


def test_settings_of_a_run_without_saved_model_name_no_files(tmp_path, monkeypatch):
    """Its data are gone, and its name looks like a number."""
    monkeypatch.chdir(tmp_path)
    predictor = types.SimpleNamespace(statistics=None)
    monkeypatch.setattr(ensemble, "open_predictor", lambda run, config: predictor)
    run = RunFolder("7")
    run.best_weights.parent.mkdir(parents=True)
    run.best_weights.touch()
    values = {
        "experiment": "small",
        "data_dir": "gone",
        "tasks": {"stay": {"kind": "regression", "from": {"ward": "days"}}},
        "datasets": {"ward": {"config": "lungs_256"}},
        "training": {"select_on": {"task": "stay", "metric": "mae"}},
    }
    files.write(values, run.config)
    run.metrics.write_text("{}")
    run.manifest.write_text(json.dumps({"synthetic": False, "datasets": {"ward": {}}}))
    model = open_model("7")
    assert [task.name for task in model.tasks] == ["stay"]
    assert model.preprocessing.name == "lungs_256"


@pytest.mark.parametrize("digits", ["912e45678901", "123456789012"])
def test_a_digest_is_never_read_as_a_number(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(digests.storage, "sha256_of", lambda path: digits + "ab")
    weights = tmp_path / "best.weights.h5"
    weights.touch()
    table = tmp_path / "answers.csv"
    table.write_text(f"model\n{digests.digest_of(weights)}\n")
    assert pd.read_csv(table)["model"].tolist() == [f"sha256:{digits}"]
