"""The backbones for volumes: reference features, agreement with those for images."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.backbones.blocks import BackboneOptions, Blocks, he_normal_fan_in
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.models.weights.conversion import load_reference_state, reference_state

VOLUMES = [name for name, row in BACKBONES.items() if row.dimensions == 3]
FAR = {"rtol": 1e-4, "atol": 1e-5}


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


@pytest.fixture(scope="module")
def resnet():
    """ResNet-18 for images and for volumes, each with its own running statistics."""
    rng = np.random.default_rng(5)
    flat = build_backbone("resnet18", (64, 48, 1), seed=1)
    state = {
        name: value + 0.1 * np.abs(rng.standard_normal(value.shape)).astype("float32")
        for name, value in reference_state(flat).items()
    }
    load_reference_state(flat, "test", state)
    return flat, state


@pytest.mark.parametrize("name", VOLUMES)
def test_equals_its_reference(name, originals, original_state, original_input):
    row = BACKBONES[name]
    facts = originals[name]
    assert row.feature_dim == facts["feature_dim"]
    assert row.parameters == facts["parameters"]
    volume = original_input(facts)
    # Dropout is off in evaluation, and not in the state.
    dropout = 0.2 if name.startswith("densenet") else 0.0
    model = build_backbone(name, volume.shape[1:], dropout=dropout)
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == row.parameters
    load_reference_state(model, name, original_state(facts))
    expected = facts["features"]
    difference = np.abs(model(volume, training=False) - expected).max()
    assert difference < 1e-4 * np.abs(expected).max()
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert {type(layer) for layer in norms} == {BatchNormalization}
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-5)}


def test_resnet18_3d_on_a_slice_is_resnet18(resnet):
    """Kernels with the flat ones in their middle plane, a volume of one slice."""
    flat, state = resnet
    deep = build_backbone("resnet18_3d", (1, 64, 48, 1))
    assert sum(math.prod(w.shape) for w in deep.trainable_weights) == 33_160_000
    inflated = {}
    for name, value in state.items():
        if value.ndim == 4:
            planes = np.zeros((*value.shape[:2], value.shape[-1], *value.shape[2:]))
            planes[:, :, value.shape[-1] // 2] = value
            value = planes
        inflated[name] = value
    load_reference_state(deep, "test", inflated)
    images = normal(2, 64, 48, 1)
    expected = flat(images, training=False)
    received = deep(images[:, None], training=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(received / scale, expected / scale, **FAR)


def test_densenet21_3d_has_two_layers_a_block():
    """Parameters by hand: stem, 8 layers, 3 transitions, last normalisation."""
    model = build_backbone("densenet21_3d", (32, 32, 32, 1))
    layer = sum(2 * c + 128 * c + 256 + 128 * 32 * 27 for c in (64, 96))
    expected = 343 * 64 + 128 + 4 * layer + 3 * (256 + 128 * 64) + 256
    counted = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert counted == expected == BACKBONES["densenet21_3d"].parameters
    # It begins as DenseNet-121 does, with the same values for the same names.
    state = reference_state(model)
    large = reference_state(build_backbone("densenet121_3d", (32, 32, 32, 1)))
    shared = [name for name in state if ".denselayer" in name and "block1" in name]
    assert len(shared) == 2 * 10
    for name in shared:
        np.testing.assert_array_equal(state[name], large[name])


def test_resnet18_3d_treats_all_axes_alike():
    """Axes of volume and kernels, swapped together, give the same features."""
    first = build_backbone("resnet18_3d", (32, 48, 64, 1), seed=2)
    second = build_backbone("resnet18_3d", (48, 64, 32, 1))
    turned = {
        name: value.transpose(0, 1, 3, 4, 2) if value.ndim == 5 else value
        for name, value in reference_state(first).items()
    }
    load_reference_state(second, "test", turned)
    volume = normal(1, 32, 48, 64, 1)
    expected = first(volume, training=False)
    received = second(volume.transpose(0, 2, 3, 1, 4), training=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(received / scale, expected / scale, **FAR)


def test_initial_values_of_cubes():
    """He's rule with the fan of a cube: std sqrt(2 / (in 27))."""
    make = Blocks(he_normal_fan_in, BackboneOptions(seed=1))
    volume = keras.Input((4, 4, 4, 32))
    kernel = keras.Model(volume, make.conv(volume, 64, 3, "conv")).weights[0]
    assert kernel.shape == (3, 3, 3, 32, 64)
    ratio = np.std(kernel) / math.sqrt(2 / (32 * 27))
    assert abs(ratio - 1) < 5 / math.sqrt(2 * 32 * 64 * 27)


def test_dropout_takes_whole_channels():
    make = Blocks(he_normal_fan_in, BackboneOptions(seed=1, dropout=0.25))
    volume = keras.Input((3, 4, 5, 64))
    model = keras.Model(volume, make.dropout(volume, "dropout"))
    ones = np.ones((40, 3, 4, 5, 64), "float32")
    dropped = np.asarray(model(ones, training=True))
    np.testing.assert_array_equal(dropped, dropped[:, :1, :1, :1] * ones)
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    # A quarter of 2560 channels, within four standard errors.
    assert abs((dropped[:, 0, 0, 0] == 0).mean() - 0.25) < 4 * math.sqrt(0.1875 / 2560)
    np.testing.assert_array_equal(model(ones, training=False), ones)


def test_dropout_stands_after_each_dense_layer():
    model = build_backbone("densenet21_3d", (32, 32, 32, 1), dropout=0.2)
    rates = [layer.rate for layer in model.layers if hasattr(layer, "rate")]
    assert rates == [0.2] * (2 + 2 + 2 + 2)


@pytest.mark.parametrize("name", ["densenet21_3d", "resnet18_3d"])
def test_normalises_by_pieces_in_training(name, tmp_path):
    """Gradients reach the first kernel, statistics move, files can be loaded."""
    model = build_backbone(name, (32, 32, 48, 1), seed=1)
    volume = normal(2, 32, 32, 48, 1)
    kernel = model.weights[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(volume, training=True) ** 2)
    assert np.abs(tape.gradient(loss, kernel.value)).max() > 0
    assert np.abs(reference_state(model)[_first_mean(name)]).max() > 0
    model.save_weights(tmp_path / "saved.weights.h5")
    again = build_backbone(name, (32, 32, 48, 1), tmp_path / "saved.weights.h5", seed=9)
    np.testing.assert_array_equal(again(volume), model(volume))


def _first_mean(name):
    stem = BACKBONES[name].stem
    return f"{stem[1]}.running_mean"


@pytest.mark.parametrize("shape", [(32, 32, 1), (8, 32, 32, 3), (0, 32, 32, 1)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(
        ConfigError, match=r"\(depth, height, width, 1\), pos.*Received"
    ):
        build_backbone("resnet18_3d", shape)


def test_volumes_are_refused_by_networks_for_images():
    with pytest.raises(
        ConfigError, match=r"\(height, width, 3\) or \(height, width, 1"
    ):
        build_backbone("resnet18", (8, 32, 32, 1))
