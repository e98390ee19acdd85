"""Frozen layers keep their weights and statistics; the others are trained."""

import keras
import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.freezing import freeze
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task

TASK = make_task(
    name="outcome",
    kind="categorical",
    classes=("mild", "severe"),
    sources={"alpha": "outcome"},
)
STEM = ["conv", "norm"]  # of the backbone here; it has nothing else


@pytest.fixture
def small(tiny_backbone):
    return build_backbone(tiny_backbone, (16, 16, 3))


@pytest.mark.parametrize(
    ("part", "frozen"),
    [("none", []), ("stem", STEM), ("all", STEM), (0.5, ["conv"]), (0.2, [])],
)
def test_what_is_frozen_does_not_change(small, part, frozen):
    assert freeze(small, part) == frozen
    model = build_model(small, [TASK])
    model.compile("sgd", {"outcome": keras.losses.MeanSquaredError()})
    images = np.random.default_rng(0).standard_normal((4, 16, 16, 3)).astype("float32")
    before = {layer.name: layer.get_weights() for layer in small.layers}
    model.train_on_batch(images, {"outcome": np.ones((4, 2), "float32")})
    for layer in small.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.array_equal(old, new) == (layer.name in frozen), layer.name


def test_a_share_counts_layers_from_the_input():
    backbone = build_backbone("resnet18", (32, 32, 3))
    frozen = freeze(backbone, 0.5)  # of 20 convolutions and 20 normalisations
    assert len(frozen) == 20
    assert frozen[:2] == ["conv1", "bn1"]
    assert not any(name.startswith("layer4") for name in frozen)


@pytest.mark.parametrize("part", ["half", 0.0, 1.0, 1.5, True])
def test_other_parts_are_refused(small, part):
    with pytest.raises(ConfigError, match=r"freeze=.* for tiny: expected 'none', 'ste"):
        freeze(small, part)
