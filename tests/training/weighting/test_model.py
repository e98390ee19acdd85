"""The place where methods that need the gradients of each task plug in."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from weighted_networks import fit, fitted_model, precision, values

from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.strategy import build_strategy
from mdmt_tf.training.weighting.base import Weighting
from mdmt_tf.training.weighting.model import current_weights

# Tasks that pull the same features in opposite directions.
ZEBRA = make_task(name="zebra", kind="regression", weight=0.5)
ALPHA = make_task(name="alpha", kind="regression")
TASKS = (ZEBRA, ALPHA)
RATE = 0.1

INPUTS = np.float32([[1, -2], [0.5, 1.5], [-1, 0.25], [2, 1]])
KERNEL = np.float32([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]])
HEADS = {
    "zebra": np.float32([[0.7], [-0.3], [0.2]]),
    "alpha": np.float32([[-0.8], [0.5], [0.1]]),
}
TARGETS = {
    "zebra": np.float32([[1], [-1], [0], [2]]),
    "alpha": np.float32([[1.5], [0.5], [-1], [1]]),
}
WEIGHTS = {"zebra": np.float32([1, 0, 2, 1]), "alpha": np.float32([1, 1, 0, 1])}


class FirstTask(Weighting):
    """The backbone is trained for the first task alone."""

    uses_task_gradients = True

    def backbone_gradients(self, gradients, losses, fractions):
        return list(gradients[self.tasks[0].name])


class Projecting(Weighting):
    """PCGrad (Yu et al. 2020) for two tasks: conflicting gradients are projected."""

    is_linear = False
    uses_task_gradients = True

    def backbone_gradients(self, gradients, losses, fractions):
        first, second = (gradients[task.name] for task in self.tasks)
        inner = sum(tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True))
        conflict = tf.minimum(inner, 0.0)

        def without(of, other):
            size = sum(tf.reduce_sum(part**2) for part in other)
            return [a - conflict / size * b for a, b in zip(of, other, strict=True)]

        projected = without(first, second), without(second, first)
        return [a + b for a, b in zip(*projected, strict=True)]


class Remembering(Weighting):
    """Keeps the mean losses of the last step in variables of its own."""

    uses_task_gradients = True

    def __init__(self, tasks):
        super().__init__(tasks)
        options = {"trainable": False, "aggregation": "only_first_replica"}
        self.last = {
            task.name: self.add_weight((), "zeros", name=task.name, **options)
            for task in tasks
        }

    def backbone_gradients(self, gradients, losses, fractions):
        for name, variable in self.last.items():
            variable.assign(losses[name] / fractions[name])
        return super().backbone_gradients(gradients, losses, fractions)

    def task_weights(self):
        return self.last


def linear_model(method, devices=None):
    """Features and logits are linear functions without bias."""
    with build_strategy(devices).scope():
        image = keras.Input((2,), name="image")
        layer = keras.layers.Dense(3, use_bias=False, name="features")
        backbone = keras.Model(image, layer(image), name="net")
        model = build_model(backbone, TASKS, "linear", dropout=0.0)
        layer.set_weights([KERNEL])
        for name, head in HEADS.items():
            model.get_layer(name).set_weights([head, np.zeros(1, np.float32)])
        fitted = method(TASKS).attach(model, "net")
        compile_model(fitted, TASKS, keras.optimizers.SGD(RATE))
    return fitted


def one_step(method, devices=None, scale=None):
    """What one batch leaves: the logged loss, the backbone's kernel, the heads'."""
    fitted = linear_model(method, devices)
    if scale is not None:
        fitted.optimizer.dynamic_scale.assign(scale)
    rows = tf.data.Dataset.from_tensor_slices((INPUTS, TARGETS, WEIGHTS)).batch(4)
    (logged,) = fitted.fit(rows, verbose=0, shuffle=False).history["loss"]
    kernel = fitted.model.get_layer("net").get_weights()[0]
    heads = {name: fitted.model.get_layer(name).get_weights()[0] for name in HEADS}
    return logged, kernel, heads, fitted


def by_hand(rows=slice(None)):
    """Losses, gradients of the backbone's kernel and of the heads', in float64."""
    losses, of_kernel, of_heads = {}, {}, {}
    for task in TASKS:
        inputs, head = INPUTS[rows].astype(float), HEADS[task.name].astype(float)
        factor = task.weight * WEIGHTS[task.name][rows][:, None] / len(INPUTS)
        features = inputs @ KERNEL.astype(float)
        error = features @ head - TARGETS[task.name][rows]
        losses[task.name] = float((factor * error**2).sum())
        of_kernel[task.name] = inputs.T @ (2 * factor * error) @ head.T
        of_heads[task.name] = features.T @ (2 * factor * error)
    return losses, of_kernel, of_heads


def projected_sum(of_kernel):
    first, second = of_kernel["zebra"], of_kernel["alpha"]
    inner = min(0.0, float((first * second).sum()))
    return (
        first
        - inner / (second**2).sum() * second
        + second
        - inner / (first**2).sum() * first
    )


EXPECTED = {
    FirstTask: lambda of_kernel: of_kernel["zebra"],
    Projecting: projected_sum,
    Remembering: lambda of_kernel: of_kernel["zebra"] + of_kernel["alpha"],
}


@pytest.fixture(scope="module")
def stepped(two_cpus):
    """`stepped(method, replicas)`: what one batch leaves, in single precision."""

    @functools.cache
    def stepped(method, replicas=1):
        return one_step(method, two_cpus if replicas == 2 else None)

    return stepped


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("method", EXPECTED)
def test_task_gradients_of_the_backbone_go_through_the_method(
    method, replicas, stepped
):
    losses, of_kernel, of_heads = by_hand()
    logged, kernel, heads, _ = stepped(method, replicas)
    expected = KERNEL - RATE * EXPECTED[method](of_kernel)
    np.testing.assert_allclose(kernel, expected, atol=1e-6)
    # The heads follow the total, whatever the method makes of the backbone.
    for name, head in heads.items():
        np.testing.assert_allclose(head, HEADS[name] - RATE * of_heads[name], atol=1e-6)
    assert logged == pytest.approx(sum(losses.values()), rel=1e-5)


def test_task_gradients_of_the_test_tell_the_methods_apart():
    """The tasks conflict; a projection on each replica would be another one."""
    _, of_kernel, _ = by_hand()
    assert (of_kernel["zebra"] * of_kernel["alpha"]).sum() < -0.01
    halves = [projected_sum(by_hand(rows)[1]) for rows in (slice(2), slice(2, 4))]
    steps = [expected(of_kernel) for expected in EXPECTED.values()]
    steps.append(sum(halves))
    for number, step in enumerate(steps):
        for other in steps[:number]:
            assert np.abs(step - other).max() > 0.01


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_method_may_assign_its_own_variables(replicas, stepped):
    *_, fitted = stepped(Remembering, replicas)
    losses, _, _ = by_hand()
    for task in TASKS:
        labelled = task.weight * WEIGHTS[task.name].sum() / 4
        expected = losses[task.name] / labelled
        assert current_weights(fitted)[task.name] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("policy", "scale"), [("mixed_bfloat16", None), ("mixed_float16", 256.0)]
)
def test_task_gradients_in_mixed_precision_are_nearly_the_same(policy, scale, stepped):
    _, expected, *_ = stepped(Projecting)
    with precision(policy):
        _, received, *_ = one_step(Projecting, scale=scale)
    np.testing.assert_allclose(received, expected, atol=0.01)
    assert np.abs(received - KERNEL).max() > 0.05


@pytest.mark.parametrize("devices", [None, ["CPU:0", "CPU:1"]])
def test_a_step_with_task_gradients_is_traced_once(devices, two_cpus):
    traces = []

    class Counting(FirstTask):
        def backbone_gradients(self, gradients, losses, fractions):
            traces.append(sorted(gradients))
            return super().backbone_gradients(gradients, losses, fractions)

    _, fitted = fitted_model(Counting, lambda: keras.optimizers.SGD(0.1), devices)
    fit(fitted)
    # Once a replica.
    assert traces == [["alpha", "middle", "zebra"]] * (2 if devices else 1)


def test_a_frozen_backbone_has_no_task_gradients():
    with build_strategy(None).scope():
        fitted = linear_model(FirstTask)
        fitted.model.get_layer("net").trainable = False
        compile_model(fitted, TASKS, keras.optimizers.SGD(RATE))
    before = values(fitted.model.get_layer("net").weights)[0]
    fitted.train_on_batch(INPUTS, TARGETS, WEIGHTS)
    np.testing.assert_array_equal(
        values(fitted.model.get_layer("net").weights)[0], before
    )
    assert np.abs(fitted.model.get_layer("alpha").kernel - HEADS["alpha"]).max() > 0.01
