"""Reference names and axes of Keras weights."""

import keras
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights.conversion import load_reference_state, reference_state


@pytest.fixture
def model():
    image = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(6, (3, 2), name="features.conv0")(image)
    x = keras.layers.DepthwiseConv2D((3, 2), use_bias=False, name="features.dw")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(0.5, name="drop")(x)  # its seed is not a parameter
    x = keras.layers.Dense(5, name="fc")(x)
    return keras.Model(image, x, name="small")


@pytest.fixture
def state():
    shapes = {
        "features.conv0.weight": (6, 4, 3, 2),
        "features.conv0.bias": (6,),
        "features.dw.weight": (6, 1, 3, 2),
        "norm.weight": (6,),
        "norm.bias": (6,),
        "norm.running_mean": (6,),
        "norm.running_var": (6,),
        "fc.weight": (5, 6),
        "fc.bias": (5,),
    }
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal(shape).astype("float32")
        for name, shape in shapes.items()
    }


def test_every_value_lands_in_its_place(model, state):
    load_reference_state(model, "net", state)
    conv = model.get_layer("features.conv0").kernel
    depthwise = model.get_layer("features.dw").kernel
    assert conv[2, 1, 3, 5] == state["features.conv0.weight"][5, 3, 2, 1]
    assert depthwise[2, 1, 3, 0] == state["features.dw.weight"][3, 0, 2, 1]
    assert model.get_layer("fc").kernel[4, 2] == state["fc.weight"][2, 4]
    norm = model.get_layer("norm")
    np.testing.assert_array_equal(norm.gamma, state["norm.weight"])
    np.testing.assert_array_equal(norm.beta, state["norm.bias"])
    np.testing.assert_array_equal(norm.moving_mean, state["norm.running_mean"])
    np.testing.assert_array_equal(norm.moving_variance, state["norm.running_var"])


def test_reference_state_is_the_inverse(model, state):
    load_reference_state(model, "net", state)
    back = reference_state(model)
    assert back.keys() == state.keys()
    for name in state:
        np.testing.assert_array_equal(back[name], state[name])


def test_all_that_does_not_fit_is_named_and_nothing_changes(model, state):
    before = model.get_weights()
    del state["norm.running_var"]
    state["head.weight"] = np.zeros((2, 6), "float32")
    state["fc.weight"] = np.zeros((6, 5), "float32")
    with pytest.raises(DataError) as error:
        load_reference_state(model, "resnet.npz", state)
    message = str(error.value)
    assert message.startswith("resnet.npz: 3 of its entries do not fit small.")
    assert "missing: norm.running_var" in message
    assert "not in the model: head.weight" in message
    assert "shape of fc.weight: expected (5, 6), received (6, 5)" in message
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
