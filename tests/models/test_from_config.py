"""The network of a configuration."""

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.models.from_config import build_from_config, plain_model


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


def test_a_plain_model_is_the_model_for_images_of_one_dataset(load):
    settings = load("model.batch_norm=per_dataset", "image_size=32")
    model = build_from_config(settings)
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    model((images, np.array([0, 1, 0, 1], np.int32)), training=True)
    answers = {}
    for dataset in (0, 1, -1):
        plain = plain_model(settings, model, dataset)
        answers[dataset] = plain(images)["prognosis"].numpy()
        expected = model((images, np.full(4, dataset, np.int32)))["prognosis"]
        np.testing.assert_allclose(answers[dataset], expected, atol=1e-6)
    assert np.abs(answers[0] - answers[1]).max() > 1e-5
    ordinary = build_from_config(load("image_size=32"))
    assert plain_model(load("image_size=32"), ordinary) is ordinary
