"""Standardised regression, by arithmetic: logits without a unit, answers in it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import TaskLoss
from mdmt_tf.training.weighting.uncertainty import Uncertainty

AGE = make_task(name="age", kind="regression")
AGES = np.array([30.0, np.nan, 50.0, 70.0, 90.0])
# Mean 60; (30^2 + 10^2 + 10^2 + 30^2) / 4 = 500.
FITTED = AGE.fitted(AGES)
STD = 500**0.5


def test_mean_and_std_are_those_of_the_known_labels():
    assert (FITTED.mean, FITTED.std) == (60, pytest.approx(STD))
    assert FITTED.description() == {
        "kind": "regression",
        "classes": [],
        "prediction": "value",
        "mean": 60.0,
        "std": FITTED.std,
    }


def test_targets_are_standardised_and_predictions_in_years():
    targets, known = FITTED.targets(AGES)
    assert known.tolist() == [True, False, True, True, True]
    expected = [[-30 / STD], [0], [-10 / STD], [10 / STD], [30 / STD]]
    np.testing.assert_allclose(targets, expected, rtol=1e-6)
    chances = FITTED.probabilities(np.array([[0.0], [2.0]], np.float32))
    np.testing.assert_allclose(chances, [[60], [60 + 2 * STD]])
    assert FITTED.target_text(targets[2], known[2]) == "50"
    # The metric is the squared error in years.
    assert FITTED.row_loss(np.array([61.0]), chances[:1]).tolist() == [1.0]


def test_the_loss_is_half_the_squared_error_and_reported_in_years():
    targets, _ = FITTED.targets(np.array([90.0]))
    logits = np.zeros((1, 1), np.float32)
    loss = float(TaskLoss(FITTED)(targets, logits))
    assert loss == pytest.approx(30**2 / 500 / 2)
    reported = FITTED.reported_loss(targets, logits, keras.ops)
    assert float(reported[0]) == pytest.approx(30**2)


def test_huber_bends_at_one_std():
    task = make_task(name="age", kind="regression", loss="huber").fitted(AGES)
    targets, _ = task.targets(np.array([60 + 0.5 * STD, 60 + 3 * STD]))
    losses = TaskLoss(task, reduction=None)(targets, np.zeros((2, 1), np.float32))
    np.testing.assert_allclose(losses, [0.125, 2.5], rtol=1e-6)
    assert task.likelihood_factor == 1.0


def test_a_map_explains_the_value_in_years():
    score = FITTED.score(tf.constant([[0.5]]), None, keras.ops)
    assert float(score[0]) == pytest.approx(60 + STD / 2, rel=1e-6)


@pytest.mark.parametrize(
    "task", [make_task(name="age", kind="regression", standardize=False), AGE]
)
def test_a_task_that_is_not_fitted_learns_the_number(task):
    """Also in the runs of earlier versions, which fitted none."""
    if not task.standardize:
        assert task.fitted(AGES) is task and task.initial_scale == 1
    assert task.targets(AGES)[0][:, 0].tolist() == [30, 0, 50, 70, 90]
    assert task.probabilities(np.array([[71.5]])).tolist() == [[71.5]]
    assert float(TaskLoss(task)(np.array([[4.0]]), np.array([[1.0]]))) == 9
    assert task.likelihood_factor == 0.5


@pytest.mark.parametrize("labels", [[0.1] * 3, [np.nan, 0.1], [0.1]])
def test_equal_labels_have_the_std_1_and_are_reported(labels):
    message = r"'age': all .* are 0\.1\. The std is 0"
    with pytest.warns(DataWarning, match=message):
        task = AGE.fitted(np.array(labels))
    assert (task.mean, task.std) == (0.1, 1.0)


@pytest.mark.parametrize(
    "labels", [[1, 2, np.inf], [1, 2, -np.inf], [1, 2, 1e200], [0, 1e-200]]
)
def test_labels_that_have_no_std_are_refused(labels):
    """The squares of some are too large or too small for a number."""
    with pytest.raises(DataError, match=r"'age'.*from .* to .*finite numbers"):
        AGE.fitted(np.array(labels, float))


def test_without_labels_there_is_nothing_to_fit():
    assert AGE.fitted(np.array([np.nan])) is AGE


def test_uncertainty_is_the_gaussian_likelihood_of_the_standardised_label():
    generator = np.random.default_rng(1)
    years, s = generator.normal(60, 20, 9), 0.8
    logits = generator.normal(size=(9, 1)).astype(np.float32)
    targets, _ = FITTED.targets(years)
    method = Uncertainty([FITTED])
    method.log_variances["age"].assign(s)
    loss = TaskLoss(FITTED)(targets, logits)
    total = method.total({"age": loss}, {"age": 1.0})
    density = stats.norm.logpdf((years - 60) / STD, logits[:, 0], np.exp(s / 2))
    expected = -(density + np.log(2 * np.pi) / 2).mean()
    assert float(total) == pytest.approx(expected, rel=1e-5)


# Gradients of the shared backbone at the start.

CLASSES = [
    make_task(name="severe", kind="binary", classes=("no", "yes")),
    make_task(name="outcome", kind="categorical", classes=("mild", "severe")),
    make_task(name="grade", kind="categorical", classes=tuple("abcd")),
    make_task(name="coma", kind="ordinal", classes=tuple("abcd")),
]
SEEDS = range(3)


@pytest.fixture(
    scope="module", params=["mlp", pytest.param("linear", marks=pytest.mark.large)]
)
def norms(request):
    """{loss of age, or task: norm of its gradient}, root mean square over seeds."""
    generator = np.random.default_rng(0)
    n = 32
    coarse = generator.normal(size=(n, 4, 4, 1)).repeat(8, axis=1).repeat(8, axis=2)
    images = coarse + generator.normal(0, 0.5, (n, 32, 32, 1))
    images = images.repeat(3, axis=3).astype(np.float32)
    years = generator.normal(68, 14, n).round()
    raw = make_task(name="age", kind="regression", standardize=False)
    huber = make_task(name="age", kind="regression", loss="huber").fitted(years)
    found = {}
    for seed in SEEDS:
        backbone = build_backbone("shufflenet_v2_x0_5", (32, 32, 3), seed=seed)
        for ages in ({"raw": raw}, {"mse": AGE.fitted(years), "huber": huber}):
            tasks = [*CLASSES, next(iter(ages.values()))]
            model = build_model(backbone, tasks, request.param, seed=seed)
            variables = [v.value for v in backbone.trainable_variables]
            with tf.GradientTape(persistent=True) as tape:
                logits = model(images, training=True)
                losses = {}
                for task in CLASSES:
                    targets, _ = task.targets(np.arange(n) % task.n_classes)
                    losses[task.name] = TaskLoss(task)(targets, logits[task.name])
                for name, task in ages.items():
                    losses[name] = TaskLoss(task)(task.targets(years)[0], logits["age"])
            for name, loss in losses.items():
                norm = tf.linalg.global_norm(tape.gradient(loss, variables))
                found.setdefault(name, []).append(float(norm))
    return {name: np.sqrt(np.mean(np.square(each))) for name, each in found.items()}


@pytest.mark.parametrize("task", CLASSES, ids=lambda task: task.name)
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_the_gradient_of_age_begins_like_that_of_a_cross_entropy(norms, loss, task):
    assert 1 / 5 < norms[loss] / norms[task.name] < 5
    # In years it was more than 100 times as large.
    assert norms["raw"] / norms[task.name] > 100
