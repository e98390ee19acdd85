"""`model.weights: phantoms`: where its files are, and what they are."""

import re
import urllib.request

import numpy as np
import pytest

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.models.weights import half_precision, phantom_weights, pretrained

FACTS = {
    "backbone": "tiny",
    "source": "synthetic radiographs: 24 images",
    "licence": "Apache-2.0",
    "trained_with_synthetic": {"synthetic_cxr": 24},
    "metrics": {"z0": {"kappa": 0.5}},
}


@pytest.fixture
def trained(tiny_backbone, cache):
    """A backbone whose weights in half precision are in the cache."""
    model = build_backbone(tiny_backbone, (16, 16, 3), seed=4)
    path = phantom_weights.path_in_cache(tiny_backbone)
    path.parent.mkdir(parents=True)
    half_precision.write(path, half_precision.arrays_of(model), FACTS)
    return model


def kernel_of(backbone):
    return backbone.get_layer("conv").kernel.numpy()


def test_they_fill_a_backbone(trained):
    expected = kernel_of(trained).astype(np.float16)
    filled = build_backbone("tiny", (32, 32, 3), "phantoms")
    np.testing.assert_array_equal(kernel_of(filled), expected)
    # One channel stands for three equal ones.
    grey = build_backbone("tiny", (32, 32, 1), "phantoms")
    summed = expected.astype(np.float32).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(kernel_of(grey), summed, rtol=1e-6)
    # Or each dataset has its own statistics, which begin with those of the file.
    options = {"batch_norm": "per_dataset", "datasets": 2}
    several = build_backbone("tiny", (32, 32, 3), "phantoms", **options)
    np.testing.assert_array_equal(kernel_of(several), expected)


def test_they_can_be_averaged_with_others(trained, tmp_path):
    other = build_backbone("tiny", (16, 16, 3), seed=9)
    path = str(tmp_path / "other.weights.h5")
    other.save_weights(path)
    mean = build_backbone("tiny", (16, 16, 3), {"phantoms": 0.25, path: 0.75})
    halved = kernel_of(trained).astype(np.float16).astype(np.float64)
    expected = 0.25 * halved + 0.75 * kernel_of(other)
    np.testing.assert_allclose(kernel_of(mean), expected, atol=1e-7)
    facts = pretrained.describe("tiny", {"phantoms": 0.25, path: 0.75})
    assert facts["trained_with_synthetic"] == {"synthetic_cxr": 24}


def test_a_manifest_says_what_they_are(trained):
    digest = half_precision.digest_of(half_precision.arrays_of(trained))
    facts = pretrained.describe("tiny", "phantoms")
    expected = {key: value for key, value in FACTS.items() if key != "metrics"}
    assert facts == expected | {"sha256": digest}
    assert phantom_weights.digest("tiny") == digest


def test_a_file_that_is_not_there_can_be_made(tiny_backbone, cache):
    with pytest.raises(DataError) as error:
        build_backbone(tiny_backbone, (16, 16, 3), "phantoms")
    text = str(error.value)
    assert "python -m mdmt_tf.convert tiny --phantoms" in text
    assert str(cache / "tiny-phantoms.safetensors") in text
    for name in phantom_weights.shipped():
        assert name in text


def test_volumes_have_none():
    with pytest.raises(ConfigError, match="resnet18_3d has no weights of synthetic"):
        pretrained.locate("resnet18_3d", "phantoms")


def test_the_file_of_another_backbone_is_refused(trained, cache):
    path = phantom_weights.path_in_cache("tiny")
    arrays = half_precision.arrays_of(trained)
    half_precision.write(path, arrays, FACTS | {"backbone": "resnet18"})
    with pytest.raises(DataError, match="expected weights of tiny. Received those of"):
        phantom_weights.digest("tiny")


def test_what_comes_with_the_package_is_preferred(trained, tmp_path, monkeypatch):
    """So that everybody starts from the same weights."""
    monkeypatch.setattr(phantom_weights, "FOLDER", tmp_path)
    path = tmp_path / "tiny.safetensors"
    half_precision.write(path, half_precision.arrays_of(trained), FACTS | {"seed": 7})
    assert phantom_weights.shipped() == {"tiny": path}
    assert phantom_weights.describe("tiny")["seed"] == 7


def rows_of_card():
    """File -> cells of its row in the model card."""
    text = (phantom_weights.FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    lines = text.split("## Files in the package")[1].split("##")[0].splitlines()
    rows = [re.split(r" *\| *", line.strip("| ")) for line in lines if "|" in line]
    return {row[0]: row[1:] for row in rows[2:]}


def test_the_card_lists_the_files_that_come_with_the_package():
    found = {
        path.name: half_precision.read_facts(path)["sha256"][:12]
        for path in phantom_weights.shipped().values()
    }
    assert {file: row[2] for file, row in rows_of_card().items()} == found


@pytest.mark.parametrize("name", phantom_weights.shipped())
def test_a_file_of_the_package_is_small_whole_and_needs_no_network(
    name, cache, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("the network is used")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    path = phantom_weights.locate(name)
    assert path.parent == phantom_weights.FOLDER
    assert path.stat().st_size <= 8e6
    # Its SHA-256 is checked.
    arrays, facts = half_precision.read(path)
    assert facts["backbone"] == name and facts["recipe"] == "phantom_start"
    assert facts["licence"] == "Apache-2.0"
    assert set(facts["trained_with_synthetic"]) == {"synthetic_cxr"}
    filled = build_backbone(name, (64, 64, BACKBONES[name].channels), "phantoms")
    of_backbone, of_heads = half_precision.split_off(arrays)
    assert len(of_heads) > 0
    found = half_precision.digest_of(half_precision.arrays_of(filled))
    assert found == half_precision.digest_of(of_backbone)
