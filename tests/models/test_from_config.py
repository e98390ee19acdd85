"""The network of a configuration."""

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.models.from_config import build_from_config


@pytest.fixture(scope="module")
def load(tiny_backbone):
    def load(*overrides):
        return config.load("phantom", [f"model.backbone={tiny_backbone}", *overrides])

    return load


def test_size_tasks_and_channels_are_those_of_the_settings(load):
    model = build_from_config(load("image_size=48"))
    # The tiny backbone takes three channels, whatever was stored.
    assert model.input_shape == (None, 48, 48, 3)
    shapes = {task: logits.shape for task, logits in model.output.items()}
    assert shapes == {"prognosis": (None, 2), "severity": (None, 4)}


def test_random_weights_depend_on_the_seed_alone(load):
    one, same, other = (
        build_from_config(load(f"seed={seed}")).get_layer("tiny").get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_frozen_backbone_leaves_the_heads_to_be_trained(load, tmp_path):
    path = tmp_path / "own.weights.h5"
    build_from_config(load("seed=7")).get_layer("tiny").save_weights(path)
    frozen = "model.freeze=all", "model.heads=linear", f"model.weights={path}"
    model = build_from_config(load(*frozen), str(path))
    backbone = model.get_layer("tiny")
    assert not backbone.trainable_variables
    # A kernel and a bias for each of two tasks.
    assert len(model.trainable_variables) == 4
    filled = build_from_config(load("seed=7")).get_layer("tiny").get_weights()
    for received, expected in zip(backbone.get_weights(), filled, strict=True):
        np.testing.assert_array_equal(received, expected)
