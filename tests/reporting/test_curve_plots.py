"""ROC and precision-recall plots show the numbers that they are given."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.reporting.curve_plots import class_curves, curves_plot
from mdmt_tf.tasks import make_task

TWO = make_task(name="death", kind="binary", classes=("home", "icu"))
GRADE = make_task(name="grade", kind="ordinal", classes=("a", "b", "c", "d", "e"))


def rows_of(task, n=60, targets=None):
    generator = np.random.default_rng(0)
    own = np.arange(n) % task.n_classes if targets is None else np.full(n, targets)
    logits = generator.normal(size=(n, task.n_classes))
    logits[np.arange(n), own] += 1
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    columns = dict(zip(task.probability_columns, chances.T, strict=True))
    patients = [f"p{number // 2}" for number in range(n)]
    rows = pd.DataFrame({"dataset": "ward", "patient_id": patients, **columns})
    return rows.assign(
        task=task.name, target=own.astype(float), prediction=task.prediction(chances)
    )


def test_two_classes_have_the_metrics_of_the_task():
    rows = rows_of(TWO)
    (own,) = class_curves(TWO, rows, resamples=20)
    found = task_metrics(TWO, rows["target"].to_numpy(), rows[["p_0", "p_1"]])
    for name in ("auc", "pr_auc"):
        entry = own.metrics[name]
        assert entry["value"] == pytest.approx(found[name])
        assert entry["low"] < entry["value"] < entry["high"]
    figure, _, caption = curves_plot(TWO, [own], "image")
    above, below = figure.axes
    assert above.get_title().startswith("icu (30 of 60)\nAUC 0.")
    assert below.get_title().startswith("PR-AUC 0.")
    assert "n = 60" in caption and "pointwise" in caption
    # The line of no information, then the curve, over a band.
    assert below.get_lines()[0].get_ydata()[0] == 0.5
    assert len(above.collections) == len(below.collections) == 1


def test_known_metrics_are_not_computed_again():
    known = {
        name: {"value": 0.5, "low": 0.25, "high": 0.75} for name in ("auc", "pr_auc")
    }
    (own,) = class_curves(TWO, rows_of(TWO), resamples=0, known=known)
    figure, _, caption = curves_plot(TWO, [own], "patient")
    assert "AUC 0.500 [0.250, 0.750]" in figure.axes[0].get_title()
    assert "No bands (no resamples)" in caption and "unit: patient" in caption


def test_each_of_several_classes_has_a_column():
    rows = rows_of(GRADE)
    found = class_curves(GRADE, rows, resamples=0)
    assert [own.name for own in found] == list(GRADE.class_names)
    mean = np.mean([own.metrics["auc"]["value"] for own in found])
    columns = list(GRADE.probability_columns)
    metrics = task_metrics(GRADE, rows["target"].to_numpy(int), rows[columns])
    assert mean == pytest.approx(metrics["auc"])
    figure, _, caption = curves_plot(GRADE, found, "image")
    shown = [axis for axis in figure.axes if axis.axison]
    assert len(shown) == 2 * 5 and "each class against all others" in caption


def test_a_class_without_rows_has_no_curve():
    rows = rows_of(GRADE, n=40)
    rows = rows[rows["target"] < 4]
    figure, _, caption = curves_plot(
        GRADE, class_curves(GRADE, rows, resamples=10), "image"
    )
    assert caption.endswith("as there is no row to compare: e.")
    assert len([axis for axis in figure.axes if axis.axison]) == 2 * 4


@pytest.mark.parametrize("rows", [rows_of(TWO, targets=1), rows_of(TWO).head(0)])
def test_one_class_has_nothing_to_draw(rows):
    assert curves_plot(TWO, class_curves(TWO, rows, resamples=10), "image") is None
