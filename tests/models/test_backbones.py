"""Every backbone against the reference network's facts and features."""

import json
import math
import pathlib
import subprocess
import sys
import zlib

import keras
import numpy as np
import pytest

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import BACKBONES, build_backbone
from mdmt_tf.models.backbones.blocks import Blocks, he_normal_fan_out
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.models.weights import load_reference_state, reference_state

REFERENCE = pathlib.Path(__file__).parents[2].parent / "shared/reference/backbones"
SHAPE = (32, 32, 3)

needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="no ../shared/reference/backbones"
)
each_backbone = pytest.mark.parametrize("name", BACKBONES)


def facts(name):
    return json.loads((REFERENCE / "backbones.json").read_text())["backbones"][name]


def value_of(name, shape):
    """The rule of the reference's README: values follow from the parameter's name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    z = rng.standard_normal(shape).astype("float32")
    if name.endswith("running_var"):
        return np.abs(1 + 0.1 * z)
    if name.endswith("running_mean"):
        return 0.1 * z
    if len(shape) == 1:
        return 1 + 0.1 * z if name.endswith("weight") else 0.1 * z
    return z * np.float32(math.sqrt(1 / math.prod(shape[1:])))


@needs_reference
@each_backbone
def test_every_backbone_matches_its_reference(name):
    model = build_backbone(name, (224, 224, 3))
    state = {key: value_of(key, shape) for key, shape in facts(name)["state"]}
    load_reference_state(model, name, state)
    images = np.random.default_rng(0).standard_normal((2, 3, 224, 224))
    features = model(images.astype("float32").transpose(0, 2, 3, 1), training=False)
    expected = np.load(REFERENCE / "features_224.npz")[name]
    assert np.abs(features - expected).max() / np.abs(expected).max() < 1e-4


@needs_reference
@each_backbone
def test_the_table_agrees_with_the_reference(name):
    row, reference = BACKBONES[name], facts(name)
    assert row.name == name
    assert row.feature_dim == reference["feature_dim"]
    assert row.parameters == reference["params_without_head"]


@each_backbone
def test_every_backbone_is_what_the_table_says(name):
    model = build_backbone(name, SHAPE)
    assert model.name == name
    assert model.output_shape == (None, BACKBONES[name].feature_dim)
    assert sum(math.prod(w.shape) for w in model.trainable_weights) == (
        BACKBONES[name].parameters
    )
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {type(layer) for layer in norms} == {BatchNormalization}
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-5)}


def test_the_table_needs_no_keras():
    code = (
        "import sys, mdmt_tf.models.backbones as backbones;"
        "assert 'resnet18' in backbones.BACKBONES;"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def kernels(model):
    return {
        name: array for name, array in reference_state(model).items() if array.ndim == 4
    }


def test_resnet_starts_from_he_normal_by_fan_out():
    for name, kernel in kernels(build_backbone("resnet18", SHAPE)).items():
        out, _, height, width = kernel.shape
        deviation = math.sqrt(2 / (out * height * width))
        tolerance = 5 / math.sqrt(2 * kernel.size)  # five standard errors
        assert abs(kernel.std() / deviation - 1) < tolerance, name
        assert abs(kernel.mean()) < 5 * deviation / math.sqrt(kernel.size), name
        assert kernel.max() > 2.3 * deviation, name  # not truncated at two


def test_shufflenet_starts_from_the_default_of_torch():
    model = build_backbone("shufflenet_v2_x0_5", SHAPE)
    for name, kernel in kernels(model).items():
        limit = 1 / math.sqrt(math.prod(kernel.shape[1:]))
        assert 0.95 * limit < np.abs(kernel).max() <= limit, name
        deviation = limit / math.sqrt(3)
        assert abs(kernel.mean()) < 5 * deviation / math.sqrt(kernel.size), name


def initial_values(seed, first="conv1"):
    make = Blocks(he_normal_fan_out, seed=seed)
    image = keras.Input((8, 8, 16))
    x = make.conv(image, 16, 3, first)
    x = make.conv(x, 16, 3, "conv2", groups=16)
    x = make.conv(x, 16, 3, "conv3")
    return list(kernels(keras.Model(image, x)).values())


def test_initial_values_follow_from_the_seed_alone():
    values = initial_values(seed=7)
    keras.utils.set_random_seed(1)
    for a, b, c in zip(values, initial_values(7), initial_values(8), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0


def test_initial_values_differ_by_layer_and_do_not_depend_on_the_others():
    first, second, third = initial_values(seed=7)
    assert np.abs(first - third).max() > 0
    _, *others = initial_values(seed=7, first="stem")
    np.testing.assert_array_equal(others[0], second)
    np.testing.assert_array_equal(others[1], third)


@each_backbone
def test_mixed_precision_gives_float32_features(name):
    images = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype("float32")
    mixed = build_backbone(name, SHAPE, dtype="mixed_bfloat16")
    exact = build_backbone(name, SHAPE)
    features = mixed(images)
    assert features.dtype == "float32"
    assert mixed.layers[2].compute_dtype == "bfloat16"
    assert {w.dtype for w in mixed.weights} == {"float32"}
    expected = exact(images).numpy()
    assert np.abs(features - expected).max() < 0.05 * np.abs(expected).max()


def moved(name, seed):
    """A backbone whose running statistics are not the initial ones, and an input."""
    model = build_backbone(name, SHAPE, seed=seed)
    images = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype("float32")
    model(images, training=True)
    return model, images


def test_a_saved_backbone_is_the_same_backbone(tmp_path):
    model, images = moved("shufflenet_v2_x0_5", seed=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_weights_come_from_a_file(tmp_path):
    model, images = moved("resnet18", seed=3)
    model.save_weights(tmp_path / "model.weights.h5")
    rebuilt = build_backbone("resnet18", SHAPE, tmp_path / "model.weights.h5", seed=4)
    random = build_backbone("resnet18", SHAPE, seed=4)
    np.testing.assert_array_equal(rebuilt(images), model(images))
    assert np.abs(random(images) - model(images)).max() > 0


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'resnet81'.*mean 'resnet18'.*Known: resn"):
        build_backbone("resnet81", SHAPE)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 1), (0, 32, 3), (None, 32, 3)])
def test_wrong_shape_is_refused(shape):
    with pytest.raises(ConfigError, match=r"\(height, width, 3\).*Received: image_sh"):
        build_backbone("resnet18", shape)


def test_unknown_kind_of_weights_is_refused():
    with pytest.raises(ConfigError, match=r"'imagenet'.*expected null.*weights\.h5"):
        build_backbone("resnet18", SHAPE, "imagenet")


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.weights\.h5: no such file"):
        build_backbone("resnet18", SHAPE, tmp_path / "none.weights.h5")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    image = keras.Input(SHAPE)
    output = keras.layers.Conv2D(64, 7, use_bias=False)(image)
    keras.Model(image, output).save_weights(path)
    with pytest.raises(DataError, match=r"other\.weights\.h5: not the weights of resn"):
        build_backbone("resnet18", SHAPE, path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(DataError, match=r"other\.weights\.h5: not the weights of resn"):
        build_backbone("resnet18", SHAPE, path)


def test_weights_of_a_whole_model_are_refused(tmp_path):
    path = tmp_path / "model.weights.h5"
    image = keras.Input(SHAPE)
    features = build_backbone("resnet18", SHAPE)(image)
    keras.Model(image, keras.layers.Dense(2)(features)).save_weights(path)
    with pytest.raises(DataError, match=r"model\.weights\.h5: not the weights of resn"):
        build_backbone("resnet18", SHAPE, path)
