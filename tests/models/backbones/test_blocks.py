"""Initial values and padding of single layers."""

import math

import keras
import numpy as np
import pytest

from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.backbones.blocks import BackboneOptions, Blocks, he_normal_fan_out
from mdmt_tf.models.weights.conversion import reference_state

SHAPE = (32, 32, 3)


def kernels(model):
    """Kernels with at least 1000 values, in the reference's axes (out, in, h, w)."""
    return {
        name: array
        for name, array in reference_state(model).items()
        if array.ndim == 4 and array.size >= 1000
    }


# name of a backbone -> variance of a kernel (out, in / groups, h, w) by its shape.
NORMAL = {
    "resnet18": lambda out, into, area: 2 / (out * area),
    "mobilenet_v2": lambda out, into, area: 2 / (out * area),
    "densenet121": lambda out, into, area: 2 / (into * area),
    "googlenet": lambda out, into, area: 0.01**2,
    # timm divides by the groups; a depthwise kernel has as many as channels.
    "efficientnet_b0": lambda out, into, area: 2 / ((1 if into == 1 else out) * area),
}


@pytest.mark.parametrize("name", NORMAL)
def test_initial_values_are_the_normal_ones_of_the_reference(name):
    checked = kernels(build_backbone(name, SHAPE))
    assert len(checked) > 15
    for key, kernel in checked.items():
        out, into, height, width = kernel.shape
        std = math.sqrt(NORMAL[name](out, into, height * width))
        tolerance = 5 / math.sqrt(2 * kernel.size)  # five standard errors
        assert abs(kernel.std() / std - 1) < tolerance, key
        assert abs(kernel.mean()) < 5 * std / math.sqrt(kernel.size), key
        assert np.abs(kernel).max() > 2.3 * std, key  # not truncated at 2 std


def test_shufflenet_starts_from_the_default_of_torch():
    for name, kernel in kernels(build_backbone("shufflenet_v2_x0_5", SHAPE)).items():
        limit = 1 / math.sqrt(math.prod(kernel.shape[1:]))
        assert 0.95 * limit < np.abs(kernel).max() <= limit, name
        std = limit / math.sqrt(3)
        assert abs(kernel.mean()) < 5 * std / math.sqrt(kernel.size), name


def initial_values(seed, first="conv1"):
    make = Blocks(he_normal_fan_out, BackboneOptions(seed=seed))
    image = keras.Input((8, 8, 16))
    x = make.conv(image, 16, 3, first)
    x = make.conv(x, 16, 3, "conv2", groups=16)
    x = make.conv(x, 16, 3, "conv3")
    model = keras.Model(image, x)
    return [array for array in reference_state(model).values() if array.ndim == 4]


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


@pytest.mark.parametrize("length", [6, 7])
@pytest.mark.parametrize("padding", ["pytorch", "tensorflow"])
def test_where_a_strided_window_begins(padding, length):
    """A 3 x 3 mean of stride 2 over 0, 1, 2 ... by hand."""
    make = Blocks(he_normal_fan_out, BackboneOptions(), padding=padding)
    image = keras.Input((length, length, 1))
    model = keras.Model(image, make.conv(image, 1, 3, "conv", stride=2))
    model.get_layer("conv").kernel.assign(np.full((3, 3, 1, 1), 1.0))
    ramp = np.broadcast_to(np.arange(length, dtype="float32"), (length, length))
    middle = np.asarray(model(ramp[None, ..., None]))[0, 1, :, 0] / 3
    # PyTorch, and "same" of an odd length: windows from -1, 1, 3 ...; "same" of an even
    # length pads at the end alone: from 0, 2, 4 ...
    begin = 0 if padding == "tensorflow" and length % 2 == 0 else -1
    expected = [
        sum(i for i in range(at, at + 3) if 0 <= i < length)
        for at in range(begin, begin + 2 * math.ceil(length / 2), 2)
    ]
    np.testing.assert_allclose(middle, expected)
