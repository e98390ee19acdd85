"""Metrics against hand computation."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn import metrics

from mdmt_tf.metrics.formulas import (
    confusion_matrix,
    improves,
    task_metrics,
    weighted_metrics,
)
from mdmt_tf.tasks import make_task

TWO = make_task(name="prognosis", kind="categorical", classes=("mild", "severe"))
THREE = make_task(name="severity", kind="categorical", cut_points=(1, 2))
ORDINAL = make_task(name="coma", kind="ordinal", cut_points=(1, 2))
VALUE = make_task(name="age", kind="regression")
SIGMOID = make_task(name="death", kind="binary", cut_points=(1,))
ALL = [TWO, SIGMOID, THREE, ORDINAL, VALUE]


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


def test_a_class_that_is_absent_takes_no_part_but_leaves_no_auc():
    result = task_metrics(THREE, np.array([0, 0, 1]), one_hot([0, 0, 1], 3))
    assert result["balanced_accuracy"] == result["g_mean"] == result["f1"] == 1.0
    assert math.isnan(result["auc"])


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
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


def random_rows(task, seed, n=60):
    """Targets and probabilities in fifths, so that many scores are tied."""
    generator = np.random.default_rng(seed)
    if task.kind == "regression":
        return generator.normal(size=n), generator.normal(size=(n, 1))
    k = task.n_classes
    return generator.integers(0, k, n), generator.multinomial(5, [1 / k] * k, n) / 5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", ALL[:4], ids=lambda task: task.name)
def test_weighted_metrics_agree_with_scikit_learn(task, seed):
    targets, probabilities = random_rows(task, seed)
    weights = np.random.default_rng(seed).uniform(0, 2, (3, 60))
    weights[:, ::7] = 0
    weights[0] = 1
    said = task.prediction(probabilities)
    result = weighted_metrics(task, targets, probabilities, weights)
    two = task.n_classes == 2
    score = probabilities[:, 1] if two else probabilities
    for row, w in enumerate(weights):
        rows = {"y_true": targets, "y_pred": said, "sample_weight": w}
        pairs = (targets, score)
        expected = {
            "accuracy": metrics.accuracy_score(**rows),
            "f1": metrics.f1_score(**rows, average="binary" if two else "macro"),
            "f1_macro": metrics.f1_score(**rows, average="macro"),
            "f1_weighted": metrics.f1_score(**rows, average="weighted"),
            "balanced_accuracy": metrics.balanced_accuracy_score(**rows),
            "auc": metrics.roc_auc_score(*pairs, sample_weight=w, multi_class="ovr"),
            "brier": metrics.brier_score_loss(*pairs, sample_weight=w),
            "kappa": metrics.cohen_kappa_score(
                targets, said, weights="quadratic", sample_weight=w
            ),
        }
        if not (task.cut_points or task.kind == "ordinal"):
            assert "kappa" not in result
            del expected["kappa"]
        if two:
            expected |= {
                "recall": metrics.recall_score(**rows),
                "specificity": metrics.recall_score(**rows, pos_label=0),
                "precision": metrics.precision_score(**rows),
                "npv": metrics.precision_score(**rows, pos_label=0),
            }
        else:
            assert not {"recall", "specificity", "precision", "npv"} & set(result)
        for name, value in expected.items():
            assert result[name][row] == pytest.approx(value, abs=1e-12), name


def test_weighted_regression_agrees_with_scikit_learn():
    targets, values = random_rows(VALUE, 0)
    weights = np.random.default_rng(1).uniform(0, 2, 60)
    result = weighted_metrics(VALUE, targets, values, weights[None])
    for name, function in (
        ("loss", metrics.mean_squared_error),
        ("mae", metrics.mean_absolute_error),
        ("r2", metrics.r2_score),
    ):
        value = function(targets, values[:, 0], sample_weight=weights)
        assert result[name][0] == pytest.approx(value, abs=1e-12), name
    assert result["rmse"][0] == pytest.approx(math.sqrt(result["loss"][0]))


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_a_weight_of_two_is_two_equal_rows(task):
    targets, probabilities = random_rows(task, 0)
    weights = np.random.default_rng(0).integers(0, 4, (5, 60))
    result = weighted_metrics(task, targets, probabilities, weights)
    for row, times in enumerate(weights):
        copied = np.repeat(targets, times), np.repeat(probabilities, times, axis=0)
        expected = task_metrics(task, *copied)
        assert expected.pop("n") == times.sum()
        assert list(expected) == list(result)
        for name, value in expected.items():
            assert result[name][row] == pytest.approx(value, abs=1e-12), name


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


@pytest.mark.parametrize("task", [TWO, SIGMOID], ids=lambda task: task.name)
def test_what_has_no_rows_of_its_own_is_not_defined(task):
    """Columns: true class, called; what is NaN then."""
    for targets, said, undefined in (
        ([0, 0, 1], [0, 0, 0], {"precision"}),
        ([0, 1, 1], [1, 1, 1], {"npv"}),
        ([1, 1, 1], [0, 1, 1], {"specificity"}),
        ([0, 0, 0], [0, 1, 0], {"recall"}),
        ([0, 0, 0], [0, 0, 0], {"recall", "precision"}),
    ):
        result = task_metrics(task, np.array(targets), one_hot(said, 2))
        names = ("recall", "specificity", "precision", "npv")
        assert {name for name in names if math.isnan(result[name])} == undefined
    # Nothing positive is there or called, so F1 is not defined either.
    assert math.isnan(result["f1"])


def test_equal_targets_have_no_r2():
    # Their floating mean is not 0.1.
    result = task_metrics(VALUE, np.full(3, 0.1), np.ones((3, 1)))
    assert math.isnan(result["r2"])


def test_a_score_that_is_nan_has_no_auc():
    probabilities = np.array([[0.5, 0.5], [np.nan, np.nan], [0.2, 0.8]])
    result = task_metrics(TWO, np.array([0, 1, 1]), probabilities)
    assert math.isnan(result["auc"]) and math.isnan(result["loss"])


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_undefined_metrics_are_nan_without_a_warning(task):
    targets, probabilities = random_rows(task, 0)
    targets[:2] = 0
    weights = np.zeros((3, 60))
    weights[1, 0] = weights[2, :2] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = weighted_metrics(task, targets, probabilities, weights)
        task_metrics(task, targets[:1], probabilities[:1])
        task_metrics(task, targets[:0], probabilities[:0])
    assert all(np.isnan(values[0]) for values in result.values())
    assert not np.isnan(result["loss"][1:]).any()


def test_needs_no_tensorflow():
    code = (
        "import sys, mdmt_tf.metrics.formulas; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_which_way_is_better():
    nan = float("nan")
    assert improves("brier", 0.1, 0.2) and not improves("brier", 0.2, 0.1)
    assert improves("loss", 1.0, 2.0) and not improves("loss", 2.0, 1.0)
    assert improves("auc", 0.8, 0.7) and not improves("auc", 0.7, 0.7)
    assert improves("loss", 9.0, nan) and not improves("loss", nan, 9.0)
    assert not improves("auc", nan, nan)
