"""Curves of a benchmark, from the predictions of all fits of one experiment."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.metrics import roc_auc_score

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.panels import COLOURS
from mdmt_tf.reporting.pooled_curves import decision, roc
from mdmt_tf.tasks import make_task


@pytest.fixture(scope="module")
def aggregates(head):
    return Aggregates(Results.read(head), resamples=0)


def rows_of(aggregates, task, experiment="mdmt", unit="image"):
    groups = aggregates.of("cv", experiment, task, unit)
    return pd.concat([rows for group in groups for rows in group.rows])


def test_the_area_is_that_of_all_predictions_of_the_candidate(aggregates):
    task = aggregates.results.tasks["prognosis"]
    figure, title, caption = roc(aggregates, task, "cv")
    rows = rows_of(aggregates, "prognosis", unit=aggregates.units("prognosis")[0])
    area = roc_auc_score(rows["target"], rows["p_1"])
    assert f"AUC {area:.3f}" in figure.axes[0].get_title()
    assert f"poor ({int(rows['target'].sum())} of {len(rows)})" in (
        figure.axes[0].get_title()
    )
    assert title.endswith("of mdmt") and "mdmt. ROC" in caption
    assert "No bands" in caption and "pooled" in caption


def test_each_of_several_classes_has_its_curves(aggregates):
    task = aggregates.results.tasks["coma"]
    figure, _, caption = roc(aggregates, task, "cv")
    titles = [axis.get_title() for axis in figure.axes[: task.n_classes]]
    assert [title.split(" (")[0] for title in titles] == list(task.class_names)
    assert "each class against all others" in caption


def test_net_benefit_of_raw_probabilities(aggregates):
    task = aggregates.results.tasks["prognosis"]
    figure, _, caption = decision(aggregates, task, "cv")
    rows = rows_of(aggregates, "prognosis")
    (model,) = [
        line
        for line in figure.axes[0].lines
        if line.get_label() == "model"
        and to_hex(line.get_color()) == COLOURS[0].lower()
    ]
    threshold, value = model.get_data()
    place = len(threshold) // 3
    t = threshold[place]
    treated = rows["p_1"] >= t
    true = (treated & (rows["target"] == 1)).mean()
    false = (treated & (rows["target"] == 0)).mean()
    np.testing.assert_allclose(value[place], true - false * t / (1 - t), rtol=1e-9)
    assert "raw probabilities" in caption and f"n = {len(rows)}" in caption


def test_what_has_no_such_curve(aggregates):
    coma = aggregates.results.tasks["coma"]
    assert decision(aggregates, coma, "cv") is None
    number = make_task(name="coma", kind="regression")
    assert roc(aggregates, number, "cv") is None
    assert decision(aggregates, number, "cv") is None


def test_nothing_is_finished(benchmark_folder, tmp_path):
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    folder.add("cv", "resnet18", 0, 0, "mdmt", missing=True)
    found = Aggregates(Results.read(folder.path), 0)
    task = found.results.tasks["prognosis"]
    assert roc(found, task, "cv") is None and decision(found, task, "cv") is None
