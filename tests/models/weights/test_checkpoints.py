"""Tensors of published files: selection for a backbone, and renaming."""

import json
import pathlib

import numpy as np
import pytest
import safetensors.numpy

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights.checkpoints import (
    PREFIXES,
    backbone_state,
    read_checkpoint,
    without_prefix,
)

FILES = pathlib.Path(__file__).parent / "torch_files"


def test_the_tensors_below_a_wrapper_are_found():
    tensors = read_checkpoint(FILES / "archive.pth")  # {"state_dict": ..., "epoch": 3}
    assert list(tensors)[:2] == ["ramp", "second"]


def test_safetensors_are_read(tmp_path):
    path = tmp_path / "net.safetensors"
    tensors = {"conv.weight": np.arange(6, dtype="float32").reshape(2, 3)}
    safetensors.numpy.save_file(tensors, path)
    read = read_checkpoint(path)
    np.testing.assert_array_equal(read["conv.weight"], tensors["conv.weight"])
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"net\.safetensors: not a safetensors file"):
        read_checkpoint(path)
    path.unlink()
    with pytest.raises(DataError, match=r"net\.safetensors: (?i:.*no such file)"):
        read_checkpoint(path)


def test_a_file_without_named_tensors_says_what_it_holds(monkeypatch):
    from mdmt_tf.models.weights import checkpoints

    for stored, text in (
        ({"epoch": 3, "best": 0.5}, "a dict with the keys 'epoch', 'best'"),
        ([1, 2], "a list"),
    ):
        monkeypatch.setattr(checkpoints, "read_torch_file", lambda _, s=stored: s)
        with pytest.raises(DataError, match=rf"net\.pth: expected tensors.*{text}\."):
            read_checkpoint("net.pth")


@pytest.mark.parametrize(
    "wrappers",
    [
        *((wrapper,) for wrapper in ("state_dict", "model", "model_state_dict")),
        ("model", "state_dict"),
        ("state_dict", "model_state_dict"),
    ],
)
def test_tensors_below_wrappers_in_any_combination_are_found(wrappers, monkeypatch):
    from mdmt_tf.models.weights import checkpoints

    tensors = {"conv.weight": np.ones(3)}
    stored = tensors
    for wrapper in reversed(wrappers):
        stored = {"epoch": 3, wrapper: stored, "arch": "resnet50"}
    monkeypatch.setattr(checkpoints, "read_torch_file", lambda _: stored)
    assert read_checkpoint("net.pth") == tensors


@pytest.mark.parametrize(
    "prefix",
    ["", *PREFIXES, "module.model.", "model.module.", "model._orig_mod.module."],
)
def test_prefixes_in_any_combination_are_removed(prefix):
    names = ("conv1.weight", "bn1.bias", "module_list.weight")
    tensors = {f"{prefix}{name}": np.ones(1) for name in names}
    found, kept = without_prefix(tensors)
    assert found == prefix and list(kept) == list(names)


def test_what_lies_beside_the_network_is_left_out_with_the_prefix():
    names = ("model.conv1.weight", "model.fc.bias", "loss.pos_weight", "fc.weight")
    found, kept = without_prefix({name: np.ones(1) for name in names})
    assert found == "model." and list(kept) == ["conv1.weight", "fc.bias"]


def test_no_reference_network_has_names_that_begin_with_a_prefix(reference):
    """Else parts of its own names would be removed."""
    backbones = json.loads((reference / "backbones.json").read_text())["backbones"]
    for facts in backbones.values():
        assert not [name for name, _ in facts["state"] if name.startswith(PREFIXES)]


def names_of(*names):
    return list(backbone_state({name: np.zeros(1) for name in names}))


def test_classifiers_and_counters_are_left_out():
    kept = names_of(
        "conv1.weight",
        "bn1.running_var",
        "bn1.num_batches_tracked",
        "fc.weight",
        "classifier.1.bias",
        "aux1.conv.bn.weight",
        "aux2.fc1.weight",
    )
    assert kept == ["conv1.weight", "bn1.running_var"]


def test_older_names_of_densenet():
    assert names_of(
        "features.denseblock1.denselayer12.norm.1.running_mean",
        "features.denseblock4.denselayer2.conv.2.weight",
        "features.transition1.norm.weight",
    ) == [
        "features.denseblock1.denselayer12.norm1.running_mean",
        "features.denseblock4.denselayer2.conv2.weight",
        "features.transition1.norm.weight",
    ]


def test_names_of_efficientnet_pytorch():
    """A separable block, then two stages of two blocks and one."""

    def block(number, width, *modules):
        tensors = {
            f"_blocks.{number}.{module}.weight": np.zeros(1) for module in modules
        }
        kernel = np.zeros((width, 6, 1, 1))
        return {**tensors, f"_blocks.{number}._project_conv.weight": kernel}

    inverted = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_bn2")
    tensors = {
        "_conv_stem.weight": np.zeros(1),
        "_bn0.bias": np.zeros(1),
        **block(0, 16, "_depthwise_conv", "_bn1", "_se_reduce", "_bn2"),
        **block(1, 24, *inverted),
        **block(2, 24, *inverted),
        **block(3, 40, *inverted),
        "_conv_head.weight": np.zeros(1),
        "_bn1.running_mean": np.zeros(1),
        "_fc.weight": np.zeros(1),
    }
    renamed = backbone_state(tensors)
    names = ("conv_pw", "bn1", "conv_dw", "bn2", "bn3", "conv_pwl")
    assert set(renamed) == {
        "conv_stem.weight",
        "bn1.bias",
        "conv_head.weight",
        "bn2.running_mean",
        "blocks.0.0.conv_dw.weight",
        "blocks.0.0.bn1.weight",
        "blocks.0.0.se.conv_reduce.weight",
        "blocks.0.0.bn2.weight",
        "blocks.0.0.conv_pw.weight",
        *(f"blocks.1.0.{name}.weight" for name in names),
        *(f"blocks.1.1.{name}.weight" for name in names),
        *(f"blocks.2.0.{name}.weight" for name in names),
    }
    assert renamed["blocks.2.0.conv_pwl.weight"].shape == (40, 6, 1, 1)
