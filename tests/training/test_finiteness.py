"""Numbers that are lost are noticed in the step that loses them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.errors import MdmtError
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.tasks import make_task
from mdmt_tf.training.finiteness import (
    GradientWatch,
    StopWhenLost,
    normalized_kernels,
    not_finite,
)
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer, watch_of
from mdmt_tf.training.strategy import build_strategy

AGE = make_task(kind="regression", name="age")
LOST = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", LOST)
@pytest.mark.parametrize("place", [(0, 2), (1, 1)], ids=["of an output", "of an input"])
def test_a_kernel_is_judged_by_its_first_row_and_column(place, value):
    # A lost output reaches the gradients of all inputs, a lost input those of all
    # outputs.
    gradient = np.ones((3, 3, 4, 5), np.float32)
    axis, index = place
    gradient[(..., index) if axis == 0 else (..., index, slice(None))] = value
    watch = GradientWatch(2)
    watch.note([tf.ones([2]), tf.constant(gradient)], step=7)
    assert watch.found() == (7, [1])


def test_large_gradients_are_finite_and_later_steps_do_not_count():
    watch = GradientWatch(1)
    watch.note([tf.constant([1e18, -1e18])], step=0)
    assert watch.found() is None
    for step in (1, 2):
        watch.note([tf.constant([float("nan")])], step=step)
    assert watch.found() == (1, [0])


def test_gradients_that_overflow_only_together_are_the_largest_ones():
    watch = GradientWatch(4)
    large, small = tf.constant([1.6e19]), tf.constant([1.0])
    # Twice half the square is 2.56e38, three times 3.84e38: beyond float32.
    watch.note([large, None, large, small], step=0)
    assert watch.found() is None
    watch.note([large, large, large, small], step=1)
    assert watch.found() == (1, [0, 1, 2])


def test_variables_with_nan_and_infinity_are_found_by_name():
    values = {"good": [1.0, 2.0], "nan": [1.0, LOST[0]], "inf": [LOST[2]]}
    made = [keras.Variable(value, name=name) for name, value in values.items()]
    made.append(keras.Variable([3], dtype="int32", name="count"))
    assert not_finite(made) == ["nan", "inf"]


def network(pooled):
    image = keras.Input((4, 4, 1), name="image")
    x = keras.layers.Conv2D(2, 3, padding="same", name="stem")(image)
    x = BatchNormalization(name="norm")(x)
    if pooled:
        x = keras.layers.ReLU()(keras.layers.MaxPooling2D(4)(x))
    x = keras.layers.Flatten()(x)
    return keras.Model(image, {"age": keras.layers.Dense(1, name="age")(x)})


def rows(lost=(), batch=4):
    """Three batches; the pixels of some images are NaN."""
    pixels = np.random.default_rng(0).uniform(size=(3 * batch, 4, 4, 1))
    pixels[list(lost), 1, 2] = np.nan
    targets = {"age": np.ones((3 * batch, 1), np.float32)}
    weights = {"age": np.ones(3 * batch, np.float32)}
    slices = (pixels.astype(np.float32), targets, weights)
    return tf.data.Dataset.from_tensor_slices(slices).batch(batch)


def chain(*kinds):
    """A network of these layers, and its only input."""
    made = {
        "conv": lambda name: keras.layers.Conv2D(3, 2, padding="same", name=name),
        "norm": lambda name: BatchNormalization(name=name),
        "frozen": lambda name: BatchNormalization(name=name, trainable=False),
        "relu": lambda name: keras.layers.ReLU(name=name),
        "pool": lambda name: keras.layers.MaxPooling2D(4, name=name),
    }
    x = image = keras.Input((4, 4, 3), name="image")
    for number, kind in enumerate(kinds):
        x = made[kind](f"{kind}{number}")(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, {"age": keras.layers.Dense(1, name="age")(x)})


@pytest.mark.parametrize(
    ("kinds", "normalized"),
    [
        (("conv", "norm", "relu", "conv", "norm", "pool"), ["conv0", "conv3"]),
        (("conv", "relu", "norm", "conv", "pool"), []),
        (("conv", "frozen", "pool"), []),
        (("conv", "norm", "pool", "conv"), ["conv0"]),
    ],
)
@pytest.mark.parametrize("channel", [0, 2])
def test_a_lost_input_of_any_channel_is_found(kinds, normalized, channel):
    """Also where max pooling hides it from what comes later."""
    model = chain(*kinds)
    compile_model(model, [AGE], build_optimizer("adam", 0.01))
    paths = [variable.path for variable in model.trainable_variables]
    found = [paths[place] for place in sorted(normalized_kernels(model))]
    assert found == [f"{name}/kernel" for name in normalized]
    pixels = np.random.default_rng(0).uniform(size=(4, 4, 4, 3)).astype(np.float32)
    targets = {"age": np.ones((4, 1), np.float32)}
    model.train_on_batch(pixels, targets)
    assert watch_of(model.optimizer).found() is None
    pixels[1, 0, 0, channel] = np.nan
    model.train_on_batch(pixels, targets)
    step, _ = watch_of(model.optimizer).found()
    assert step == 1


def test_a_kernel_that_is_used_twice_is_normalised_both_times_or_not_at_all():
    image = keras.Input((4, 4, 1))
    conv = keras.layers.Conv2D(2, 3)
    both = [BatchNormalization()(conv(image)), keras.layers.ReLU()(conv(image))]
    x = keras.layers.Flatten()(keras.layers.Add()(both))
    assert normalized_kernels(keras.Model(image, keras.layers.Dense(1)(x))) == set()


@pytest.fixture
def fitted():
    model = network(pooled=True)
    optimizer = build_optimizer("adam", 0.01)
    compile_model(model, [AGE], optimizer)
    return model, optimizer


def test_max_pooling_hides_nan_from_the_loss_but_not_from_the_gradients(fitted):
    model, optimizer = fitted
    logged = model.fit(rows(lost=[5]), verbose=0).history["loss"]
    assert np.isfinite(logged).all()
    assert np.isnan(model.get_layer("stem").get_weights()[0]).any()
    step, places = optimizer.watch.found()
    paths = [model.trainable_variables[place].path for place in places]
    assert step == 1 and "stem/kernel" in paths and "norm/gamma" in paths


def test_a_fit_stops_before_any_other_callback_sees_its_epoch(fitted):
    model, optimizer = fitted
    seen, described = [], []

    def describe(step, paths):
        described.append((step, paths))
        return f"step {step}."

    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(e))
    stop = StopWhenLost(optimizer.watch, describe, lambda: "Kept.")
    model.fit(rows(), verbose=0, callbacks=[stop, after])
    with pytest.raises(MdmtError, match=r"step 5\. Kept\."):
        model.fit(
            rows(lost=[8]),
            initial_epoch=1,
            epochs=3,
            verbose=0,
            callbacks=[stop, after],
        )
    assert seen == [0] and described[0][0] == 5


def test_an_unlabelled_batch_has_finite_gradients(fitted):
    model, optimizer = fitted
    unlabelled = rows().map(lambda x, y, w: (x, y, {"age": tf.zeros_like(w["age"])}))
    before = [np.array(variable) for variable in model.trainable_variables]
    model.fit(unlabelled, verbose=0)
    assert optimizer.watch.found() is None
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_weights_that_are_lost_without_a_gradient_are_named(fitted):
    model, optimizer = fitted
    stop = StopWhenLost(optimizer.watch, lambda step, paths: "", lambda: "Kept.")
    stop.set_model(model)
    model.get_layer("norm").moving_variance.assign([1.0, np.inf])
    with pytest.raises(MdmtError, match=r"epoch 3: norm/moving_variance is no .*Kept"):
        stop.on_epoch_end(2)


def test_a_step_of_one_of_two_replicas_is_noticed(two_cpus):
    with build_strategy(two_cpus).scope():
        model = network(pooled=False)
        optimizer = build_optimizer("adam", 0.01)
        compile_model(model, [AGE], optimizer)
    # Rows 4 to 7 are the second batch; 6 and 7 are those of the second replica.
    model.fit(rows(lost=[7]), verbose=0)
    step, places = optimizer.watch.found()
    assert step == 1 and places
