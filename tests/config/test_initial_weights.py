"""Names of weights to start from, in every section that has them."""

import pytest

from mdmt_tf import config
from mdmt_tf.config.initial_weights import is_named, problems_of_weights
from mdmt_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        (None, True),
        ("imagenet", True),
        ("phantoms", True),
        ("a/b.weights.h5", True),
        ("a.safetensors", False),
        ("Phantoms", False),
    ],
)
def test_names(weights, named):
    assert is_named(weights) is named


@pytest.mark.parametrize("weights", [None, "a.weights.h5"])
def test_files_fit_until_they_are_read(weights):
    assert not list(problems_of_weights(weights, "resnet18_3d", ("weights",)))


def test_phantoms_are_for_every_backbone_for_images():
    overrides = ["model.weights=phantoms", "model.backbone=densenet121"]
    assert config.load("phantom", overrides).model.weights == "phantoms"
    features = "{task: severity, model: features, backbone: resnet18}"
    made = config.load(
        "replication_phantom",
        [
            f"benchmark.baselines={{x: {features}}}",
            "benchmark.baselines.x.weights=phantoms",
        ],
    )
    assert made.benchmark.baselines["x"].weights == "phantoms"


def test_phantoms_are_not_for_volumes():
    message = (
        "model.weights = 'phantoms': densenet21_3d is for volumes, which synthetic "
        "radiographs are not. Expected null or the path of a file."
    )
    with pytest.raises(ConfigError) as error:
        config.load("ich_phantom", ["model.weights=phantoms"])
    assert message in str(error.value)
