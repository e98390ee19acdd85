"""The losses of the kinds, against Keras' own and against arithmetic in float64."""

import keras
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax
from task_kinds import labels_of, logits_of, task_of

from mdmt_tf.tasks import KINDS, make_task
from mdmt_tf.training.losses import MaskedLoss, TaskLoss

N = 32
PAIRS = [(name, loss) for name, kind in KINDS.items() for loss in kind.losses]


def bce(y, z):
    return -(y * log_expit(z) + (1 - y) * log_expit(-z))


def sigmoid_focal(y, z):
    return y * expit(-z) ** 2 * bce(y, z) + (1 - y) * expit(z) ** 2 * bce(y, z)


def brier(y, z):
    return (y - expit(z)) ** 2


def softmax_bce(y, z):
    p = softmax(z, axis=1)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(axis=1)


def of_class(y, z):
    return np.take_along_axis(log_softmax(z, axis=1), y[:, None], 1)[:, 0]


def mean(formula):
    return lambda y, z: formula(y, z).mean(axis=1)


def huber(y, z):
    error = abs(y - z)
    return np.where(error <= 1, error**2 / 2, error - 1 / 2)


# (kind, loss) -> loss of each label, float64, from targets and logits.
FORMULAS = {
    ("categorical", "cross_entropy"): lambda y, z: -of_class(y, z),
    ("categorical", "focal"): lambda y, z: (
        -((1 - np.exp(of_class(y, z))) ** 2) * of_class(y, z)
    ),
    ("categorical", "mse"): lambda y, z: (
        (np.eye(z.shape[1])[y] - softmax(z, axis=1)) ** 2
    ).mean(axis=1),
    ("categorical", "bce"): lambda y, z: softmax_bce(np.eye(z.shape[1])[y], z),
    ("categorical", "raw_mse"): lambda y, z: ((np.eye(z.shape[1])[y] - z) ** 2).mean(
        axis=1
    ),
    ("binary", "bce"): mean(bce),
    ("binary", "cross_entropy"): mean(bce),
    ("binary", "focal"): mean(sigmoid_focal),
    ("binary", "mse"): mean(brier),
    ("ordinal", "bce"): mean(bce),
    ("ordinal", "mse"): mean(brier),
    ("regression", "mse"): mean(lambda y, z: (y - z) ** 2),
    ("regression", "huber"): mean(huber),
    ("multilabel", "bce"): bce,
    ("multilabel", "focal"): sigmoid_focal,
    ("multilabel", "mse"): brier,
}

# The same of Keras, from targets in its own form; the mean over the rows.
KERAS = {
    ("categorical", "focal"): lambda y, z: keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=2.0, from_logits=True
    )(np.eye(z.shape[1])[y], z),
    ("categorical", "mse"): lambda y, z: keras.losses.MeanSquaredError()(
        np.eye(z.shape[1])[y], softmax(z, axis=1)
    ),
    ("categorical", "bce"): lambda y, z: keras.losses.BinaryCrossentropy()(
        np.eye(z.shape[1])[y], softmax(z, axis=1)
    ),
    ("categorical", "raw_mse"): lambda y, z: keras.losses.MeanSquaredError()(
        np.eye(z.shape[1])[y], z
    ),
    ("binary", "cross_entropy"): lambda y, z: keras.losses.CategoricalCrossentropy(
        from_logits=True
    )(np.concatenate([1 - y, y], 1), np.concatenate([0 * z, z], 1)),
    ("binary", "focal"): lambda y, z: keras.losses.BinaryFocalCrossentropy(
        gamma=2.0, from_logits=True
    )(y, z),
    ("binary", "mse"): lambda y, z: keras.losses.MeanSquaredError()(y, expit(z)),
    ("regression", "huber"): keras.losses.Huber(delta=1.0),
    ("multilabel", "focal"): lambda y, z: keras.losses.BinaryFocalCrossentropy(
        gamma=2.0, from_logits=True
    )(y, z),
}


def rows(kind, loss):
    task = task_of(kind, loss=loss)
    target, known = task.targets(labels_of(kind, N))
    logits = logits_of(task, N)
    if task.n_classes == 0:
        # Errors on both sides of Huber's bound.
        logits = (target + logits).astype(np.float32)
    return task, target, known, logits


def exact(values):
    """Class indices as they are; everything else in float64."""
    return values if values.dtype.kind == "i" else values.astype(np.float64)


def test_every_loss_of_every_kind_has_its_formula():
    assert sorted(FORMULAS) == sorted(PAIRS)


@pytest.mark.parametrize("kind, loss", PAIRS)
def test_values_are_those_of_the_formula(kind, loss):
    task, target, known, logits = rows(kind, loss)
    found = TaskLoss(task, reduction=None)(target, logits)
    expected = FORMULAS[kind, loss](exact(target), logits.astype(np.float64))
    assert expected.shape == known.shape and expected.min() < 0.9 * expected.max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind, loss", KERAS)
def test_means_are_those_of_keras(kind, loss):
    task, target, _, logits = rows(kind, loss)
    expected = float(KERAS[kind, loss](target, logits))
    assert float(TaskLoss(task)(target, logits)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind, loss", PAIRS)
def test_unknown_labels_do_not_count_and_weights_do(kind, loss):
    task, target, known, logits = rows(kind, loss)
    weights = known * np.random.default_rng(1).uniform(0.5, 2, known.shape)
    expected = FORMULAS[kind, loss](exact(target), logits.astype(np.float64)) * weights
    found = TaskLoss(task)(target, logits, weights.astype(np.float32))
    assert float(found) == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("kind, loss", PAIRS)
def test_what_is_reported_does_not_depend_on_the_loss(kind, loss):
    """The masked mean of the first loss, in the unit of the label."""
    task, target, known, logits = rows(kind, loss)
    first = next(iter(KINDS[kind].losses))
    metric = MaskedLoss(task)
    metric.update_state(target, logits, known.astype(np.float32))
    scale = 2 if loss == "raw_mse" else 1
    values = FORMULAS[kind, first](exact(target), scale * logits.astype(np.float64))
    assert float(metric.result()) == pytest.approx(values[known].mean(), rel=1e-5)


def test_losses_at_extreme_logits_by_arithmetic():
    far = np.array([[1e4]], np.float32)
    no, yes = np.array([[0.0]]), np.array([[1.0]])
    for loss, wrong in (("bce", 1e4), ("focal", 1e4), ("mse", 1.0)):
        task = make_task(kind="binary", name="t", classes=("no", "yes"), loss=loss)
        assert float(TaskLoss(task)(no, far)) == pytest.approx(wrong)
        assert float(TaskLoss(task)(yes, far)) == 0
    for loss, wrong in (("cross_entropy", 1e4), ("focal", 1e4), ("mse", 2 / 3)):
        task = make_task(kind="categorical", name="t", classes=tuple("abc"), loss=loss)
        logits = np.array([[1e4, 0.0, 0.0]], np.float32)
        assert float(TaskLoss(task)([1], logits)) == pytest.approx(wrong)
        assert float(TaskLoss(task)([0], logits)) == 0
    task = make_task(kind="categorical", name="t", classes=tuple("abc"), loss="bce")
    # The true class has p = exp(-1e4), and so has each of the others together.
    wrong = (1e4 + 1e4 - np.log(2)) / 3
    assert float(TaskLoss(task)([1], logits)) == pytest.approx(wrong)
    assert float(TaskLoss(task)([0], logits)) == 0
    for loss, wrong in (("mse", 1e8), ("huber", 1e4 - 0.5)):
        task = make_task(kind="regression", name="t", loss=loss)
        assert float(TaskLoss(task)(no, far)) == pytest.approx(wrong)


def test_an_easy_row_counts_less_in_the_focal_loss():
    """q = 0.9: 100 times less; q = 0.5: 4 times."""
    tasks = [
        make_task(kind="binary", name="t", classes=("no", "yes"), loss=loss)
        for loss in ("bce", "focal")
    ]
    for q, factor in ((0.9, 100), (0.5, 4)):
        logit = np.array([[np.log(q / (1 - q))]], np.float32)
        plain, focal = (float(TaskLoss(task)(np.ones((1, 1)), logit)) for task in tasks)
        assert plain / focal == pytest.approx(factor, rel=1e-4)


@pytest.mark.parametrize(
    "kind, loss, factor",
    [(kind, loss, 0.5 if "mse" in loss else 1.0) for kind, loss in PAIRS],
)
def test_the_factor_of_the_likelihood(kind, loss, factor):
    """A squared error is twice the negative log-likelihood of a Gaussian."""
    assert task_of(kind, loss=loss).likelihood_factor == factor


def test_bce_of_two_classes_is_the_cross_entropy_and_of_three_it_is_not():
    target, logits = np.array([0, 1, 1]), np.random.default_rng(0).normal(0, 3, (3, 3))
    for k, equal in ((2, True), (3, False)):
        found = [
            float(
                TaskLoss(
                    make_task(
                        kind="categorical",
                        name="t",
                        classes=tuple("abc"[:k]),
                        loss=loss,
                    )
                )(target, logits[:, :k].astype(np.float32))
            )
            for loss in ("bce", "cross_entropy")
        ]
        assert (abs(found[0] - found[1]) < 1e-6) == equal


def test_raw_mse_is_that_of_the_reference_which_masks_outputs_and_targets():
    """Rows of the other dataset are 0 in both, and count in the mean over all rows."""
    task = make_task(
        kind="categorical", name="t", classes=("mild", "severe"), loss="raw_mse"
    )
    labels = np.array([1, -1, 0, -1, -1])
    outputs = np.random.default_rng(0).normal(0, 1, (5, 2)).astype(np.float32)
    target, known = task.targets(labels)
    mask = np.repeat(known[:, None], 2, axis=1)
    one_hot = np.eye(2)[target]
    expected = np.mean((outputs * mask - one_hot * mask) ** 2)
    assert float(TaskLoss(task)(target, outputs, known.astype(np.float32))) == (
        pytest.approx(expected, rel=1e-6)
    )


@pytest.mark.parametrize("k", [2, 4])
def test_probabilities_of_raw_outputs_are_a_distribution_in_their_order(k):
    task = make_task(
        kind="categorical", name="t", classes=tuple("abcd"[:k]), loss="raw_mse"
    )
    outputs = np.random.default_rng(k).normal(0.5, 2, (50, k))
    found = task.probabilities(outputs)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-14)
    assert (found > 0).all()
    assert (found.argsort(axis=1) == outputs.argsort(axis=1)).all()
    away = ((outputs[:, None] - np.eye(k)) ** 2).sum(axis=2)
    expected = np.exp(-away) / np.exp(-away).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_probability_of_raw_outputs_is_theirs_to_first_order():
    task = make_task(
        kind="categorical", name="t", classes=("mild", "severe"), loss="raw_mse"
    )
    p = np.array([0.5, 0.51, 0.45])
    found = task.probabilities(np.stack([1 - p, p], axis=1))[:, 1]
    np.testing.assert_allclose(found, p, atol=(0.05 * 2) ** 3 / 3)
