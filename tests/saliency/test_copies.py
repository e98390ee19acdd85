"""Which feature map Grad-CAM takes: the last one that says where something is."""

import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.multitask import build_model
from mdmt_tf.saliency import copies
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.tasks import make_task

TASKS = [make_task(name="prognosis", kind="binary")]

# Halvings leave 1 x 1 x 1, 2 x 2 or 3 x 6 x 6 positions; before branches come together
# or apart nothing can be cut.
LAYERS = [
    ("densenet21_3d", (32, 48, 48, 1), "features.transition2.conv", (4, 6, 6)),
    # As of DenseNet-121 at 40 x 301 x 301: 1 x 5 x 5 in the end.
    ("densenet21_3d", (32, 160, 160, 1), "features.transition3.conv", (2, 10, 10)),
    ("resnet18_3d", (40, 96, 96, 1), "layer3.1.relu2", (3, 6, 6)),
    ("resnet18", (64, 64, 3), "layer3.1.relu2", (4, 4)),
    ("resnet18", (128, 128, 3), "layer4.1.relu2", (4, 4)),
    ("googlenet", (64, 64, 3), "inception4e.concat", (4, 4)),
    ("mobilenet_v2", (64, 64, 3), "features.14.conv.0.2", (4, 4)),
    ("shufflenet_v2_x0_5", (64, 64, 3), "stage3.7.shuffle", (4, 4)),
]


def model_of(name, shape):
    backbone = build_backbone(name, shape, seed=1)
    return build_model(backbone, TASKS, "linear", dropout=0.0)


@pytest.mark.parametrize(("name", "shape", "layer", "positions"), LAYERS)
def test_the_last_map_of_enough_positions(name, shape, layer, positions):
    backbone = build_backbone(name, shape)
    found, rest = copies._cut(backbone, None)
    assert found.name == layer
    assert found.output.shape[1:-1] == positions
    assert rest.output.shape == backbone.output.shape


def test_the_parts_are_the_whole():
    """Whatever the layer: to the map and on from there is the model."""
    model = model_of("densenet21_3d", (32, 48, 48, 1))
    volume = np.random.default_rng(0).random((1, 32, 48, 48, 1)).astype("float32")
    expected = model(volume, training=False)["prognosis"]
    for layer in (None, "features.transition3.conv", "features.relu5"):
        copy = copies.copy_of(model, layer=layer)
        assert layer in (None, copy.layer)
        answer = copy.from_map(copy.to_map(volume, training=False))["prognosis"]
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)


def test_a_map_of_one_position_says_nothing():
    """The last map of a small volume is constant; the one taken instead is not."""
    model = model_of("densenet21_3d", (32, 48, 48, 1))
    volume = np.random.default_rng(0).random((1, 32, 48, 48, 1)).astype("float32")
    (last,) = Explainer(model, TASKS, layer="features.relu5").grad_cam(
        volume, "prognosis", 1
    )
    (taken,) = Explainer(model, TASKS).grad_cam(volume, "prognosis", 1)
    assert np.ptp(last) == 0 < np.ptp(taken)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            "layer3.1.relu",
            "'layer3.1.relu' is not a layer of resnet18.*'layer3.1.relu2'",
        ),
        ("layer3.1.conv1", "'layer3.1.conv1' of resnet18 has no map on which all"),
        ("pool", "'pool' of resnet18 has no map"),
    ],
)
def test_layers_that_cannot_be_taken(layer, message):
    with pytest.raises(ConfigError, match=message):
        Explainer(model_of("resnet18", (64, 64, 3)), TASKS, layer=layer)
