"""Equation 2 through sample weights, by arithmetic."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.models.layers import BatchNormalization, Dropout
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training import losses
from mdmt_tf.training.losses import MaskedLoss, TaskLoss, compile_model
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.strategy import build_strategy

# Names that sort against the order of the tasks: Keras sorts dict outputs by key.
ZEBRA = make_task(name="zebra", kind="categorical", classes=("a", "b"))
MIDDLE = make_task(name="middle", kind="binary", classes=("no", "yes"), weight=0.5)
ALPHA = make_task(name="alpha", kind="ordinal", cut_points=(1, 2), weight=2.0)
TASKS = (ZEBRA, MIDDLE, ALPHA)

INPUTS = np.array([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.25], [2.0, 1.0]], np.float32)


def linear_model(tasks):
    """Outputs are known linear functions of two inputs."""
    inputs = keras.Input((2,), name="image")
    outputs = {}
    for number, task in enumerate(tasks):
        kernel = np.arange(2 * task.n_outputs).reshape(2, -1) * 0.3 - 0.2 * number
        layer = keras.layers.Dense(task.n_outputs, use_bias=False, name=task.name)
        outputs[task.name] = layer(inputs)
        layer.set_weights([kernel.astype(np.float32)])
    return keras.Model(inputs, outputs)


def row_loss(task, target, logits):
    """Equation 3 and its kin, one row, in plain Python."""
    if task.kind == "categorical":
        return math.log(sum(math.exp(z) for z in logits)) - logits[int(target)]
    crosses = [
        math.log1p(math.exp(z)) - t * z
        for t, z in zip(np.atleast_1d(target), logits, strict=True)
    ]
    return sum(crosses) / len(crosses)


def equation_2(model, tasks, targets, weights):
    """sum_i sum_t lambda_t I c L, over the batch."""
    total = 0.0
    for task in tasks:
        kernel = model.get_layer(task.name).get_weights()[0].astype(float)
        for i, row in enumerate(INPUTS.astype(float)):
            if weights[task.name][i]:
                loss = row_loss(task, targets[task.name][i], row @ kernel)
                total += task.weight * weights[task.name][i] * loss
    return total


TARGETS = {
    "zebra": np.array([0, 1, 0, 1], np.int32),
    "middle": np.array([[1.0], [0.0], [0.0], [1.0]], np.float32),
    "alpha": np.array([[1, 1], [1, 0], [0, 0], [1, 0]], np.float32),
}
WEIGHTS = {
    "zebra": np.array([1, 1, 0, 0], np.float32),
    "middle": np.array([0, 0, 1.5, 0], np.float32),  # a class weight of 1.5
    "alpha": np.array([0, 1, 0, 1], np.float32),
}


def one_step(tasks, targets, weights):
    """Logged loss, masked losses and kernels after one step of plain descent."""
    model = linear_model(tasks)
    metrics = compile_model(model, tasks, keras.optimizers.SGD(0.1))
    pick = [task.name for task in tasks]
    logged = model.train_on_batch(
        INPUTS,
        {name: targets[name] for name in pick},
        {name: weights[name] for name in pick},
        return_dict=True,
    )
    kernels = {name: model.get_layer(name).get_weights()[0] for name in pick}
    masked = {name: float(metric.result()) for name, metric in metrics.items()}
    return float(logged["loss"]), masked, kernels


@pytest.mark.parametrize("tasks", [TASKS, (ZEBRA, MIDDLE), (ALPHA,)])
def test_loss_is_equation_2_over_the_batch_size(tasks):
    loss, masked, _ = one_step(tasks, TARGETS, WEIGHTS)
    model = linear_model(tasks)
    assert loss == pytest.approx(
        equation_2(model, tasks, TARGETS, WEIGHTS) / 4, rel=1e-5
    )
    for task in tasks:
        alone = {t.name: WEIGHTS[t.name] * (t.name == task.name) for t in tasks}
        counted = WEIGHTS[task.name].sum() * task.weight
        expected = equation_2(model, tasks, TARGETS, alone) / counted
        assert masked[task.name] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("poison", [0.0, 1e6, -7.0])
def test_unlabelled_targets_cannot_matter(poison):
    targets = {name: values.copy() for name, values in TARGETS.items()}
    for name in ("middle", "alpha"):
        targets[name][WEIGHTS[name] == 0] = poison
    targets["zebra"][WEIGHTS["zebra"] == 0] = int(poison > 0)
    expected, received = (one_step(TASKS, t, WEIGHTS) for t in (TARGETS, targets))
    assert received[0] == expected[0]
    assert received[1] == expected[1]
    for name, kernel in expected[2].items():
        np.testing.assert_array_equal(received[2][name], kernel)


def test_a_batch_without_labels_changes_nothing():
    none = {name: np.zeros(4, np.float32) for name in WEIGHTS}
    loss, masked, kernels = one_step(TASKS, TARGETS, none)
    assert loss == 0.0
    # "No data" must not read as a perfect 0.
    assert all(math.isnan(value) for value in masked.values())
    for name, kernel in kernels.items():
        np.testing.assert_array_equal(
            kernel, linear_model(TASKS).get_layer(name).get_weights()[0]
        )


def test_a_task_without_labels_leaves_the_others_alone():
    weights = WEIGHTS | {"middle": np.zeros(4, np.float32)}
    _, _, with_middle = one_step(TASKS, TARGETS, weights)
    _, _, without = one_step((ZEBRA, ALPHA), TARGETS, weights)
    # Task number enters the kernels of `linear_model`, so compare the gradients.
    start = linear_model(TASKS), linear_model((ZEBRA, ALPHA))
    steps = [
        kernels["zebra"] - model.get_layer("zebra").get_weights()[0]
        for kernels, model in zip((with_middle, without), start, strict=True)
    ]
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-6)


def test_masked_mean_equals_the_mean_of_the_rows_kept():
    metric, loss = MaskedLoss(ZEBRA), TaskLoss(ZEBRA, reduction=None)
    logits = np.array([[0.0, 1.0], [2.0, -1.0], [0.3, 0.3]], np.float32)
    targets, keep = np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0])
    # In two batches: the mean is over rows, not over batches.
    metric.update_state(targets[:1], logits[:1], keep[:1])
    metric.update_state(targets[1:], logits[1:], keep[1:])
    expected = np.mean(loss(targets[keep > 0], logits[keep > 0]))
    assert float(metric.result()) == pytest.approx(float(expected), rel=1e-6)


OMEGA = make_task(name="omega", kind="regression", weight=0.1)
EVERY_KIND = (*TASKS, OMEGA)


def random_network(dimensions, tasks):
    """Everything that has a state: normalisation, dropout in backbone and heads."""
    image = keras.Input((6,) * dimensions + (1,), name="image")
    layers = {2: ("Conv2D", "GlobalAveragePooling2D")}
    layers[3] = ("Conv3D", "GlobalAveragePooling3D")
    conv, pool = (getattr(keras.layers, name) for name in layers[dimensions])
    x = conv(4, 3, kernel_initializer=keras.initializers.GlorotUniform(3))(image)
    x = Dropout(0.2, seed=4)(keras.layers.ReLU()(BatchNormalization()(x)))
    return build_model(keras.Model(image, pool()(x)), tasks, seed=1)


def random_batches(dimensions, tasks):
    """Three batches of 4 rows, some without a label."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(12,) + (6,) * dimensions + (1,))
    labels = generator.integers(-1, 2, 12)
    pairs = {task.name: task.targets(labels) for task in tasks}
    targets = {name: target for name, (target, _) in pairs.items()}
    known = {name: known.astype("float32") for name, (_, known) in pairs.items()}
    rows = (images.astype("float32"), targets, known)
    return tf.data.Dataset.from_tensor_slices(rows).batch(4)


@pytest.fixture
def traces(monkeypatch):
    """Grows by one whenever a training step is traced."""
    traces = []
    step = keras.Model.train_step

    def counted(model, data):
        traces.append(model.name)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    return traces


def fit(tasks, devices=None, dimensions=2, **options):
    """Two epochs; all numbers that they leave."""
    with build_strategy(devices).scope():
        model = random_network(dimensions, tasks)
        optimizer = build_optimizer("adam", 0.01, 1e-2, **options)
        metrics = compile_model(model, tasks, optimizer)
    assert not any(np.any(np.array(v)) for v in model.metrics_variables)
    batches = random_batches(dimensions, tasks)
    history = model.fit(batches, epochs=2, verbose=0, shuffle=False).history
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    masked = [float(metric.result()) for metric in metrics.values()]
    return history, masked, [np.array(variable) for variable in variables]


# Every kind in its order: see the next test.
@pytest.mark.parametrize("tasks", [EVERY_KIND[::-1], TASKS[:2], (OMEGA,)])
def test_a_fit_on_one_device_traces_its_step_once(tasks, traces):
    fit(tasks)
    assert len(traces) == 1


CASES = {
    "images": {},
    "volumes": {"dimensions": 3, "accumulate": 2, "amsgrad": True},
    "mixed precision": {},
    "two devices": {"accumulate": 2},
}
FAST = ("images", "mixed precision")


@pytest.mark.parametrize(
    "case",
    [
        name if name in FAST else pytest.param(name, marks=pytest.mark.large)
        for name in CASES
    ],
)
def test_creating_variables_first_changes_no_bit(case, two_cpus, traces, monkeypatch):
    devices = two_cpus if case == "two devices" else None
    policy = keras.config.dtype_policy()
    if case == "mixed precision":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        received = fit(EVERY_KIND, devices, **CASES[case])
        assert len(traces) == (len(devices) if devices else 1)
        monkeypatch.setattr(losses, "create_step_variables", lambda *_: None)
        expected = fit(EVERY_KIND, devices, **CASES[case])
    finally:
        keras.config.set_dtype_policy(policy)
    assert received[:2] == expected[:2]
    for a, b in zip(received[2], expected[2], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_a_stored_loss_is_the_same_loss(task):
    loss = TaskLoss(task, reduction=None)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    targets, _ = task.targets(np.array([0, 1, 1]))
    logits = np.linspace(-1, 1, 3 * task.n_outputs).reshape(3, -1)
    assert again.name == loss.name and again.reduction is None
    np.testing.assert_array_equal(again(targets, logits), loss(targets, logits))
