"""External validation: a run on data that it has never seen."""

import re
import shutil

import numpy as np
import pytest
from sklearn import metrics

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import ConfigError, DataError, LeakageError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.evaluation import evaluate
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.evaluation import evaluate_on, reproduce
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.training import trainer

N = 21


@pytest.fixture(scope="module")
def run(tiny_backbone, data_dir, tmp_path_factory):
    """Two tasks, from two datasets; class weights need every class in training."""
    outcome = {
        "kind": "categorical",
        "classes": ["mild", "severe"],
        "from": {"alpha": "outcome"},
        "class_weights": "balanced",
    }
    grade = {"kind": "ordinal", "cut_points": [1, 2, 3], "from": {"beta": "grade"}}
    folder = tmp_path_factory.mktemp("external")
    values = {
        "experiment": "small",
        "image_size": 32,
        "data_dir": str(data_dir),
        "run_dir": str(folder / "run"),
        "tasks": {"outcome": outcome, "grade": grade},
        "datasets": {name: {"config": "full_256"} for name in ("alpha", "beta")},
        "split": {"folds": 3, "fold": 1},
        "model": {"backbone": tiny_backbone},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "warmup_epochs": 1,
            "tensorboard": False,
            "select_on": {"task": "outcome"},
        },
    }
    files.write(values, folder / "settings.yaml")
    return trainer.train(config.load(str(folder / "settings.yaml")))


def examples(stored_pixels):
    """Another site and size, no severe outcome, unknown labels, other field names."""
    return [
        {
            "image": stored_pixels(f"g{i:02d}", 48),
            "image_id": f"g{i:02d}",
            "patient_id": f"q{i:02d}",
            "site": "elsewhere",
            "result": ("mild", "")[i % 3 == 0],
            # Of the grades <1, 1 to <2, 2 to <3 and >=3 the second and the last.
            "severity": (1, 4, -1)[i % 3],
        }
        for i in range(N)
    ]


@pytest.fixture(scope="module")
def gamma_dir(prepare, stored_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gamma")
    prepare(folder, "gamma", examples(stored_pixels))
    return folder


@pytest.fixture(scope="module")
def gamma(gamma_dir):
    return open_dataset(gamma_dir, "gamma", "full_256")


FIELDS = {"outcome": "result", "grade": "severity"}


def copied(run, tmp_path, old="", new=""):
    """A copy of the run with other settings."""
    shutil.copytree(run.path, tmp_path / "copy")
    copy = RunFolder(tmp_path / "copy")
    text = copy.config.read_text()
    assert old in text
    copy.config.write_text(text.replace(old, new))
    return copy


def test_a_run_is_evaluated_on_data_that_it_has_never_seen(run, gamma, tmp_path):
    # The data of the run are gone.
    copy = copied(run, tmp_path, "data_dir: ", "data_dir: /gone")
    evaluate_on(copy, gamma, FIELDS).write(tmp_path)
    table = predictions.read(tmp_path / "predictions.csv")
    assert len(table) == 2 * N
    assert set(table["dataset"]) == {"gamma"} and set(table["site"]) == {"elsewhere"}
    assert set(table["split"]) == {"external"} and set(table["fold"]) == {1}
    assert table["prediction"].notna().all()
    computed = RunFolder(tmp_path).read_json(tmp_path / "metrics.json")["external"]
    truth = {row["image_id"]: row for row in gamma_labels(gamma)}
    for task, classes in (("outcome", 2), ("grade", 4)):
        rows = table[table["task"] == task]
        assert sorted(rows["image_id"]) == sorted(truth)
        expected = [truth[name][task] for name in rows["image_id"]]
        np.testing.assert_array_equal(rows["target"], expected)
        probabilities = rows[[f"p_{c}" for c in range(classes)]].to_numpy()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        known = rows[rows["target"].notna()]
        accuracy = metrics.accuracy_score(known["target"], known["prediction"])
        assert computed[task]["n"] == len(known) == 14
        assert computed[task]["accuracy"] == pytest.approx(accuracy)
    # With one class only there is nothing to rank.
    assert computed["outcome"]["auc"] is None


def gamma_labels(gamma):
    for name, result, severity in zip(
        *(gamma.table[key] for key in ("image_id", "result", "severity")), strict=True
    ):
        yield {
            "image_id": name,
            "outcome": np.nan if result == "" else 0,
            "grade": {1: 1, 4: 3, -1: np.nan}[int(severity)],
        }


def test_saved_model_and_weights_predict_the_same(run, gamma, tmp_path):
    served = evaluate_on(run, gamma, FIELDS).predictions
    copy = copied(run, tmp_path, "saved_model: true", "saved_model: false")
    shutil.rmtree(copy.saved_model)
    loaded = evaluate_on(copy, gamma, FIELDS).predictions
    columns = [f"p_{c}" for c in range(4)]
    np.testing.assert_allclose(served[columns], loaded[columns], atol=1e-5)
    assert reproduce(copy) == []


def test_a_task_without_a_field_is_left_out(run, gamma):
    evaluation = evaluate_on(run, gamma, {"grade": "severity"})
    assert set(evaluation.predictions["task"]) == {"grade"}
    assert list(evaluation.metrics["external"]) == ["grade"]


def test_mistakes_in_the_fields(run, gamma):
    with pytest.raises(ConfigError, match="'grades' is not a task of the run. Did you"):
        evaluate_on(run, gamma, {"grades": "severity"})
    with pytest.raises(DataError, match="has no field 'severe'. Did you mean 'sev"):
        evaluate_on(run, gamma, {"grade": "severe"})
    with pytest.raises(ConfigError, match="no task.*outcome, grade"):
        evaluate_on(run, gamma, {})


def test_data_of_the_run_are_refused(run, prepare, alpha, stored_pixels, tmp_path):
    with pytest.raises(DataError, match=r"made with it \(dataset 'alpha'\)"):
        evaluate_on(run, alpha, {"outcome": "outcome"})
    # The same images in a dataset with more of them.
    split = run.read_json(run.split)["datasets"]["beta"]
    known, tested = split["validation"][0], split["test"][0]
    row = examples(stored_pixels)[0]
    for version, name in (("1.0.0", tested), ("2.0.0", known)):
        prepare(tmp_path, "beta", [row, {**row, "image_id": name}], version=version)
    evaluate_on(
        run, open_dataset(tmp_path, "beta", "full_256", "1.0.0"), {"grade": "severity"}
    )
    message = f"1 of these images in training or validation, such as {known!r}"
    with pytest.raises(LeakageError, match=message):
        evaluate_on(run, open_dataset(tmp_path, "beta", "full_256"), FIELDS)


def test_patients_of_the_run_in_another_spelling_are_refused(
    run, prepare, stored_pixels, tmp_path
):
    rows = predictions.read(run.predictions)
    of_beta = rows[(rows["dataset"] == "beta") & (rows["split"] == "train")]
    known = of_beta["patient_id"].iloc[0]
    # As 007 and 7, or p7 and P 7.
    for spelling in (known.upper(), re.sub(r"(\d+)", r"00\1", known, count=1)):
        assert spelling != known
        row = {**examples(stored_pixels)[0], "image_id": "new", "patient_id": spelling}
        prepare(tmp_path / spelling, "beta", [row])
        dataset = open_dataset(tmp_path / spelling, "beta", "full_256")
        message = f"1 of these patients .* as {known!r} .here {spelling!r}"
        with pytest.raises(LeakageError, match=message):
            evaluate_on(run, dataset, {"grade": "severity"})


class Hardly:
    """Predicts nearly the same for every image, with other rounding every time."""

    def __init__(self, seed):
        self._generator = np.random.default_rng(seed)

    def predict(self, images, datasets=None):
        noise = self._generator.normal(0, 1e-6, (len(images), 1))
        return {
            "outcome": 0.5 + noise * [1, -1],
            "grade": 0.25 + noise * [1, -1, 1, -1],
        }


def test_rounding_that_changes_metrics_is_no_difference(run, tmp_path, monkeypatch):
    copy = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    settings = copy.settings()
    inputs = open_run_inputs(copy, settings)
    results = [
        evaluate(Hardly(seed), inputs.samples, inputs.images, fold=1) for seed in (1, 2)
    ]
    aucs = [result.metrics["train"]["outcome"]["auc"] for result in results]
    assert abs(aucs[0] - aucs[1]) > 1e-3
    results[0].write(copy.path)
    monkeypatch.setattr(evaluation, "open_predictor", lambda *_: Hardly(2))
    assert reproduce(copy) == []
