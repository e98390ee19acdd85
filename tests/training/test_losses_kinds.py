"""The losses of the kinds are Keras' own, to the bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_kinds import labels_of, logits_of, task_of

from mdmt_tf.training.losses import TaskLoss

LOSSES = {
    "categorical": lambda **options: keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, **options
    ),
    "binary": lambda **options: keras.losses.BinaryCrossentropy(
        from_logits=True, **options
    ),
    "ordinal": lambda **options: keras.losses.BinaryCrossentropy(
        from_logits=True, **options
    ),
    "regression": keras.losses.MeanSquaredError,
}
N = 64


def rows(kind):
    """Targets, logits and weights of a batch; some labels are unknown."""
    task = task_of(kind)
    target, known = task.targets(labels_of(kind, N))
    weights = known * np.random.default_rng(1).uniform(0.5, 2, N)
    return task, target, logits_of(task, N), weights.astype(np.float32)


@pytest.mark.parametrize("reduction", [None, "sum_over_batch_size"])
@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
def test_values_and_gradients(kind, in_graph, reduction):
    task, target, logits, weights = rows(kind)

    def measured(loss):
        def step(logits):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = loss(target, logits, weights)
            return value, tape.gradient(value, logits)

        step = tf.function(step) if in_graph else step
        return [np.asarray(part) for part in step(tf.constant(logits))]

    own = measured(TaskLoss(task, reduction=reduction))
    for one, other in zip(
        own, measured(LOSSES[kind](reduction=reduction)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert one.any()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_short_fit(kind):
    task, target, _, weights = rows(kind)
    images = np.random.default_rng(2).normal(size=(N, 5)).astype(np.float32)

    def fitted(loss):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(7, activation="tanh")(inputs)
        model = keras.Model(inputs, keras.layers.Dense(task.n_outputs)(hidden))
        model.compile(keras.optimizers.Adam(0.01), loss=loss)
        model.fit(
            images, target, batch_size=16, epochs=3, sample_weight=weights, verbose=0
        )
        return model.get_weights()

    for one, other in zip(fitted(TaskLoss(task)), fitted(LOSSES[kind]()), strict=True):
        np.testing.assert_array_equal(one, other)
