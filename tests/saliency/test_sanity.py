"""Randomised weights: what must change, what must not."""

import keras
import numpy as np
import pytest

from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.layers import Renormalize
from mdmt_tf.models.multitask import build_model
from mdmt_tf.saliency import copies, sanity
from mdmt_tf.saliency.methods import GRAD_CAM, METHODS
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model

SIDE = make_task(name="side", kind="categorical", classes=("bright", "dark"))


@pytest.fixture(scope="module")
def images():
    """Noise with a bright square (even numbers) or a dark one, anywhere."""
    rng = np.random.default_rng(0)
    images = 0.3 * rng.normal(size=(64, 16, 16, 3)).astype("float32")
    for number, image in enumerate(images):
        y, x = rng.integers(0, 11, 2)
        image[y : y + 5, x : x + 5] += 2 if number % 2 == 0 else -2
    return images


@pytest.fixture(scope="module")
def trained(tiny_backbone, images):
    model = build_model(build_backbone(tiny_backbone, (16, 16, 3)), [SIDE])
    compile_model(model, [SIDE], keras.optimizers.Adam(0.01))
    classes = np.arange(64) % 2
    model.fit(images, {"side": classes}, epochs=15, batch_size=16, verbose=0)
    logits = model.predict(images, verbose=0)["side"]
    assert np.mean(logits.argmax(-1) == classes) > 0.95
    return model


@pytest.fixture(scope="module")
def rows(trained, images):
    before = trained.get_weights()
    rows = sanity.randomization(trained, [SIDE], images[:6], stages=2, seed=1)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return rows


def test_stages_go_from_the_heads_to_the_input(rows):
    stages = dict.fromkeys((row.stage, row.down_to) for row in rows)
    assert list(stages) == [
        ("none", ""),
        ("heads", "side.hidden1"),
        ("+ 50% of the backbone", "norm"),
        ("+ 100% of the backbone", "conv"),
    ]
    assert len(rows) == 4 * len(METHODS)


def test_without_random_weights_the_maps_are_the_same(rows):
    for row in rows[: len(METHODS)]:
        assert row.stage == "none" and row.samples == 6
        assert row.correlation == pytest.approx(1.0)


def test_grad_cam_of_random_weights_is_unlike_the_trained_one(rows):
    found = {row.stage: row.correlation for row in rows if row.method == GRAD_CAM}
    assert not found["+ 100% of the backbone"] > 0.5  # NaN: an empty map


def test_fresh_values_follow_the_seed_and_are_new(trained):
    first, again, other = (sanity.fresh_weights(trained, seed) for seed in (1, 1, 2))
    learned = copies.weights_of(trained)
    initial = copies.weights_of(copies.copy_of(trained, weights=False).whole)
    for name in ("conv", "side.hidden1", "side"):
        np.testing.assert_array_equal(first[name][0], again[name][0])
        for values in (other, learned, initial):
            assert np.abs(first[name][0] - values[name][0]).max() > 1e-3
        # By the same rule: alike in their spread.
        assert 0.5 < np.std(first[name][0]) / np.std(initial[name][0]) < 2
    gamma, beta, mean, variance = first["norm"]
    assert (gamma == 1).all() and not beta.any()
    assert not mean.any() and (variance == 1).all()


def test_the_normalisation_of_the_input_is_kept():
    image = keras.Input((8, 8, 1))
    x = Renormalize(name="renormalize")(image)
    x = keras.layers.Conv2D(2, 1, name="conv")(x)
    backbone = keras.Model(
        image, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="b"
    )
    model = build_model(backbone, [SIDE])
    values = [np.array([2.0, 3.0, 4.0]), np.array([5.0, 6.0, 7.0])]
    backbone.get_layer("renormalize").set_weights(values)
    fresh = sanity.fresh_weights(model, 0)
    np.testing.assert_array_equal(fresh["renormalize"], values)


def test_rank_correlation_is_that_of_magnitudes():
    values = np.array([[1.0, -2.0], [3.0, -4.0]])
    assert sanity.rank_correlation(values, -(values**3)) == pytest.approx(1)
    assert sanity.rank_correlation(values, 1 / values) == pytest.approx(-1)
    assert np.isnan(sanity.rank_correlation(values, np.zeros((2, 2))))


def test_volumes_take_the_same_way(point_network, normal, tasks):
    model = point_network((3, 4, 5), widths=(8, 8))
    rows = sanity.randomization(
        model, tasks[:2], normal(2, 3, 4, 5, 2), [GRAD_CAM], stages=9
    )
    assert [row.stage for row in rows if row.task == "organ"] == [
        *("none", "heads", "+ 50% of the backbone", "+ 100% of the backbone")
    ]
    assert {row.task for row in rows} == {"organ", "bleed"}
