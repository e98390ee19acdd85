"""The baseline of the benchmark has the same results and exchangeable files."""

import benchmark_backbones
import keras
import numpy as np
import pytest

from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.layers import BatchNormalization


@pytest.fixture(scope="module")
def pair():
    """A backbone whose statistics are not the initial ones, and the baseline."""
    backbone = build_backbone("shufflenet_v2_x0_5", (32, 32, 3), seed=1)
    backbone(images(4), training=True)
    return backbone, benchmark_backbones.with_stock_layers(backbone)


def images(count):
    values = np.random.default_rng(count).standard_normal((count, 32, 32, 3))
    return values.astype("float32")


def test_the_baseline_has_the_layers_of_keras(pair):
    ours, stock = pair
    norms = [layer for layer in ours.layers if isinstance(layer, BatchNormalization)]
    assert norms
    for layer in norms:
        baseline = stock.get_layer(layer.name)
        assert type(baseline) is keras.layers.BatchNormalization
        assert baseline.momentum == layer.momentum
        assert baseline.epsilon == layer.epsilon


# The last normalisations see six values each in training: rounding is magnified.
@pytest.mark.parametrize(("training", "tolerance"), [(False, 1e-5), (True, 1e-3)])
def test_both_compute_the_same(pair, training, tolerance):
    ours, stock = (model(images(6), training=training) for model in pair)
    assert np.abs(ours - stock).max() < tolerance * np.abs(stock).max()


def test_files_of_weights_are_exchangeable(pair, tmp_path):
    ours, stock = pair
    stock.save_weights(tmp_path / "stock.weights.h5")
    loaded = build_backbone(ours.name, (32, 32, 3), tmp_path / "stock.weights.h5")
    for expected, received in zip(stock.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(received, expected)
    ours.save_weights(tmp_path / "ours.weights.h5")
    stock.load_weights(tmp_path / "ours.weights.h5")
    for expected, received in zip(ours.weights, stock.weights, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_row_gives_medians_and_their_ratio():
    text = benchmark_backbones.row(
        "resnet18", [3.0, 9.0], [(0.5, 0.25, 1.0), (1.0, 2.0, 1.0)], batch_size=16
    )
    assert text == (
        "| resnet18 | 11.18 M | 32 (16 to 64) | 16 (8 to 16) | 2.00 | 3.0 s | 9.0 s |"
    )
