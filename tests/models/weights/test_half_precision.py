"""Files of weights in half precision: what they hold, and what is refused."""

import json

import keras
import numpy as np
import pytest
import safetensors.numpy

from mdmt_tf.errors import DataError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights import half_precision

FACTS = {"backbone": "tiny", "seed": 3}


@pytest.fixture
def backbone(tiny_backbone):
    """A tiny backbone whose variances are outside the range of float16."""
    model = build_backbone(tiny_backbone, (16, 16, 3), seed=4)
    rng = np.random.default_rng(0)
    norm = model.get_layer("norm")
    norm.gamma.assign(rng.uniform(0.5, 2, 8))
    norm.beta.assign(rng.normal(size=8))
    norm.moving_mean.assign(rng.normal(size=8))
    norm.moving_variance.assign(np.geomspace(1e-9, 1e9, 8))
    return model


@pytest.fixture
def path(backbone, tmp_path):
    path = tmp_path / "tiny.safetensors"
    half_precision.write(path, half_precision.arrays_of(backbone), FACTS)
    return path


def test_kernels_are_halved_and_statistics_are_kept(backbone):
    arrays = half_precision.arrays_of(backbone)
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "conv/kernel": "float16",
        "norm/gamma": "float32",
        "norm/beta": "float32",
        "norm/moving_mean": "float32",
        "norm/moving_variance": "float32",
    }
    expected = backbone.get_layer("norm").moving_variance
    np.testing.assert_array_equal(arrays["norm/moving_variance"], expected)


def test_what_is_read_is_what_was_written(backbone, path):
    arrays, facts = half_precision.read(path)
    expected = half_precision.arrays_of(backbone)
    assert arrays.keys() == expected.keys()
    assert all(np.array_equal(arrays[name], expected[name]) for name in arrays)
    assert facts == half_precision.read_facts(path)
    digest = half_precision.digest_of(dict(reversed(expected.items())))
    assert facts == {"format": 1, **FACTS, "sha256": digest}


def test_the_same_weights_are_the_same_bytes(backbone, path, tmp_path):
    other = tmp_path / "other.safetensors"
    half_precision.write(other, half_precision.arrays_of(backbone), FACTS)
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("changed", ["name", "type", "shape", "value"])
def test_the_digest_is_of_all_that_an_array_is(changed):
    array = np.arange(6, dtype=np.float16)
    other = {
        "name": {"b": array},
        "type": {"a": array.view(np.int16)},
        "shape": {"a": array.reshape(2, 3)},
        "value": {"a": array + np.float16(0.01)},
    }[changed]
    assert half_precision.digest_of({"a": array}) != half_precision.digest_of(other)


def test_half_precision_changes_the_features_by_no_more_than_its_rounding(
    backbone, path
):
    """|dy| <= |gamma| / sqrt(var + eps) conv(|x|, |w - rounded w|), per position."""
    images = np.random.default_rng(1).normal(size=(4, 16, 16, 3)).astype(np.float32)
    other = build_backbone("tiny", (16, 16, 3), seed=5)
    half_precision.fill(other, half_precision.read(path)[0])
    before, after = backbone(images).numpy(), other(images).numpy()

    conv, norm = backbone.get_layer("conv"), backbone.get_layer("norm")
    kernel = conv.kernel.numpy()
    # Rounding to 11 bits, or to the smallest number of float16.
    error = np.maximum(np.abs(kernel) * 2**-11, 2**-25)
    conv.kernel.assign(error)
    largest = conv(np.abs(images)).numpy().mean(axis=(1, 2))
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    # The features are means of ReLU, which makes no difference larger.
    bound = largest * np.abs(scale)
    rounding = 1e-6 * (1 + np.abs(before))
    assert (np.abs(after - before) <= bound + rounding).all()
    assert np.abs(after - before).max() > 0


@pytest.mark.parametrize("value", [np.nan, 70_000.0])
def test_weights_of_a_training_that_diverged_are_refused(backbone, value):
    kernel = backbone.get_layer("conv").kernel
    changed = kernel.numpy()
    changed[0, 0, 0, 0] = value
    kernel.assign(changed)
    with pytest.raises(DataError, match="conv/kernel of tiny: expected finite weights"):
        half_precision.arrays_of(backbone)


def test_what_does_not_fit_is_listed_and_nothing_is_changed(backbone):
    arrays = half_precision.arrays_of(backbone)
    arrays["more/kernel"] = arrays.pop("conv/kernel")
    arrays["norm/gamma"] = np.ones(3, np.float32)
    before = keras.ops.convert_to_numpy(backbone.get_layer("norm").gamma)
    with pytest.raises(ValueError) as error:
        half_precision.fill(backbone, arrays)
    assert str(error.value).splitlines()[1:] == [
        "  missing: conv/kernel",
        "  not in the model: more/kernel",
        "  shape of norm/gamma: expected (8,), received (3,)",
    ]
    np.testing.assert_array_equal(backbone.get_layer("norm").gamma, before)


def test_a_file_that_was_changed_is_refused(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"tiny.safetensors: its arrays are not those"):
        half_precision.read(path)
    # The facts alone are read without a look at the arrays.
    assert half_precision.read_facts(path)["seed"] == 3


def test_a_file_that_was_cut_is_refused(path):
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="not a safetensors file, or a damaged one"):
        half_precision.read_facts(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"mdmt_tf": "no JSON"},
        {"mdmt_tf": "[]"},
        {"mdmt_tf": json.dumps({"format": 1, "backbone": "tiny"})},
        {"mdmt_tf": json.dumps({"format": 2, "backbone": "tiny", "sha256": "0"})},
    ],
)
def test_files_of_others_are_refused(tmp_path, metadata):
    path = tmp_path / "others.safetensors"
    safetensors.numpy.save_file({"a": np.ones(2)}, path, metadata)
    for read in (half_precision.read, half_precision.read_facts):
        with pytest.raises(DataError, match="expected weights that this package has"):
            read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.safetensors: (?i:.*no such file)"):
        half_precision.read_facts(tmp_path / "none.safetensors")
