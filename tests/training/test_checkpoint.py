"""The state of an interrupted fit."""

import keras
import numpy as np
import pytest
from small_networks import small_model

from mdmt_tf.errors import DataError
from mdmt_tf.training import checkpoint


def test_state_brings_back_weights_optimizer_and_random_state(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = {"prognosis": np.ones((8, 2), "float32")}
    straight = small_model()
    straight.fit(x, y, epochs=4, verbose=0, shuffle=False)

    half = small_model()
    half.fit(x, y, epochs=2, verbose=0, shuffle=False)
    kept = checkpoint.values_of(half.variables)
    # As long as the history of hundreds of epochs.
    progress = {"next_epoch": 2, "history": [0.123456789] * 100_000}
    checkpoint.save_state(tmp_path / "last.h5", half, progress, kept)
    resumed = small_model(seed=9)
    received, best = checkpoint.load_state(tmp_path / "last.h5", resumed)
    assert received == progress
    for expected, value in zip(kept, best, strict=True):
        np.testing.assert_array_equal(value, expected)
    resumed.fit(x, y, initial_epoch=2, epochs=4, verbose=0, shuffle=False)
    for expected, received in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_state_of_another_model_is_refused(tmp_path):
    checkpoint.save_state(tmp_path / "last.h5", small_model(), {})
    inputs = keras.Input((3,), name="image")
    other = keras.Model(inputs, {"prognosis": keras.layers.Dense(2)(inputs)})
    other.compile(keras.optimizers.Adam(), loss={"prognosis": "mse"})
    other.optimizer.build(other.trainable_variables)
    with pytest.raises(DataError, match="last.h5: the state of another model"):
        checkpoint.load_state(tmp_path / "last.h5", other)
