"""Uncertainty weighting, by arithmetic and against the likelihoods it comes from."""

import itertools
import math

import keras
import numpy as np
import pytest
from scipy import optimize, stats
from weighted_networks import ALPHA, MIDDLE, TASKS, ZEBRA, fitted_model, rows, values

from mdmt_tf.training.weighting.uncertainty import Uncertainty

START = {"zebra": 0.3, "middle": -0.7, "alpha": 0.5}
RATE = 0.1


def row_losses(task, targets, logits):
    """L_t of each row, in float64."""
    logits = np.asarray(logits, np.float64)
    if task is ZEBRA:
        powers = np.log(np.exp(logits).sum(axis=1))
        return powers - logits[np.arange(len(logits)), targets]
    if task is MIDDLE:
        return (np.log1p(np.exp(logits)) - targets * logits).mean(axis=1)
    return ((targets - logits) ** 2).mean(axis=1)


def one_step(weights):
    """Logged total and s_t after one step of plain descent from START."""
    model, fitted = fitted_model("uncertainty", lambda: keras.optimizers.SGD(RATE))
    for name, s in fitted.weighting.log_variances.items():
        s.assign(START[name])
    images, targets, _ = rows()
    logits = model.predict(images, verbose=0)
    logged = fitted.train_on_batch(images, targets, weights, return_dict=True)
    losses = {t.name: row_losses(t, targets[t.name], logits[t.name]) for t in TASKS}
    s = {name: float(s) for name, s in fitted.weighting.log_variances.items()}
    return float(logged["loss"]), s, losses


def test_uncertainty_total_and_gradients_are_those_of_the_formula():
    weights = rows()[2]
    logged, received, losses = one_step(weights)
    total, batch = 0.0, 24
    for task in TASKS:
        s, row_weights = START[task.name], weights[task.name]
        a = 0.5 if task is ALPHA else 1.0
        row_totals = a * math.exp(-s) * losses[task.name] + s / 2
        total += task.weight * (row_weights * row_totals).sum() / batch
        slopes = -a * math.exp(-s) * losses[task.name] + 1 / 2
        gradient = task.weight * (row_weights * slopes).sum() / batch
        assert received[task.name] == pytest.approx(s - RATE * gradient, abs=1e-6)
    assert logged == pytest.approx(total, abs=1e-6)


def test_uncertainty_of_a_task_without_labels_stays():
    weights = rows()[2] | {"middle": np.zeros(24, np.float32)}
    _, received, _ = one_step(weights)
    assert received["middle"] == np.float32(START["middle"])
    assert received["zebra"] != np.float32(START["zebra"])


def test_uncertainty_heads_and_backbone_follow_the_total():
    """SGD on s and weights together decreases the loss of the batch."""
    images, targets, weights = rows()
    _, fitted = fitted_model("uncertainty", lambda: keras.optimizers.SGD(0.02))
    logged = [
        float(fitted.train_on_batch(images, targets, weights, return_dict=True)["loss"])
        for _ in range(6)
    ]
    assert all(after < before for before, after in itertools.pairwise(logged))


def test_uncertainty_of_a_regression_is_the_gaussian_likelihood():
    generator = np.random.default_rng(1)
    y, f, s = generator.normal(size=9), generator.normal(size=9), 0.8
    method = Uncertainty([ALPHA])
    method.log_variances["alpha"].assign(s)
    total = method.total({"alpha": ((y - f) ** 2).mean()}, {"alpha": 1.0})
    likelihood = stats.norm.logpdf(y, f, math.exp(s / 2)) + math.log(2 * math.pi) / 2
    assert float(total) == pytest.approx(-likelihood.mean(), rel=1e-6)


def test_uncertainty_asks_the_task_for_the_factor_of_its_likelihood():
    """A Poisson likelihood has no classes, and its loss is the whole of it."""
    poisson = type("Poisson", (type(ALPHA),), {"likelihood_factor": 1.0})
    method = Uncertainty([ALPHA, poisson(name="lesions", weight=0.25)])
    weights = {name: float(w) for name, w in method.task_weights().items()}
    assert weights == {"alpha": 0.25 / 2, "lesions": 0.25}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("labelled", [0.05, 1.0])
def test_uncertainty_tends_to_the_mean_loss_however_rare_the_labels(task, labelled):
    """exp(s) is the mean squared error, or twice the mean cross-entropy."""
    method, mean_loss = Uncertainty([task]), 0.37
    fraction = task.weight * labelled

    def total(s):
        method.log_variances[task.name].assign(s)
        terms = ({task.name: mean_loss * fraction}, {task.name: fraction})
        return float(method.total(*terms)) / fraction

    best = optimize.minimize_scalar(total, bracket=(-2, 1)).x
    expected = mean_loss if task is ALPHA else 2 * mean_loss
    assert math.exp(best) == pytest.approx(expected, rel=1e-2)


def test_uncertainty_weights_are_the_factors_of_the_losses():
    method = Uncertainty(TASKS)
    for name, s in method.log_variances.items():
        s.assign(START[name])
    assert list(method.task_weights()) == [task.name for task in TASKS]
    shown = method.task_weights()
    zero = dict.fromkeys(START, 0.0)
    for task in TASKS:
        # The total grows by the weight for each unit of L_t, at its factor lambda_t.
        grown = method.total(zero | {task.name: task.weight}, zero)
        expected = float(grown) - float(method.total(zero, zero))
        assert float(shown[task.name]) == pytest.approx(expected, rel=1e-6)


def test_uncertainty_begins_as_the_fixed_weights_of_classes():
    (_, fixed), (_, learned) = (
        fitted_model(name, lambda: keras.optimizers.SGD(0.1), tasks=(ZEBRA, MIDDLE))
        for name in ("fixed", "uncertainty")
    )
    images, targets, weights = rows()
    pick = [{k: each[k] for k in ("zebra", "middle")} for each in (targets, weights)]
    losses = [float(m.train_on_batch(images, *pick)[0]) for m in (fixed, learned)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    after = [values(m.trainable_variables) for m in (fixed, learned)]
    for a, b in zip(after[0], after[1][: len(after[0])], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
