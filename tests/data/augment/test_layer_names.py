"""Layers by name: what is found, and what is refused with a reason."""

import sys

import pytest

from mdmt_tf.data.augment.layer_names import build_layer
from mdmt_tf.errors import ConfigError

WHERE = "pipeline.augmentation.layers[0]"


def test_pixels_are_from_0_to_1_unless_stated():
    assert tuple(build_layer("RandomErasing", {}, WHERE).value_range) == (0, 1)
    stated = build_layer("keras.layers.RandomErasing", {"value_range": (0, 2)}, WHERE)
    assert tuple(stated.value_range) == (0, 2)


def test_keras_cv_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv.layers", None)
    with pytest.raises(ConfigError, match=r"mdmt_tf\[keras-cv\].*RandomErasing"):
        build_layer("keras_cv.GridMask", {}, WHERE)


def test_a_layer_within_a_layer_has_two_keys():
    inner = {"layer": "RandomFlip", "probability": 0.5}
    with pytest.raises(ConfigError, match=r"layer and arguments. Received: prob"):
        build_layer("RandomErasing", {"scale": inner}, WHERE)


@pytest.mark.parametrize(
    "inner", [{"layer": 3}, {"layer": "RandomFlip", "arguments": None}]
)
def test_a_layer_within_a_layer_has_a_name_and_arguments(inner):
    with pytest.raises(ConfigError, match=r"layers\[0\].*a name and a mapping"):
        build_layer("RandomErasing", {"scale": inner}, WHERE)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("RandAugmnt", {}, ["layers[0] = RandAugmnt", "Did you mean", "RandAugment"]),
        ("GridMask", {}, ["Use RandomErasing, or keras_cv.GridMask"]),
        ("torchvision.RandAugment", {}, ["keras.layers", "keras_cv"]),
        ("Dense", {}, ["no such layer for images"]),
        ("RandomErasing", {"scales": 1}, ["wrong arguments", "scale, fill_value"]),
        ("RandomErasing", {"seed": 1}, ["leave out `seed`"]),
        ("RandAugment", {"interpolation": "cubicc"}, ["wrong arguments", "'cubicc'"]),
    ],
)
def test_refusals_say_what_is_wrong(name, arguments, words):
    with pytest.raises(ConfigError) as error:
        build_layer(name, arguments, WHERE)
    for word in words:
        assert word in str(error.value)
