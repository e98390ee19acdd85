"""Predictions and metrics from anything that predicts; no network is needed."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from mdmt_tf.data.samples import all_samples
from mdmt_tf.runs import predictions
from mdmt_tf.runs.evaluation import evaluate, predict
from mdmt_tf.tasks import make_task


class Pixels:
    """Image number i is grey with the value i / 100."""

    def batches(self, numbers, batch_size):
        for start in range(0, len(numbers), batch_size):
            grey = numbers[start : start + batch_size] / 100
            yield np.tile(grey[:, None, None, None], (1, 4, 4, 1)).astype(np.float32)


class Bright:
    """The brighter, the more severe; and a grade that is always the second."""

    def predict(self, images, datasets=None):
        severe = images.mean(axis=(1, 2, 3)).astype(np.float64)
        return {
            "outcome": np.stack([1 - severe, severe], axis=1),
            "grade": np.tile([0.0, 1.0, 0.0, 0.0], (len(images), 1)),
            "other": np.full((len(images), 1), np.nan),
        }


@pytest.fixture(scope="module")
def everything(alpha, beta, two_tasks):
    return all_samples([alpha, beta], two_tasks)


@pytest.fixture(scope="module")
def evaluation(everything):
    return evaluate(Bright(), {"all": everything}, Pixels(), fold=2, batch_size=7)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_predictions_are_in_the_order_of_the_rows(everything, batch_size):
    rows = everything.take(np.array([50, 3, 20]))
    predicted = predict(Bright(), rows, Pixels(), batch_size)
    assert list(predicted) == ["outcome", "grade"]
    np.testing.assert_allclose(predicted["outcome"][:, 1], [0.5, 0.03, 0.2], rtol=1e-6)


def test_every_row_is_listed_for_the_tasks_of_its_dataset(evaluation):
    table = evaluation.predictions
    assert table.groupby(["dataset", "task"]).size().to_dict() == {
        ("alpha", "outcome"): 40,
        ("beta", "grade"): 23,
    }
    assert set(table["split"]) == {"all"} and set(table["fold"]) == {2}


def test_metrics_are_those_of_the_labelled_rows(evaluation, everything):
    known = everything.known["outcome"]
    labels = everything.labels["outcome"][known]
    severe = everything.image[known] / 100
    computed = evaluation.metrics["all"]["outcome"]
    assert computed["n"] == len(labels) == 32
    assert computed["auc"] == pytest.approx(metrics.roc_auc_score(labels, severe))
    assert computed["accuracy"] == metrics.accuracy_score(labels, severe > 0.5)


def test_metrics_of_float32_are_those_of_the_file(everything, two_tasks, tmp_path):
    """A float32 has fewer digits in the file, which stand for another float64."""

    class Single(Bright):
        def predict(self, images, datasets=None):
            predicted = super().predict(images)
            predicted["outcome"] = predicted["outcome"].astype(np.float32) * 0.7 + 0.1
            return {name: v.astype(np.float32) for name, v in predicted.items()}

    found = evaluate(Single(), {"all": everything}, Pixels(), fold=0)
    found.write(tmp_path)
    table = predictions.read(tmp_path / "predictions.csv")
    again = predictions.metrics_of(table, two_tasks)["all"]["outcome"]
    expected = found.metrics["all"]["outcome"]
    assert again == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_choices_without_rows_are_left_out(everything):
    chosen = {"none": everything.take(np.zeros(0, int)), "one": everything.take([5])}
    found = evaluate(Bright(), chosen, Pixels(), fold=0)
    assert list(found.metrics) == ["one"]


def test_written_as_a_run_writes_them(evaluation, tmp_path):
    evaluation.write(tmp_path)
    table = predictions.read(tmp_path / "predictions.csv")
    assert len(table) == 63
    assert (
        table["target"].isna().sum()
        == (~evaluation.predictions["target"].notna()).sum()
    )
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert (
        stored["all"]["outcome"]["auc"] == evaluation.metrics["all"]["outcome"]["auc"]
    )


def test_the_mean_of_runs_keeps_nothing_of_the_first_run():
    death = make_task(name="death", kind="binary")
    row = dict.fromkeys(predictions.ROW_KEYS, "a") | {"task": "death", "target": 1.0}
    tables = [
        pd.DataFrame([row | {"prediction": p > 0.5, "p_0": 1 - p, "p_1": p, "note": n}])
        for p, n in ((0.1, "no"), (0.9, "yes"), (0.8, "yes"))
    ]
    mean = predictions.mean_of_runs(tables, [death])
    expected = [*predictions.ROW_KEYS, "target", "prediction", "p_0", "p_1"]
    assert list(mean) == expected
    assert mean["p_1"].item() == pytest.approx(0.6)
    assert mean["prediction"].item() == 1 and mean["fold"].item() == -1
