"""Adam against PyTorch's traces, arithmetic, and one device against two."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.errors import ConfigError
from mdmt_tf.training.optimizers import Adam, LossScaleOptimizer, build_optimizer
from mdmt_tf.training.strategy import build_strategy

TRACES = {
    "Adam(lr=1e-2)": {},
    "Adam(lr=1e-2, weight_decay=1e-1)": {"l2": 0.1},
    "AdamW(lr=1e-2, weight_decay=1e-1)": {"weight_decay": 0.1},
    "AdamW(lr=1e-2, weight_decay=1e-1, amsgrad=True)": {
        "weight_decay": 0.1,
        "amsgrad": True,
    },
    "Adam(lr=1e-2, amsgrad=True)": {"amsgrad": True},
}


def one_step(optimizer, value, gradient):
    variable = keras.Variable(np.float32(value))
    optimizer.build([variable])
    optimizer.apply([tf.constant(gradient)])
    return float(variable)


# In float64, Keras still rounds the decoupled decay to float32.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-6)])
@pytest.mark.parametrize("trace", TRACES)
def test_steps_match_the_pytorch_trace(trace, dtype, tolerance, torch_traces):
    variable = keras.Variable(np.array(torch_traces["w0"]), dtype=dtype)
    # A function: as a number, the learning rate would be a float32 variable.
    optimizer = Adam(lambda: tf.constant(1e-2, tf.float64), **TRACES[trace])
    optimizer.build([variable])
    expected = torch_traces["optimizers"][trace]
    for gradient, weights in zip(torch_traces["g"], expected, strict=True):
        optimizer.apply([tf.constant(gradient, dtype)])
        np.testing.assert_allclose(variable.numpy(), weights, atol=tolerance, rtol=0)


def test_epsilon_is_outside_the_bias_correction():
    """Step 1: m-hat = g and v-hat = g^2 exactly, so w moves by lr g / (|g| + eps)."""
    moved = 2.0 - one_step(Adam(0.3, epsilon=1.0), 2.0, 0.5)
    assert moved == pytest.approx(0.3 * 0.5 / (0.5 + 1.0), rel=1e-6)


def test_l2_enters_the_moments():
    moved = 2.0 - one_step(Adam(0.3, epsilon=1.0, l2=0.1), 2.0, 0.5)
    gradient = 0.5 + 0.1 * 2.0
    assert moved == pytest.approx(0.3 * gradient / (gradient + 1.0), rel=1e-6)


def test_weight_decay_does_not():
    moved = 2.0 - one_step(Adam(0.3, epsilon=1.0, weight_decay=0.1), 2.0, 0.5)
    expected = 0.3 * 0.1 * 2.0 + 0.3 * 0.5 / (0.5 + 1.0)
    assert moved == pytest.approx(expected, rel=1e-6)


def test_the_learning_rate_can_change_without_a_new_trace():
    variable = keras.Variable(np.float32(1.0))
    optimizer = Adam(0.5)
    optimizer.build([variable])
    traces = []

    @tf.function
    def step():
        traces.append(1)
        optimizer.apply([tf.constant(1.0)])

    step()
    assert float(variable) == pytest.approx(0.5)
    optimizer.learning_rate = 0.125
    step()  # the gradient has not changed: a step of exactly the learning rate
    assert float(variable) == pytest.approx(0.375)
    assert len(traces) == 1


def kernels_of_a_step(count):
    """How often each kind of operation is in a step on `count` variables."""
    variables = [keras.Variable(np.ones(3, "float32")) for _ in range(count)]
    optimizer = Adam(1e-3, l2=1e-4)
    optimizer.build(variables)
    step = tf.function(lambda *gradients: optimizer.apply(list(gradients)))
    graph = step.get_concrete_function(*[tf.TensorSpec([3])] * count).graph
    return collections.Counter(
        operation.type
        for operation in graph.get_operations()
        if operation.type not in ("Placeholder", "Const", "Identity")
    )


def test_one_kernel_for_each_variable_besides_l2():
    more = kernels_of_a_step(6)
    more.subtract(kernels_of_a_step(5))
    # Bias correction and the rest are per step.
    assert +more == {"ReadVariableOp": 1, "Mul": 1, "AddV2": 1, "ResourceApplyAdam": 1}


def test_sparse_gradients_decay_every_row():
    dense = np.zeros((4, 2), "float32")
    dense[[1, 3]] = 1.0
    results = []
    sparse = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))
    for gradient in (tf.constant(dense), sparse):
        variable = keras.Variable(np.ones((4, 2), "float32"))
        optimizer = Adam(0.1, l2=0.5)
        optimizer.build([variable])
        optimizer.apply([gradient])
        results.append(variable.numpy())
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] < 1).all()


def test_update_step_alone_takes_a_plain_learning_rate():
    variable = keras.Variable(np.float32(2.0))
    optimizer = Adam(0.3, epsilon=1.0)
    optimizer.build([variable])
    optimizer.update_step(tf.constant(0.5), variable, 0.3)
    assert float(variable) == pytest.approx(2.0 - 0.3 * 0.5 / 1.5, rel=1e-6)


def compiled(optimizer):
    """A small model with the same weights at each call; no dropout, no statistics."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(
                5, "tanh", kernel_initializer=keras.initializers.GlorotUniform(1)
            ),
            keras.layers.Dense(
                1, kernel_initializer=keras.initializers.GlorotUniform(2)
            ),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def batches(size=8):
    x = np.random.default_rng(0).standard_normal((32, 6)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, np.sin(x[:, :1]))).batch(size)


@pytest.mark.parametrize(
    ("options", "built_beforehand"),
    [({"l2": 0.1}, True), ({"weight_decay": 0.1, "amsgrad": True}, False)],
)
def test_two_replicas_take_the_same_steps(options, built_beforehand, two_cpus):
    alone = compiled(Adam(1e-2, **options))
    alone.fit(batches(), epochs=2, verbose=0)
    strategy = build_strategy(two_cpus)
    with strategy.scope():
        model = compiled(Adam(1e-2, **options))
        if built_beforehand:
            model.optimizer.build(model.trainable_variables)
    model.fit(batches(), epochs=2, verbose=0)
    for variable, expected in zip(
        model.trainable_variables, alone.get_weights(), strict=True
    ):
        for copy in variable.value.values:
            np.testing.assert_allclose(copy, expected, atol=1e-6)
    slots = [v for v in model.optimizer.variables if len(v.shape) == 2]
    expected = [v for v in alone.optimizer.variables if len(v.shape) == 2]
    for slot, value in zip(slots, expected, strict=True):
        for copy in slot.value.values:
            np.testing.assert_allclose(copy, value, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "matters"),
    [({}, False), ({"weight_decay": 0.1}, False), ({"l2": 0.1}, True)],
)
def test_the_scale_of_the_loss_matters_beside_a_penalty_alone(options, matters):
    def stepped(scale):
        variable = keras.Variable(np.float32([2.0, -1.0]))
        optimizer = Adam(0.1, epsilon=1e-12, **options)
        optimizer.build([variable])
        for gradient in ([0.5, 0.1], [-0.2, 0.4], [0.3, -0.1]):
            optimizer.apply([tf.constant(gradient) * scale])
        return variable.numpy()

    difference = np.abs(stepped(1 / 32) - stepped(1.0)).max()
    assert (difference > 0.01) if matters else (difference < 1e-6)


def test_a_saved_optimizer_goes_on_as_the_original(tmp_path):
    options = {"l2": 0.01, "epsilon": 1e-3, "amsgrad": True}
    model = compiled(Adam(1e-2, **options))
    model.fit(batches(), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is Adam
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for each in (model, loaded):
        each.fit(batches(), epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_optimizers_by_name():
    adam = build_optimizer("adam", 1e-3, 1e-4)
    assert (adam.l2, adam.weight_decay, adam.epsilon) == (1e-4, None, 1e-8)
    adamw = build_optimizer("adamw", 1, 1e-4)
    assert (adamw.l2, adamw.weight_decay) == (0.0, 1e-4)
    assert float(adamw.learning_rate) == 1.0
    assert build_optimizer("adamw", 1e-3).weight_decay is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sgd", 1e-3), "'sgd' is not an optimizer. Known: adam, adamw"),
        (("adam", 0.0), "learning_rate > 0.*Received: learning_rate=0.0"),
        (("adam", 1e-3, -0.1), "weight_decay >= 0.*weight_decay=-0.1"),
    ],
)
def test_what_is_no_optimizer_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizer(*arguments)


ACCUMULATED = [{"l2": 0.1}, {"weight_decay": 0.1, "amsgrad": True}]


@pytest.mark.parametrize("options", ACCUMULATED)
def test_accumulated_batches_are_one_large_batch(options):
    """Four times 8 rows, accumulated, against 32 rows; a network without BatchNorm."""
    large = compiled(Adam(1e-2, **options))
    large.fit(batches(32), epochs=6, verbose=0)
    small = compiled(Adam(1e-2, accumulate=4, **options))
    small.fit(batches(), epochs=6, verbose=0)
    start = compiled(Adam(1e-2)).get_weights()
    for a, b, c in zip(small.get_weights(), large.get_weights(), start, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert np.abs(a - c).max() > 1e-3


def test_nothing_moves_before_the_last_of_the_accumulated():
    variable = keras.Variable(np.float32(2.0))
    optimizer = Adam(0.3, epsilon=1.0, weight_decay=0.1, amsgrad=True, accumulate=3)
    optimizer.build([variable])
    for gradient in (0.1, 0.4):
        optimizer.apply([tf.constant(gradient)])
        assert float(variable) == 2.0
        assert float(optimizer._momentums[0]) == float(optimizer._velocities[0]) == 0
    optimizer.apply([tf.constant(1.0)])
    # The mean gradient is 0.5; see test_weight_decay_does_not.
    expected = 2.0 - (0.3 * 0.1 * 2.0 + 0.3 * 0.5 / (0.5 + 1.0))
    assert float(variable) == pytest.approx(expected, rel=1e-6)
    # The sum begins anew.
    optimizer.apply([tf.constant(7.0)])
    assert float(optimizer._sums[0]) == 7.0


@pytest.mark.parametrize("trace", TRACES)
def test_accumulated_steps_match_the_pytorch_trace(trace, torch_traces):
    """Each gradient as the mean of three that differ; powers of beta count steps."""
    variable = keras.Variable(np.array(torch_traces["w0"], "float32"))
    optimizer = Adam(1e-2, accumulate=3, **TRACES[trace])
    optimizer.build([variable])
    expected = torch_traces["optimizers"][trace]
    for gradient, weights in zip(torch_traces["g"], expected, strict=True):
        for change in (-0.5, 0.2, 0.3):
            optimizer.apply([tf.constant(np.array(gradient) + change, "float32")])
        np.testing.assert_allclose(variable.numpy(), weights, atol=2e-6, rtol=0)


@pytest.mark.parametrize("options", ACCUMULATED)
def test_two_replicas_accumulate_alike(options, two_cpus):
    alone = compiled(Adam(1e-2, accumulate=3, **options))
    alone.fit(batches(), epochs=2, verbose=0)
    with build_strategy(two_cpus).scope():
        model = compiled(Adam(1e-2, accumulate=3, **options))
        model.optimizer.build(model.trainable_variables)
    model.fit(batches(), epochs=2, verbose=0)
    for variable, expected in zip(
        model.trainable_variables, alone.get_weights(), strict=True
    ):
        for copy in variable.value.values:
            np.testing.assert_allclose(copy, expected, atol=1e-6)


def test_an_accumulating_optimizer_goes_on_in_the_middle(tmp_path):
    """Four batches an epoch, three a step: the sum of one is carried over."""
    model = compiled(Adam(1e-2, epsilon=1e-3, accumulate=3))
    model.fit(batches(), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.accumulate == 3
    for each in (model, loaded):
        each.fit(batches(), epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("lost", [0, 7], ids=["first replica", "second replica"])
def test_an_overflow_in_one_replica_leaves_the_step_out_in_all(lost, two_cpus):
    with build_strategy(two_cpus).scope():
        model = compiled(LossScaleOptimizer(Adam(1e-2, accumulate=2)))
        model.optimizer.build(model.trainable_variables)
    start = model.get_weights()
    x = np.ones((8, 6), np.float32)
    y = np.zeros((8, 1), np.float32)
    y[lost] = 1e38
    rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    model.fit(rows, verbose=0)
    for variable, before in zip(model.trainable_variables, start, strict=True):
        for copy in variable.value.values:
            np.testing.assert_array_equal(copy, before)
    assert float(model.optimizer.dynamic_scale.numpy()) == 2.0**14
    assert int(model.optimizer.iterations.numpy()) == 0
