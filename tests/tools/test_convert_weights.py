"""Conversion of PyTorch checkpoints to weights, from the command line."""

import json

import convert_weights
import numpy as np
import pytest
import safetensors.numpy

from mdmt_tf.errors import DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights.conversion import reference_state


@pytest.fixture
def checkpoint(tiny_backbone, tmp_path):
    state = reference_state(build_backbone(tiny_backbone, (32, 32, 3), seed=3))
    tensors = {name: np.ascontiguousarray(array) for name, array in state.items()}
    tensors["norm.num_batches_tracked"] = np.array(7)
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path, state


def convert(*arguments):
    return convert_weights.main([str(argument) for argument in arguments])


def test_a_checkpoint_becomes_weights_and_a_manifest(checkpoint, tmp_path, capsys):
    path, state = checkpoint
    target = tmp_path / "out" / "net.weights.h5"
    convert("tiny", path, target)
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
        convert("tiny", path, tmp_path / "net.weights.h5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny"], "give a checkpoint and a target, or --imagenet alone"),
        (["tiny", "a.pth"], "give a checkpoint and a target"),
        (["tiny", "a.pth", "b.weights.h5", "--imagenet"], "or --imagenet alone"),
        (["tiny", "a.pth", "b.h5"], r"must end in \.weights\.h5"),
        (["resnet7", "a.pth", "b.weights.h5"], "invalid choice"),
    ],
)
def test_wrong_arguments(tiny_backbone, arguments, message, capsys):
    import re

    with pytest.raises(SystemExit):
        convert(*arguments)
    assert re.search(message, capsys.readouterr().err)
