"""Statistics per dataset against arithmetic, and against one set of statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.models.dataset_normalization import (
    DatasetBatchNormalization,
    fill_from_plain,
    fill_plain,
    fractions_of,
    set_fractions,
)
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.training.strategy import build_strategy


def images(shape=(6, 3, 4, 2), seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return (2.0 + 3.0 * values).astype("float32")


def built(datasets=2, rank=4, channels=2, **options):
    layer = DatasetBatchNormalization(datasets, **options)
    layer.build(((None,) * (rank - 1) + (channels,), (None,)))
    return layer


def normalized(x, mean, variance, epsilon=1e-5):
    return (x - mean) / np.sqrt(variance + epsilon)


@pytest.mark.parametrize("shape", [(6, 3, 4, 2), (6, 2, 3, 2, 2)])
def test_each_row_is_normalised_with_the_rows_of_its_dataset(shape):
    x, dataset = images(shape), np.array([0, 1, 0, 1, 1, 0], np.int32)
    x[dataset == 1] = 5 * x[dataset == 1] - 40
    layer = built(rank=len(shape))
    y = layer((x, dataset), training=True).numpy()
    axes = tuple(range(len(shape) - 1))
    for d in (0, 1):
        own = x[dataset == d].astype(np.float64)
        mean, variance = own.mean(axes), own.var(axes)
        expected = normalized(own, mean, variance)
        np.testing.assert_allclose(y[dataset == d], expected, atol=2e-5)
        n = own[..., 0].size
        np.testing.assert_allclose(layer.moving_mean[d], 0.1 * mean, rtol=1e-5)
        unbiased = 0.9 + 0.1 * variance * n / (n - 1)
        np.testing.assert_allclose(layer.moving_variance[d], unbiased, rtol=1e-5)


def test_rows_of_one_dataset_alone_are_those_of_the_ordinary_layer():
    x, dataset = images(), np.zeros(6, np.int32)
    both = [BatchNormalization(), built()]
    found = []
    for layer, inputs in zip(both, (x, (x, dataset)), strict=True):
        with tf.GradientTape() as tape:
            watched = tf.constant(x)
            tape.watch(watched)
            given = watched if inputs is x else (watched, tf.constant(dataset))
            y = layer(given, training=True)
            loss = tf.reduce_sum(y**3)
        sources = [watched, layer.gamma.value, layer.beta.value]
        found.append([y, *tape.gradient(loss, sources)])
        found[-1].append(tf.reshape(layer.moving_variance, (-1, 2))[0])
    for ours, ordinary in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, ordinary, atol=2e-4)
    # The other dataset had no row.
    np.testing.assert_array_equal(both[1].moving_mean[1], [0, 0])
    np.testing.assert_array_equal(both[1].moving_variance[1], [1, 1])


def test_a_single_row_of_a_dataset_is_normalised_by_its_running_statistics():
    x, dataset = images(), np.array([0, 0, 0, 1, 0, 0], np.int32)
    layer = built()
    layer.moving_mean.assign([[0, 0], [2, 3]])
    layer.moving_variance.assign([[1, 1], [4, 9]])
    with tf.GradientTape() as tape:
        watched = tf.constant(x)
        tape.watch(watched)
        y = layer((watched, dataset), training=True)
        loss = tf.reduce_sum(y[3])
    expected = normalized(x[3], np.array([2, 3]), np.array([4, 9]))
    np.testing.assert_allclose(y[3], expected, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean[1], [2, 3])
    np.testing.assert_array_equal(layer.moving_variance[1], [4, 9])
    # As in evaluation: the gradient is that of a fixed scale, and finite elsewhere.
    gradient = tape.gradient(loss, watched).numpy()
    np.testing.assert_allclose(gradient[3], np.tile([1 / 2, 1 / 3], (3, 4, 1)), 1e-5)
    np.testing.assert_allclose(gradient[[0, 1, 2, 4, 5]], 0, atol=1e-6)


def test_a_row_of_no_dataset_is_normalised_by_the_mixture():
    layer = built()
    layer.moving_mean.assign([[0, 1], [4, 1]])
    layer.moving_variance.assign([[1, 1], [9, 1]])
    layer.dataset_fractions.assign([0.25, 0.75])
    # Of a mixture: E x = 3, E x^2 = 1/4 * 1 + 3/4 * (9 + 16) = 19, so the variance 10.
    x = np.array([[[[3 + 10**0.5, 1.0]]]], np.float32)
    y = layer((x, np.array([-1], np.int32))).numpy().ravel()
    np.testing.assert_allclose(y, [1, 0], atol=1e-5)


def test_a_frozen_layer_uses_the_running_statistics_of_each_dataset():
    layer = built()
    layer.moving_mean.assign([[0, 0], [2, 3]])
    layer.trainable = False
    x, dataset = images(), np.array([0, 1] * 3, np.int32)
    y = layer((x, dataset), training=True)
    np.testing.assert_allclose(y[1], normalized(x[1], np.array([2, 3]), 1), atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, [[0, 0], [2, 3]])


def test_in_16_bits_it_computes_in_32():
    half, exact = built(dtype="mixed_bfloat16"), built()
    x, dataset = images(), np.array([0, 1] * 3, np.int32)
    y = half((x, dataset), training=True)
    assert y.dtype == "bfloat16"
    exact((tf.cast(x, "bfloat16"), dataset), training=True)
    np.testing.assert_allclose(half.moving_variance, exact.moving_variance, rtol=1e-6)


def test_replicas_use_the_rows_of_all_of_them(two_cpus):
    """Each has one row of dataset 1, which alone would be too few."""
    x, dataset = images(), np.array([0, 0, 1, 0, 1, 0], np.int32)

    def step(devices):
        strategy = build_strategy(devices)
        with strategy.scope():
            layer = built()
        slices = np.split(np.arange(6), strategy.num_replicas_in_sync)

        def of_replica(context):
            rows = slices[context.replica_id_in_sync_group]
            return tf.constant(x[rows]), tf.constant(dataset[rows])

        values = strategy.experimental_distribute_values_from_function(of_replica)

        @tf.function
        def run():
            return strategy.run(lambda *pair: layer(pair, training=True), args=values)

        y = strategy.experimental_local_results(run())
        return [np.concatenate(y), *layer.get_weights()]

    for one, two in zip(step(["CPU:0"]), step(two_cpus), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)


def network(layer):
    """A small backbone; `layer(x, dataset)` is its normalisation."""
    image = keras.Input((4, 4, 1), name="image")
    dataset = keras.Input((), dtype="int32", name="dataset")
    x = keras.layers.Conv2D(
        2, 3, kernel_initializer=keras.initializers.GlorotUniform(1), name="conv"
    )(image)
    if layer is DatasetBatchNormalization:
        x, inputs = layer(2, name="norm")((x, dataset)), (image, dataset)
    else:
        x, inputs = layer(name="norm")(x), image
    features = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, features, name="net")


def test_a_plain_network_computes_what_the_network_does_for_a_dataset():
    own, plain = network(DatasetBatchNormalization), network(BatchNormalization)
    x = images((8, 4, 4, 1))
    own((x, np.array([0, 1] * 4, np.int32)), training=True)
    set_fractions(own, [0.25, 0.75])
    assert fractions_of(own) == [0.25, 0.75]
    for dataset in (0, 1, -1):
        fill_plain(plain, own, dataset)
        expected = own((x, np.full(8, dataset, np.int32)))
        np.testing.assert_allclose(plain(x), expected, atol=1e-6)
    start = network(DatasetBatchNormalization)
    fill_from_plain(start, plain)
    for dataset in (0, 1, -1):
        found = start((x, np.full(8, dataset, np.int32)))
        np.testing.assert_allclose(found, plain(x), atol=1e-6)
    assert fractions_of(start) == [0.5, 0.5]


def test_it_is_saved_and_loaded(tmp_path):
    model = network(DatasetBatchNormalization)
    x, dataset = images((4, 4, 4, 1)), np.array([0, 1, 1, 0], np.int32)
    model((x, dataset), training=True)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded((x, dataset)), model((x, dataset)))
    assert loaded.get_layer("norm").datasets == 2
