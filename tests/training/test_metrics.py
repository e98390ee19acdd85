"""Figures of merit against hand computation."""

import math

import numpy as np
import pytest

from mdmt_tf.tasks import Kind, Task
from mdmt_tf.training.metrics import confusion_matrix, improves, task_metrics

TWO = Task(name="prognosis", kind=Kind.CATEGORICAL, classes=("mild", "severe"))
THREE = Task(name="severity", kind=Kind.CATEGORICAL, cut_points=(1, 2))
ORDINAL = Task(name="coma", kind=Kind.ORDINAL, cut_points=(1, 2))
VALUE = Task(name="age", kind=Kind.REGRESSION)


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


def test_a_class_that_is_absent_takes_no_part_but_leaves_no_auc():
    result = task_metrics(THREE, np.array([0, 0, 1]), one_hot([0, 0, 1], 3))
    assert result["balanced_accuracy"] == result["f1"] == 1.0
    assert math.isnan(result["auc"])


@pytest.mark.parametrize("task", [TWO, THREE, ORDINAL, VALUE])
def test_no_rows_are_no_zeros(task):
    result = task_metrics(task, np.array([]), np.zeros((0, max(task.n_classes, 1))))
    assert result.pop("n") == 0
    assert result and all(math.isnan(value) for value in result.values())


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


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    from sklearn import metrics

    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 3, 50)
    probabilities = generator.dirichlet(np.ones(3), 50)
    predictions = probabilities.argmax(axis=1)
    result = task_metrics(THREE, targets, probabilities)
    expected = {
        "accuracy": metrics.accuracy_score(targets, predictions),
        "balanced_accuracy": metrics.balanced_accuracy_score(targets, predictions),
        "f1": metrics.f1_score(targets, predictions, average="macro"),
        "auc": metrics.roc_auc_score(targets, probabilities, multi_class="ovr"),
        "loss": metrics.log_loss(targets, probabilities),
    }
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, abs=1e-12), name


def test_which_way_is_better():
    nan = float("nan")
    assert improves("loss", 1.0, 2.0) and not improves("loss", 2.0, 1.0)
    assert improves("auc", 0.8, 0.7) and not improves("auc", 0.7, 0.7)
    assert improves("loss", 9.0, nan) and not improves("loss", nan, 9.0)
    assert not improves("auc", nan, nan)
