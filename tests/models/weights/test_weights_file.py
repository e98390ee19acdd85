"""Weights are written where there is space."""

import os
import warnings

import h5py
import keras
import numpy as np
import pytest

from mdmt_tf import storage
from mdmt_tf.models.weights import weights_file


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_the_file_is_that_of_keras(model, tmp_path):
    weights_file.save(model, tmp_path / "net.weights.h5")
    other = keras.models.clone_model(model)
    other.load_weights(tmp_path / "net.weights.h5")
    for one, two in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_optimizer_stays_out_and_keeps_its_moments(model, tmp_path):
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    before = [np.array(value) for value in model.optimizer.variables]
    path = tmp_path / "net.weights.h5"
    weights_file.save(model, path)
    with h5py.File(path) as stored:
        assert "layers" in stored and "optimizer" not in stored
    weights = model.get_weights()
    model.set_weights([np.zeros_like(value) for value in weights])
    with warnings.catch_warnings(action="error"):
        weights_file.load(model, path)
    for one, two in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(before, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_file_with_moments_is_read(model, tmp_path):
    # Of runs of earlier versions.
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save_weights(tmp_path / "net.weights.h5")
    other = keras.models.clone_model(model)
    weights_file.load(other, tmp_path / "net.weights.h5")
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_without_space_it_is_not_begun(model, tmp_path, monkeypatch):
    asked = []

    def full(number, start, size):
        asked.append(size)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        weights_file.save(model, tmp_path / "net.weights.h5")
    assert caught.value.filename == os.fspath(tmp_path / "net.weights.h5")
    assert asked[0] > 4 * (3 * 2 + 2)
    assert not list(tmp_path.iterdir())
