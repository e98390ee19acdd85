"""The fused normalisation against Keras' layer, PyTorch's trace and arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.models.layers import (
    BatchNormalization,
    ChannelInterleave,
    ChannelSplit,
    GroupedConv2D,
    Renormalize,
)
from mdmt_tf.training.strategy import build_strategy


def images(shape=(4, 3, 5, 6), seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return (2.0 + 3.0 * values).astype("float32")


def filled(layer, channels=6, rank=4):
    """The layer, built, with weights that are neither 0 nor 1."""
    layer.build((None,) * (rank - 1) + (channels,))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    return layer


def stock(**kwargs):
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **kwargs)


def output_and_gradients(layer, x, training):
    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 3)
    sources = [x, *(w.value for w in layer.trainable_weights)]
    return y, tape.gradient(loss, sources)


def runs_fused(layer, x, training=True):
    graph = tf.function(lambda t: layer(t, training=training))
    operations = graph.get_concrete_function(tf.TensorSpec(x.shape)).graph
    return any(
        op.type.startswith("FusedBatchNorm") for op in operations.get_operations()
    )


def test_training_step_matches_the_pytorch_trace(torch_traces):
    trace = torch_traces["batchnorm"]
    x = np.random.default_rng(4).standard_normal((6, 2, 3, 3)).transpose(0, 2, 3, 1)
    layer = BatchNormalization()
    layer.build(x.shape)
    layer.set_weights(np.array([[1.5, 0.5], [0.1, -0.2], [0, 0], [1, 1]]))
    y = layer(x.astype("float32"), training=True).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(y[0].ravel(), trace["y_first"], atol=1e-6)
    np.testing.assert_allclose(np.abs(y).mean(), trace["y_mean_abs"], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, trace["running_mean"], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, trace["running_var"], rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (2, 3, 2, 5, 6)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_output_and_gradients_equal_those_of_keras(shape, training, options):
    x = images(shape)
    ours = filled(BatchNormalization(**options), rank=len(shape))
    theirs = filled(stock(**options), rank=len(shape))
    assert runs_fused(ours, x, training)
    y, gradients = output_and_gradients(ours, x, training)
    expected, expected_gradients = output_and_gradients(theirs, x, training)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    for ours_g, theirs_g in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours_g, theirs_g, rtol=2e-4, atol=2e-3)


def test_moving_statistics_are_those_of_pytorch():
    x = images()
    layer = filled(BatchNormalization(momentum=0.8))
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    layer(x, training=True)
    batch_mean, batch_variance = x.mean((0, 1, 2)), x.var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(
        layer.moving_mean, 0.8 * mean + 0.2 * batch_mean, rtol=1e-5
    )
    np.testing.assert_allclose(
        layer.moving_variance, 0.8 * variance + 0.2 * batch_variance, rtol=1e-5
    )


@pytest.mark.parametrize("channels", [6, 16])
def test_mixed_bfloat16(channels):
    x = images((4, 3, 5, channels))
    layer = filled(BatchNormalization(dtype="mixed_bfloat16"), channels)
    exact = filled(BatchNormalization(), channels)
    y = layer(x, training=True)
    assert y.dtype == tf.bfloat16
    assert {w.dtype for w in layer.weights} == {"float32"}
    difference = np.abs(tf.cast(y, tf.float32) - exact(x, training=True)).max()
    assert difference < 0.03  # values up to 3, 8 bits of mantissa
    np.testing.assert_allclose(layer.moving_mean, exact.moving_mean, atol=2e-3)


@pytest.mark.parametrize("training", [True, False])
def test_frozen_layer_keeps_its_statistics(training):
    layer = filled(BatchNormalization())
    layer.trainable = False
    before = layer.get_weights()
    y = layer(images(), training=training)
    np.testing.assert_array_equal(y, layer(images(), training=False))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (7, 6)),
        ({}, (4, 5, 6)),
        ({"axis": 1}, (4, 6, 3, 5)),
        ({"dtype": "float64"}, (4, 3, 5, 6)),
        pytest.param(
            {"renorm": True},
            (4, 3, 5, 6),
            marks=pytest.mark.skipif(
                not hasattr(stock(), "renorm"), reason="Keras has it since 3.13"
            ),
        ),
    ],
)
def test_what_cannot_be_fused_takes_the_path_of_keras(options, shape):
    x = images(shape)
    ours, theirs = BatchNormalization(**options), stock(**options)
    assert not runs_fused(ours, x)
    ours = BatchNormalization(**options)
    np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_is_heeded():
    mask = np.zeros((4, 3, 5), bool)
    mask[:2] = True
    layer = BatchNormalization(momentum=0.0)
    layer(images(), training=True, mask=tf.constant(mask))
    expected = images()[:2].mean((0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, expected, rtol=1e-5)


def test_weights_are_interchangeable_with_those_of_keras(tmp_path):
    ours, theirs = filled(BatchNormalization()), stock()
    theirs.build((None, None, None, 6))
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(images()), theirs(images()), atol=1e-5)


def test_a_single_value_gives_the_offset_and_finite_statistics():
    """n = 1: n / (n - 1) must not reach the statistics."""
    layer = filled(BatchNormalization())
    variance, beta = layer.moving_variance.numpy(), layer.beta.numpy()
    y, (gradient, *_) = output_and_gradients(layer, images((1, 1, 1, 6)), True)
    np.testing.assert_array_equal(y[0, 0, 0], beta)
    np.testing.assert_array_equal(gradient, np.zeros((1, 1, 1, 6)))
    np.testing.assert_allclose(layer.moving_variance, 0.9 * variance, rtol=1e-6)


def test_replicas_share_the_mean_of_their_statistics(two_cpus):
    x = images((4, 2, 2, 3))
    halves = np.stack([x[:2], x[2:]])
    strategy = build_strategy(two_cpus)
    with strategy.scope():
        layer = BatchNormalization()
        layer.build(x.shape)
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(halves[context.replica_id_in_sync_group])
    )

    @tf.function
    def step(batch):
        return strategy.run(lambda own: layer(own, training=True), args=(batch,))

    outputs = strategy.experimental_local_results(step(values))
    for output, half in zip(outputs, halves, strict=True):
        alone = BatchNormalization()(half, training=True)
        np.testing.assert_allclose(output, alone, atol=1e-5)
    mean = halves.mean((1, 2, 3)).mean(0)
    variance = halves.var((1, 2, 3), ddof=1).mean(0)
    for copy in layer.moving_mean.value.values:
        np.testing.assert_allclose(copy, 0.1 * mean, rtol=1e-5)
    for copy in layer.moving_variance.value.values:
        np.testing.assert_allclose(copy, 0.9 + 0.1 * variance, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_synchronized_replicas_equal_one_device(two_cpus, dtype, options):
    """Outputs, gradients and PyTorch's statistics of the whole batch."""
    x = images((6, 2, 2, 4))
    x[3:] = 50 + 4 * x[3:]  # the replicas differ, and far from 0 squares lose digits
    options = {**options, "synchronized": True, "dtype": dtype}
    alone = filled(BatchNormalization(**options), 4)
    expected, expected_gradients = output_and_gradients(alone, x, True)

    strategy = build_strategy(two_cpus)
    with strategy.scope():
        layer = filled(BatchNormalization(**options), 4)
    before = {weight.name: weight.numpy() for weight in layer.weights}
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(x[3 * context.replica_id_in_sync_group :][:3])
    )

    @tf.function
    def step(batch):
        def replica(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = layer(inputs, training=True)
                loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 3)
            sources = [inputs, *(w.value for w in layer.trainable_weights)]
            return y, tape.gradient(loss, sources)

        return strategy.run(replica, args=(batch,))

    outputs, (x_gradient, *gradients) = step(values)
    tolerance = 1e-4 if dtype == "float32" else 0.02
    for both, single in ((outputs, expected), (x_gradient, expected_gradients[0])):
        both = np.concatenate(
            [
                tf.cast(part, tf.float32)
                for part in strategy.experimental_local_results(both)
            ]
        )
        single = tf.cast(single, tf.float32).numpy()
        assert np.abs(both - single).max() < tolerance * np.abs(single).max()
    for parts, single in zip(gradients, expected_gradients[1:], strict=True):
        total = sum(np.asarray(p) for p in strategy.experimental_local_results(parts))
        np.testing.assert_allclose(total, single, rtol=tolerance, atol=tolerance)
    flat = x.reshape(-1, 4)
    for weight, value in (
        (layer.moving_mean, flat.mean(0)),
        (layer.moving_variance, flat.var(0, ddof=1)),
    ):
        moved = 0.9 * before[weight.name] + 0.1 * value
        for copy in weight.value.values:
            np.testing.assert_allclose(copy, moved, rtol=tolerance)


def test_synchronized_is_fused_on_one_device():
    assert runs_fused(BatchNormalization(synchronized=True), images())
    assert runs_fused(BatchNormalization(synchronized=True), images(), training=False)


def test_renormalize_is_an_identity_until_it_is_filled():
    layer = Renormalize()
    x = images((2, 3, 4, 3))
    np.testing.assert_array_equal(layer(x), x)
    assert layer.trainable_weights == []
    layer.set_weights(np.array([[1, 2, 3], [0.5, 0, -1]]))
    np.testing.assert_allclose(layer(x), x * [1, 2, 3] + [0.5, 0, -1], rtol=1e-6)
    grey = layer(x[..., :1])
    np.testing.assert_allclose(grey[..., 2:], 3 * x[..., :1] - 1, rtol=1e-5)
    again = Renormalize.from_config(layer.get_config())
    assert again(x[..., :1]).shape == layer.compute_output_shape((2, 3, 4, 1))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("steps", [{}, {"strides": 2}, {"dilation_rate": 2}], ids=str)
def test_grouped_convolution_equals_that_of_keras(padding, steps):
    options = {"filters": 8, "kernel_size": 3, "groups": 4, "padding": padding}
    ours = GroupedConv2D(**options, **steps)
    stock = keras.layers.Conv2D(**options, **steps)
    x = images((2, 7, 8, 12))
    ours.build(x.shape)
    stock.build(x.shape)
    stock.set_weights(ours.get_weights())
    y, gradients = output_and_gradients(ours, x, training=True)
    expected, expected_gradients = output_and_gradients(stock, x, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for received, wanted in zip(gradients, expected_gradients, strict=True):
        largest = np.abs(wanted).max()
        np.testing.assert_allclose(received, wanted, rtol=0, atol=1e-5 * largest)


def test_grouped_convolution_is_one_kernel_of_tensorflow():
    """Keras compiles it with XLA, which takes tens of times as long on CPU."""
    layer = GroupedConv2D(8, 3, groups=4)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((2, 7, 8, 12)))
    operations = [op.type for op in graph.graph.get_operations()]
    assert operations.count("Conv2D") == 1
    assert "StatefulPartitionedCall" not in operations
    assert "PartitionedCall" not in operations


def test_split_and_interleave_undo_and_mix_the_channels():
    x = tf.reshape(tf.range(2 * 3 * 4 * 6), (2, 3, 4, 6))
    first, second = ChannelSplit()(x)
    np.testing.assert_array_equal(first, x[..., :3])
    np.testing.assert_array_equal(second, x[..., 3:])
    mixed = ChannelInterleave()([first, second])
    np.testing.assert_array_equal(mixed[0, 0, 0], [0, 3, 1, 4, 2, 5])
    np.testing.assert_array_equal(mixed[..., ::2], first)
    np.testing.assert_array_equal(mixed[..., 1::2], second)


@pytest.fixture
def small_model():
    image = keras.Input((4, 4, 4))
    x = BatchNormalization(name="norm")(image)
    x = ChannelInterleave(name="mix")(ChannelSplit(name="halves")(x))
    model = keras.Model(image, x)
    model(images((8, 4, 4, 4)), training=True)
    return model


def test_models_with_these_layers_can_be_saved(small_model, tmp_path):
    small_model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = images((2, 4, 4, 4), seed=3)
    np.testing.assert_array_equal(loaded(x), small_model(x))
    assert loaded.get_layer("norm").epsilon == 1e-5
    assert type(loaded.get_layer("norm")) is BatchNormalization


def test_models_with_these_layers_can_be_exported(small_model, tmp_path):
    small_model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    x = images((3, 4, 4, 4), seed=3)
    np.testing.assert_allclose(exported.serve(x), small_model(x), atol=1e-6)
