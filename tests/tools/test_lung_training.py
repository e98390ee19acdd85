"""Training of the lung network: the loss, the shipped weights, the folds."""

import lung_data
import lung_training
import numpy as np
import pandas as pd
import pytest

from mdmt_tf.imaging.lungs import network
from mdmt_tf.models.layers import BatchNormalization


def test_loss_by_arithmetic():
    targets = np.zeros((1, 2, 2, 3), np.float32)
    targets[0, 0, :, 1] = targets[0, 1, 0, 2] = targets[0, 1, 1, 0] = 1
    logits = np.zeros_like(targets)  # each class has a third
    # Right: 2 x 2/3 / (4/9 + 2), left: 2 x 1/3 / (4/9 + 1), each with + 1.
    right = (2 * 2 / 3 + 1) / (4 / 9 + 2 + 1)
    left = (2 * 1 / 3 + 1) / (4 / 9 + 1 + 1)
    expected = np.log(3) + 1 - (right + left) / 2
    assert lung_training.loss(targets, logits).numpy() == pytest.approx(expected)
    assert lung_training.loss(targets, 50 * targets).numpy() == pytest.approx(
        0, abs=1e-5
    )


def test_the_shipped_form_answers_as_the_trained_one(monkeypatch):
    monkeypatch.setattr(network, "_CHANNELS", (8, 8, 8))
    model = network.build_network(lambda name: BatchNormalization(name=name))
    rng = np.random.default_rng(0)
    for variable in model.variables:  # statistics as after training
        if "moving" in variable.path or "norm" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    arrays = lung_training.shipped(model)
    shipped = network.build_network()
    assert set(arrays) == set(network.get_weights(shipped))
    network.set_weights(shipped, arrays)
    inputs = rng.random((2, 256, 256, 1), np.float32)
    trained = model(inputs, training=False).numpy()
    difference = np.abs(shipped(inputs).numpy() - trained).max()
    assert difference < 0.01 * np.abs(trained).max()  # float16
    assert trained.std() > 0.01


@pytest.mark.large
def test_a_few_steps_lower_the_loss(monkeypatch):
    monkeypatch.setattr(network, "_CHANNELS", (8, 16))
    pictures = lung_data.Pictures(
        *(np.zeros((8, 256, 256), np.uint8), np.zeros((8, 128, 128, 2), np.uint8))
    )
    pictures.inputs[:, 60:200, 20:110], pictures.inputs[:, 60:200, 150:240] = 90, 180
    pictures.masks[:, 30:100, 10:55, 0], pictures.masks[:, 30:100, 75:120, 1] = 255, 255
    model = network.build_network(lambda name: BatchNormalization(name=name))

    def loss():
        lungs = pictures.masks / np.float32(255)
        targets = np.concatenate([1 - lungs.sum(-1, keepdims=True), lungs], -1)
        logits = model(pictures.inputs[..., None] / np.float32(255), training=True)
        return float(lung_training.loss(targets, logits))

    before = loss()
    lung_training.fit(
        model,
        [pictures],
        np.arange(8),
        epochs=24,
        learning_rate=1e-2,
    )
    assert loss() < 0.5 * before


def test_no_patient_is_in_two_folds_and_views_are_spread():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 150)
    table = pd.DataFrame(
        {"patient_group": groups, "view": np.array(["PA", "AP"])[groups % 2]}
    )
    fold = lung_data.patient_folds(table, 5)
    assert set(fold) == set(range(5))
    for group in set(groups):
        assert len(set(fold[groups == group])) == 1
    for number in range(5):
        fraction = (table["view"][fold == number] == "AP").mean()
        assert abs(fraction - (table["view"] == "AP").mean()) < 0.1


def test_phantoms_have_masks_that_lie_on_their_lungs():
    pictures = lung_data.draw_phantoms(4)
    assert pictures.inputs.shape == (4, 256, 256)
    assert pictures.masks.shape == (4, 128, 128, 2)
    for mask in pictures.masks:
        right, left = (mask[..., side] > 128 for side in (0, 1))
        assert 0.1 < right.mean() + left.mean() < 0.7
        assert np.nonzero(right)[1].mean() + 20 < np.nonzero(left)[1].mean()


@pytest.mark.large
def test_every_picture_is_changed_once_an_epoch(tmp_path):
    pictures = lung_data.Pictures(
        inputs=np.stack([np.full((256, 256), 40 * n + 20) for n in range(3)]).astype(
            np.uint8
        ),
        masks=np.zeros((3, 128, 128, 2), np.uint8),
    )
    first, second = lung_data.changed(pictures, 1.0, 2, seed=1)
    again = lung_data.changed(pictures, 1.0, 1, seed=1)[0]
    np.testing.assert_array_equal(first.inputs, again.inputs)
    for number in range(3):
        assert first.inputs[number].any()
        assert (first.inputs[number] != second.inputs[number]).any()
    lung_data.save([first, second], tmp_path / "kept.npz")
    for kept, made in zip(
        lung_data.load(tmp_path / "kept.npz"), (first, second), strict=True
    ):
        np.testing.assert_array_equal(kept.inputs, made.inputs)
        np.testing.assert_array_equal(kept.masks, made.masks)


@pytest.mark.large
def test_the_real_masks(shared):
    table, pictures = lung_data.read_study(shared / "data" / "open_cxr")
    assert len(table) == len(pictures.inputs) == 173
    assert table["view"].value_counts().to_dict() == {
        "PA": 122,
        "AP": 31,
        "AP Supine": 20,
    }
    assert table["patient_group"].nunique() == 112
    columns = np.arange(128)
    for mask in pictures.masks.astype(float):
        centres = [(mask[..., s] * columns).sum() / mask[..., s].sum() for s in (0, 1)]
        assert centres[0] < centres[1]  # the right lung at the left
