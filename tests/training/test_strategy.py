"""One device and several: the same step, and batches that can be shared."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.layers import BatchNormalization, sum_over_replicas
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer
from mdmt_tf.training.strategy import build_strategy, check_batch_size, device_names

TASKS = (
    make_task(name="zebra", kind="categorical", classes=("a", "b")),
    make_task(name="alpha", kind="ordinal", cut_points=(1, 2), weight=0.5),
)


def batches():
    """Three batches of 8 rows; all labels of a task may lie on one replica."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(24, 6, 6, 3)).astype("float32")
    targets = {
        "zebra": generator.integers(0, 2, 24).astype("int32"),
        "alpha": generator.integers(0, 2, (24, 2)).astype("float32"),
    }
    weights = {
        "zebra": np.tile([1, 1, 1, 0, 0, 0, 0, 0], 3).astype("float32"),
        "alpha": np.tile([0, 0, 0, 0.5, 1, 2, 1, 1], 3).astype("float32"),
    }
    return tf.data.Dataset.from_tensor_slices((images, targets, weights)).batch(8)


def fit(devices, normalization=None):
    strategy = build_strategy(devices)
    with strategy.scope():
        inputs = keras.Input((6, 6, 3), name="image")
        x = keras.layers.Conv2D(
            4,
            3,
            # After it, a normalisation takes any constant out: its steps are noise.
            use_bias=normalization is None,
            kernel_initializer=keras.initializers.GlorotUniform(3),
        )(inputs)
        if normalization is not None:
            x = BatchNormalization(synchronized=normalization == "synchronized")(x)
        backbone = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
        model = build_model(backbone, TASKS, "mlp", seed=1, dropout=0.0)
        optimizer = build_optimizer("adam", 0.01, 1e-4)
        metrics = compile_model(model, TASKS, optimizer)
    logged = model.fit(batches(), epochs=2, verbose=0, shuffle=False).history["loss"]
    masked = {name: float(metric.result()) for name, metric in metrics.items()}
    return logged, masked, [np.array(weight) for weight in model.weights]


# Statistics over replicas are sums in another order, and Adam's division magnifies the
# rounding of small gradients; local statistics are off by ten times the tolerance.
@pytest.mark.parametrize(
    ("normalization", "tolerance"), [(None, 1e-6), ("synchronized", 1e-4)]
)
def test_two_replicas_take_the_same_steps_as_one(two_cpus, normalization, tolerance):
    one, two = fit(["CPU:0"], normalization), fit(two_cpus, normalization)
    np.testing.assert_allclose(two[0], one[0], rtol=0, atol=tolerance)
    for name, value in one[1].items():
        assert two[1][name] == pytest.approx(value, abs=tolerance)
    for expected, received in zip(one[2], two[2], strict=True):
        np.testing.assert_allclose(received, expected, rtol=0, atol=tolerance)


def test_with_local_statistics_they_do_not(two_cpus):
    """Each replica normalises by half of the batch: another network, a little."""
    one, two = fit(["CPU:0"], "local"), fit(two_cpus, "local")
    assert max(np.abs(a - b).max() for a, b in zip(one[2], two[2], strict=True)) > 1e-3


def test_the_devices_are_named(two_cpus):
    assert device_names(build_strategy(two_cpus)) == two_cpus
    assert device_names(build_strategy(["CPU:1"])) == ["CPU:1"]
    assert device_names(build_strategy()) in (["CPU:0"], ["GPU:0"])


def test_a_batch_that_cannot_be_shared_is_refused(two_cpus):
    strategy = build_strategy(two_cpus)
    check_batch_size(8, strategy)
    with pytest.raises(ConfigError, match=r"batch_size = 7: 2 devices.*Use 6 or 8"):
        check_batch_size(7, strategy)


def test_a_device_that_does_not_exist_is_refused(two_cpus):
    with pytest.raises(ConfigError, match="'GPU:7' does not exist. Known: CPU:0"):
        build_strategy(["GPU:7"])


def gradients(devices, labelled, dtype):
    """Of a network whose last map is a single pixel, for 8 images."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(8, 32, 32, 3)).astype(dtype)
    # The loss is linear in the features of the labelled rows.
    slopes = generator.normal(size=(8, 1024)).astype(dtype) * labelled[:, None] / 8
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    strategy = build_strategy(devices)
    try:
        with strategy.scope():
            options = {"batch_norm": "synchronized", "seed": 1}
            net = build_backbone("shufflenet_v2_x0_5", (32, 32, 3), **options)
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])

    def of_replica(values):
        rows = np.split(values, len(devices))
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(rows[context.replica_id_in_sync_group])
        )

    def step(images, slopes):
        with tf.GradientTape() as tape:
            features = tf.cast(net(images, training=True), dtype)
            loss = tf.reduce_sum(features * slopes)
        of_each = tape.gradient(loss, [v.value for v in net.trainable_variables])
        return [tf.convert_to_tensor(g) for g in sum_over_replicas(of_each)]

    made = strategy.run(step, (of_replica(images), of_replica(slopes)))
    return np.concatenate(
        [np.ravel(strategy.experimental_local_results(g)[0]) for g in made]
    )


@pytest.mark.large
@pytest.mark.parametrize("labelled", [8, 5, 0], ids=["even", "uneven", "masked"])
def test_synchronized_replicas_have_the_gradient_of_one(four_cpus, labelled):
    """In float64, where rounding is not magnified beyond what can be told apart."""
    rows = (np.arange(8) < labelled).astype("float64")
    one = gradients(four_cpus[:1], rows, "float64")
    for count in (2, 4):
        several = gradients(four_cpus[:count], rows, "float64")
        assert np.linalg.norm(several - one) <= 1e-11 * np.linalg.norm(one), count
    assert (np.linalg.norm(one) > 1) == (labelled > 0)
