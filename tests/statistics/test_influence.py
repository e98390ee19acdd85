"""Metrics without each patient, against computing them again without the rows."""

import numpy as np
import pandas as pd
import pytest
from compared import DEATH, fits
from sklearn.metrics import average_precision_score, roc_auc_score

from mdmt_tf.metrics.table import names_of
from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.influence import leave_one_out
from mdmt_tf.tasks import make_task

AREAS = ("auc", "pr_auc")


def numbered(rows):
    return rows.assign(patient=[int(name[1:]) for name in rows["patient_id"]])


@pytest.mark.parametrize("metric", [n for n in names_of(DEATH) if n not in AREAS])
def test_pooled_metrics_are_those_of_the_remaining_rows(metric):
    rows = numbered(fits(0, patients=12, images=2, folds=3))
    found = leave_one_out(DEATH, rows, [metric], 12)[metric]
    assert found.value == pytest.approx(metrics_of_rows(rows, DEATH)[metric])
    for patient in (0, 7):
        rest = metrics_of_rows(rows[rows["patient"] != patient], DEATH)[metric]
        assert found.left_out[patient] == pytest.approx(rest)
    for fold in range(3):
        rest = metrics_of_rows(rows[rows["fold"] != fold], DEATH)[metric]
        assert found.folds_left_out[fold] == pytest.approx(rest, nan_ok=True)


@pytest.mark.parametrize(
    "metric, score, weight",
    [
        ("auc", roc_auc_score, lambda y: y.sum() * (1 - y).sum()),
        ("pr_auc", average_precision_score, lambda y: y.sum()),
    ],
)
def test_areas_are_weighted_means_over_folds(metric, score, weight):
    rows = numbered(fits(0, patients=20, images=2, folds=2))
    found = leave_one_out(DEATH, rows, [metric], 20)[metric]

    def by_hand(rows):
        folds = [own for _, own in rows.groupby("fold")]
        weights = [weight(own["target"]) for own in folds]
        areas = [score(own["target"], own["p_1"]) for own in folds]
        return np.average(areas, weights=weights)

    assert found.value == pytest.approx(by_hand(rows))
    for patient in (3, 16):
        rest = by_hand(rows[rows["patient"] != patient])
        assert found.left_out[patient] == pytest.approx(rest)
    rest = by_hand(rows[rows["fold"] != 0])
    assert found.folds_left_out[0] == pytest.approx(rest)


def test_areas_of_several_classes_and_one_fold_are_those_of_the_table():
    task = make_task(name="kind", kind="categorical", classes=("x", "y", "z"))
    chances = np.random.default_rng(0).dirichlet(np.ones(3), 15)
    rows = pd.DataFrame(chances, columns=["p_0", "p_1", "p_2"])
    rows = rows.assign(target=np.arange(15.0) % 3, fold=0, patient=range(15))
    found = leave_one_out(task, rows, AREAS, 15)
    for name in AREAS:
        expected = metrics_of_rows(rows, task)[name]
        assert found[name].value == pytest.approx(expected)


def test_a_fold_of_one_class_has_no_pairs():
    rows = numbered(fits(0, patients=12, folds=3))
    # All patients of the third fold are negative: it adds nothing to either area.
    rows.loc[rows["fold"] == 2, "target"] = 0.0
    whole = leave_one_out(DEATH, rows, AREAS, 12)
    two = leave_one_out(DEATH, rows[rows["fold"] < 2], AREAS, 12)
    for name in AREAS:
        assert whole[name].value == pytest.approx(two[name].value)


def test_blocks_of_patients_do_not_matter(monkeypatch):
    rows = numbered(fits(0, patients=12))
    whole = leave_one_out(DEATH, rows, ["accuracy"], 12)["accuracy"]
    monkeypatch.setattr("mdmt_tf.statistics.influence._BLOCK", 24)
    blocks = leave_one_out(DEATH, rows, ["accuracy"], 12)["accuracy"]
    assert blocks.left_out.tolist() == whole.left_out.tolist()


@pytest.mark.parametrize("metric", [*AREAS, "accuracy"])
def test_a_prediction_that_is_no_number_leaves_no_value(metric):
    rows = numbered(fits(0, patients=12, images=2, folds=3))
    rows.loc[rows.index[5], ["p_0", "p_1"]] = np.nan
    assert np.isnan(leave_one_out(DEATH, rows, [metric], 12)[metric].value)
