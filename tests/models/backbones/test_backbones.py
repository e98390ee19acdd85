"""Arguments of `build_backbone`: shapes, weights from files, options, errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.layers import BatchNormalization

SHAPE = (32, 32, 3)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def moved(name, seed):
    """A backbone whose running statistics are not the initial ones, and an input."""
    model = build_backbone(name, SHAPE, seed=seed)
    images = normal(2, *SHAPE)
    model(images, training=True)
    return model, images


def test_a_saved_backbone_is_the_same_backbone(tmp_path):
    model, images = moved("shufflenet_v2_x0_5", seed=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'resnet81'.*mean 'resnet18'.*Known: dens"):
        build_backbone("resnet81", SHAPE)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 2), (0, 32, 3), (None, 32, 3)])
def test_wrong_shape_is_refused(shape):
    with pytest.raises(ConfigError, match=r"\(height, width, 1\).*Received: image_sh"):
        build_backbone("resnet18", shape)


def test_unknown_kind_of_weights_is_refused():
    with pytest.raises(ConfigError, match=r"'net\.pth'.*expected null.*weights\.h5"):
        build_backbone("resnet18", SHAPE, "net.pth")


def test_unknown_normalisation_is_refused():
    with pytest.raises(ConfigError, match=r"batch_norm='global'.*expected 'local' or"):
        build_backbone("resnet18", SHAPE, batch_norm="global")


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
    with pytest.raises(DataError, match=r"other\.weights\.h5: not a file of weights"):
        build_backbone("resnet18", SHAPE, path)


def test_weights_of_a_whole_model_are_refused(tmp_path):
    path = tmp_path / "model.weights.h5"
    image = keras.Input(SHAPE)
    features = build_backbone("resnet18", SHAPE)(image)
    keras.Model(image, keras.layers.Dense(2)(features)).save_weights(path)
    with pytest.raises(DataError, match=r"model\.weights\.h5: not the weights of resn"):
        build_backbone("resnet18", SHAPE, path)


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_one_channel_stands_for_three_equal_ones(name, tmp_path):
    """GoogLeNet changes the normalisation of each channel first."""
    three, images = moved(name, seed=3)
    for layer in three.layers:
        if layer.name == "renormalize":
            layer.scale.assign([0.5, 2.0, 3.0])
            layer.offset.assign([0.1, -0.2, 0.3])
    three.save_weights(tmp_path / "three.weights.h5")
    one = build_backbone(name, (32, 32, 1), tmp_path / "three.weights.h5")
    grey = images[..., :1]
    expected = three(np.repeat(grey, 3, axis=-1))
    np.testing.assert_allclose(one(grey), expected, rtol=1e-4, atol=1e-5)
    # And its own file fits it again.
    one.save_weights(tmp_path / "one.weights.h5")
    again = build_backbone(name, (32, 32, 1), tmp_path / "one.weights.h5", seed=9)
    np.testing.assert_array_equal(again(grey), one(grey))


def test_a_file_of_one_channel_does_not_fit_three(tmp_path):
    path = tmp_path / "one.weights.h5"
    build_backbone("shufflenet_v2_x0_5", (32, 32, 1)).save_weights(path)
    with pytest.raises(DataError, match="not the weights of shufflenet_v2_x0_5"):
        build_backbone("shufflenet_v2_x0_5", SHAPE, path)


def test_synchronized_normalisation_reaches_every_layer():
    model = build_backbone("shufflenet_v2_x0_5", SHAPE, batch_norm="synchronized")
    norms = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    assert norms
    assert all(layer.synchronized for layer in norms)


def test_the_last_map_is_there_for_gradients():
    """Saliency: the gradient of the features by the map, here 1 / pixels."""
    model = build_backbone("resnet18", (64, 96, 3), feature_maps=True)
    head = keras.Model(model.output["feature_map"], model.output["features"])
    feature_map = model(normal(1, 64, 96, 3))["feature_map"]
    with tf.GradientTape() as tape:
        tape.watch(feature_map)
        total = tf.reduce_sum(head(feature_map))
    gradient = tape.gradient(total, feature_map)
    np.testing.assert_allclose(gradient, np.full((1, 2, 3, 512), 1 / 6), rtol=1e-6)
