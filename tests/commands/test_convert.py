"""Conversion of PyTorch checkpoints to weights, from the command line."""

import json
import re

import numpy as np
import pytest
import safetensors.numpy

from mdmt_tf import convert
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights import half_precision, phantom_weights
from mdmt_tf.models.weights.conversion import reference_state


@pytest.fixture
def checkpoint(tiny_backbone, tmp_path):
    state = reference_state(build_backbone(tiny_backbone, (32, 32, 3), seed=3))
    tensors = {name: np.ascontiguousarray(array) for name, array in state.items()}
    tensors["norm.num_batches_tracked"] = np.array(7)
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path, state


def run(*arguments):
    return convert.main([str(argument) for argument in arguments])


def test_a_checkpoint_becomes_weights_and_a_manifest(checkpoint, tmp_path, capsys):
    path, state = checkpoint
    target = tmp_path / "out" / "net.weights.h5"
    run("tiny", path, target)
    backbone = build_backbone("tiny", (48, 32, 3), target)
    for name, array in reference_state(backbone).items():
        np.testing.assert_array_equal(array, state[name])
    manifest = json.loads((tmp_path / "out" / "net.json").read_text())
    assert manifest["checkpoint"] == "net.safetensors"
    assert "out/net.weights.h5" in capsys.readouterr().out


def test_what_does_not_fit_is_named(checkpoint, tmp_path):
    path, _ = checkpoint
    tensors = safetensors.numpy.load_file(path)
    del tensors["conv.weight"]
    safetensors.numpy.save_file(tensors, path)
    with pytest.raises(DataError, match=r"net\.safetensors: 1 of .*\n  missing: conv"):
        run("tiny", path, tmp_path / "net.weights.h5")


def test_prefixes_of_training_scripts_are_removed(checkpoint, tmp_path):
    path, state = checkpoint
    tensors = safetensors.numpy.load_file(path)
    wrapped = {f"model._orig_mod.module.{name}": a for name, a in tensors.items()}
    # A loss function with a parameter, as Lightning saves it beside the network.
    wrapped["loss.pos_weight"] = np.ones(2, np.float32)
    safetensors.numpy.save_file(wrapped, path)
    run("tiny", path, tmp_path / "net.weights.h5")
    backbone = build_backbone("tiny", (48, 32, 3), tmp_path / "net.weights.h5")
    for name, array in reference_state(backbone).items():
        np.testing.assert_array_equal(array, state[name])


def test_what_does_not_fit_below_a_prefix_is_named_with_the_prefix(
    checkpoint, tmp_path
):
    path, _ = checkpoint
    tensors = safetensors.numpy.load_file(path)
    del tensors["conv.weight"]
    wrapped = {f"module.model.{name}": array for name, array in tensors.items()}
    safetensors.numpy.save_file(wrapped, path)
    message = r"net\.safetensors, below 'module\.model\.': 1 of .*\n  missing: conv"
    with pytest.raises(DataError, match=message):
        run("tiny", path, tmp_path / "net.weights.h5")
    assert not (tmp_path / "net.weights.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny"], "give a checkpoint and a target, or --imagenet alone"),
        (["tiny", "--imagenet", "--phantoms"], "or --imagenet alone, or --phantoms"),
        (["tiny", "a.pth", "--phantoms"], "give a checkpoint and a target"),
        (["tiny", "--imagenet", "--again"], "--again and --run are for --phantoms"),
        (["tiny", "--phantoms", "--again", "--run", "x"], "give one of them"),
        (["tiny", "a.pth"], "give a checkpoint and a target"),
        (["tiny", "a.pth", "b.weights.h5", "--imagenet"], "or --imagenet alone"),
        (["tiny", "a.pth", "b.h5"], r"must end in \.weights\.h5"),
        (["resnet7", "a.pth", "b.weights.h5"], "Did you mean 'resnet50'"),
    ],
)
def test_wrong_arguments(tiny_backbone, arguments, message, capsys):
    with pytest.raises(SystemExit):
        run(*arguments)
    assert re.search(message, capsys.readouterr().err)


def test_weights_of_phantoms_that_are_there_are_shown(
    tiny_backbone, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = phantom_weights.path_in_cache("tiny")
    path.parent.mkdir(parents=True)
    facts = {
        "backbone": "tiny",
        "source": "synthetic radiographs: 24 images",
        "phantoms_version": "1",
        "mdmt_tf": "0.1",
        "recipe_sha256": "0",
        "metrics": {"z0": {"n": 8, "kappa": 0.5, "mae": 0.25}},
    }
    arrays = half_precision.arrays_of(build_backbone("tiny", (16, 16, 3)))
    half_precision.write(path, arrays, facts)
    run("tiny", "--phantoms")
    assert capsys.readouterr().out.splitlines() == [
        f"{path} was made by version 0.1 with another recipe, or other phantoms. To "
        "make it again: --again.",
        f"weights   {path}, 0.0 MB",
        f"sha256    {half_precision.digest_of(arrays)}",
        "made of   synthetic radiographs: 24 images; phantoms 1",
        "on held-out phantoms",
        "  z0  n 8, kappa 0.5, mae 0.25",
    ]


def test_weights_of_phantoms_are_for_images():
    with pytest.raises(ConfigError, match="resnet18_3d"):
        run("resnet18_3d", "--phantoms")
