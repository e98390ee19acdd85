"""The network's shape, its weights, and the error when they do not fit."""

from importlib import resources

import numpy as np
import pytest

from mdmt_tf.imaging.lungs import network


@pytest.fixture(scope="module")
def model():
    return network.build_network()


def test_shapes_and_size(model):
    assert model.input_shape == (None, 256, 256, 1)
    assert model.output_shape == (None, 128, 128, 3)
    assert model.count_params() <= 2_000_000


def test_the_weights_in_the_package_fit_and_are_small(model):
    file = resources.files("mdmt_tf.imaging.lungs") / network.WEIGHTS_FILE
    assert len(file.read_bytes()) <= 6_000_000
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
        assert all(np.isfinite(array).all() for array in arrays.values())
        network.set_weights(model, dict(arrays))
        for name, array in network.get_weights(model).items():
            np.testing.assert_array_equal(array, arrays[name])


def test_answers_do_not_depend_on_the_company():
    inputs = np.random.default_rng(0).random((5, 256, 256), np.float32)
    together = network.predict(inputs)
    assert together.shape == (5, 128, 128, 3)
    for one, answer in zip(inputs, together, strict=True):
        np.testing.assert_allclose(network.predict(one[None])[0], answer, atol=1e-3)


@pytest.mark.parametrize("change", ["missing", "surplus", "misshapen"])
def test_other_weights_are_refused_by_name(model, change):
    arrays = network.get_weights(model)
    if change == "missing":
        del arrays["logits/bias"]
        name = "logits/bias"
    elif change == "surplus":
        name = "other/bias"
        arrays[name] = np.zeros(3)
    else:
        name = "up1/kernel"
        arrays[name] = arrays[name][..., :1]
    with pytest.raises(ValueError, match=f"first difference: {name}"):
        network.set_weights(model, arrays)
