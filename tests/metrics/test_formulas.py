"""Metrics against hand computation."""

import json
import math

import numpy as np
import pytest

from mdmt_tf.metrics import formulas
from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.metrics.rows import WeightedRows, confusion_matrix
from mdmt_tf.tasks import make_task

TWO = make_task(name="prognosis", kind="categorical", classes=("mild", "severe"))
THREE = make_task(name="severity", kind="categorical", cut_points=(1, 2))
ORDINAL = make_task(name="coma", kind="ordinal", cut_points=(1, 2))
VALUE = make_task(name="age", kind="regression")
SIGMOID = make_task(name="death", kind="binary", cut_points=(1,))


def one_hot(classes, k, top=0.8):
    rest = (1 - top) / (k - 1)
    return np.where(np.arange(k) == np.asarray(classes)[:, None], top, rest)


def test_two_classes_by_hand():
    targets = np.array([1, 1, 1, 1, 0, 0])
    # 3 of 4 severe and 1 of 2 mild are right.
    severe = np.array([0.9, 0.8, 0.6, 0.3, 0.7, 0.2])
    result = task_metrics(TWO, targets, np.stack([1 - severe, severe], axis=1))
    assert result["n"] == 6
    assert result["accuracy"] == pytest.approx(4 / 6)
    assert result["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    mild_f1 = 2 * 1 / (2 * 1 + 1 + 1)
    assert result["f1_macro"] == pytest.approx((3 / 4 + mild_f1) / 2)
    assert result["g_mean"] == pytest.approx(math.sqrt(3 / 4 * 1 / 2))
    assert result["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    # Of 4 x 2 pairs, those ranked wrongly: 0.6 < 0.7 and 0.3 < 0.7.
    assert result["auc"] == pytest.approx(6 / 8)
    assert result["recall"] == pytest.approx(3 / 4)
    assert result["specificity"] == pytest.approx(1 / 2)
    # 4 are called severe, of which 3 are; 2 are called mild, of which 1 is.
    assert result["precision"] == pytest.approx(3 / 4)
    assert result["npv"] == pytest.approx(1 / 2)
    chosen = [0.9, 0.8, 0.6, 0.3, 0.3, 0.8]
    assert result["loss"] == pytest.approx(-sum(map(math.log, chosen)) / 6)


def test_ties_count_half_in_the_auc():
    result = task_metrics(TWO, np.array([0, 1]), np.full((2, 2), 0.5))
    assert result["auc"] == 0.5


def test_saturated_scores_keep_their_order():
    # Streaming metrics with 200 thresholds call these tied.
    severe = 1 - np.array([3e-9, 2e-9, 1e-9])
    probabilities = np.stack([1 - severe, severe], axis=1)
    assert task_metrics(TWO, np.array([0, 1, 1]), probabilities)["auc"] == 1.0


def test_three_classes_by_hand():
    targets, predictions = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 2, 0]
    result = task_metrics(THREE, np.array(targets), one_hot(predictions, 3))
    recalls = [1 / 2, 2 / 3, 0.0]
    assert result["accuracy"] == pytest.approx(3 / 6)
    assert result["balanced_accuracy"] == pytest.approx(sum(recalls) / 3)
    assert result["g_mean"] == 0.0
    f1 = [2 * 1 / (2 + 2), 2 * 2 / (3 + 3), 0.0]
    assert result["f1"] == result["f1_macro"] == pytest.approx(sum(f1) / 3)
    assert confusion_matrix(THREE, targets, predictions).tolist() == [
        [1, 1, 0],
        [0, 2, 1],
        [1, 0, 0],
    ]


def test_g_mean_of_three_classes_is_a_cube_root():
    targets, predictions = [0, 0, 1, 1, 2], [0, 1, 1, 0, 2]
    result = task_metrics(THREE, np.array(targets), one_hot(predictions, 3))
    assert result["g_mean"] == pytest.approx((1 / 2 * 1 / 2 * 1) ** (1 / 3))


def test_a_class_that_is_absent_leaves_no_metric_of_all_classes():
    targets, chances = np.array([0, 0, 1]), one_hot([0, 0, 1], 3)
    result = task_metrics(THREE, targets, chances)
    for name in ("balanced_accuracy", "g_mean", "f1", "f1_macro", "auc"):
        assert math.isnan(result[name]), name
    assert result["accuracy"] == result["f1_weighted"] == 1.0
    # The formulas themselves are over the classes present, as in other libraries.
    rows = WeightedRows(THREE, targets, chances, np.ones((1, 3)))
    for formula in (formulas.balanced_accuracy, formulas.g_mean, formulas.f1_macro):
        assert formula(rows).tolist() == [1.0]


def test_a_probability_of_zero_has_a_finite_loss():
    result = task_metrics(TWO, np.array([0]), np.array([[0.0, 1.0]]))
    assert 80 < result["loss"] < 90


def test_ordinal_error_counts_classes():
    result = task_metrics(ORDINAL, np.array([0, 2, 1]), one_hot([2, 2, 0], 3))
    assert result["mae"] == pytest.approx((2 + 0 + 1) / 3)


def test_regression_by_hand():
    result = task_metrics(VALUE, np.array([1.0, 2.0, 6.0]), np.array([[2], [2], [4]]))
    assert result["mae"] == pytest.approx((1 + 0 + 2) / 3)
    assert result["loss"] == pytest.approx((1 + 0 + 4) / 3)
    assert result["rmse"] == pytest.approx(math.sqrt(5 / 3))
    # Around the mean of 3: 4 + 1 + 9.
    assert result["r2"] == pytest.approx(1 - 5 / 14)


def test_brier_by_hand():
    two = np.array([[0.3, 0.7], [0.9, 0.1]])
    assert task_metrics(TWO, np.array([1, 1]), two)["brier"] == pytest.approx(
        (0.3**2 + 0.9**2) / 2
    )
    three = np.array([[0.2, 0.5, 0.3]])
    assert task_metrics(THREE, np.array([1]), three)["brier"] == pytest.approx(
        0.2**2 + 0.5**2 + 0.3**2
    )


def test_quadratic_kappa_by_hand():
    targets, said = [0, 1, 2, 2], [0, 1, 2, 0]
    result = task_metrics(THREE, np.array(targets), one_hot(said, 3))
    # Seen: one error of 2 classes. By chance, over all pairs of a target and a
    # prediction: 0 against (0, 1, 2, 0) costs 5, 1 costs 3, each 2 costs 9.
    assert result["kappa"] == pytest.approx(1 - 4 / ((5 + 3 + 9 + 9) / 4))


def test_kappa_without_any_spread_is_not_defined():
    result = task_metrics(THREE, np.array([1, 1]), one_hot([1, 1], 3))
    assert math.isnan(result["kappa"]) and result["accuracy"] == 1.0
    result = task_metrics(THREE, np.array([1, 1]), one_hot([2, 2], 3))
    assert result["kappa"] == 0.0


def test_equal_targets_have_no_r2():
    # Their floating mean is not 0.1.
    result = task_metrics(VALUE, np.full(3, 0.1), np.ones((3, 1)))
    assert math.isnan(result["r2"])


def test_a_score_that_is_nan_has_no_auc():
    probabilities = np.array([[0.5, 0.5], [np.nan, np.nan], [0.2, 0.8]])
    result = task_metrics(TWO, np.array([0, 1, 1]), probabilities)
    assert math.isnan(result["auc"]) and math.isnan(result["loss"])


def test_the_weighted_g_mean_is_that_of_imbalanced_learn(reference):
    stored = json.loads((reference / "imblearn.json").read_text(encoding="utf-8"))
    for case in stored["cases"]:
        k = case["classes"]
        task = make_task(name="t", kind="categorical", classes=tuple("abcd"[:k]))
        chances = np.eye(k)[case["predictions"]]
        rows = WeightedRows(task, case["targets"], chances, np.ones((1, len(chances))))
        assert formulas.g_mean_weighted(rows) == pytest.approx(
            case["g_mean_weighted"], abs=1e-12
        )


def test_the_weighted_g_mean_of_two_classes_swaps_the_weights_of_the_recalls():
    # 3 of 4 negatives and 1 of 2 positives: sensitivity (3 + 1) / 6, specificity
    # (4 * 1 / 2 + 2 * 3 / 4) / 6.
    task = make_task(name="t", kind="binary", classes=("no", "yes"))
    chances = np.eye(2)[[0, 0, 0, 1, 1, 0]]
    found = task_metrics(task, np.array([0, 0, 0, 0, 1, 1]), chances)
    expected = math.sqrt((3 + 1) / 6 * (4 * 1 / 2 + 2 * 3 / 4) / 6)
    assert found["g_mean_weighted"] == pytest.approx(expected, abs=1e-15)
