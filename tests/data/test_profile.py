"""Features by hand, and the range of training images."""

import numpy as np
import pytest

from mdmt_tf.data import profile
from mdmt_tf.data.images import Images
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.samples import all_samples
from mdmt_tf.splits.split import Split


def test_blocks_are_averaged():
    """256 x 128 pixels become 64 x 64; each is the mean of 4 x 2."""
    image = np.arange(256 * 128, dtype=np.float32).reshape(256, 128)
    expected = image.reshape(64, 4, 64, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(profile.coarsened(image), expected, rtol=1e-6)


def test_a_small_image_stays_as_it_is():
    image = np.random.default_rng(0).random((10, 12), np.float32)
    np.testing.assert_array_equal(profile.coarsened(image), image)


def test_the_features_of_a_chessboard():
    """Half black, half white: mean and std 1/2, all neighbours differ by 1."""
    image = (np.indices((32, 32)).sum(axis=0) % 2).astype(np.float32)
    mean = np.random.default_rng(0).random((16, 16))
    found = profile.features(image, mean)
    assert found["mean"] == found["std"] == found["black"] == found["white"] == 0.5
    assert found["detail"] == pytest.approx(1 / 0.5)
    # Each of the 16 x 16 blocks is grey, so there is nothing to correlate.
    assert found["likeness"] == 0


def test_likeness_is_a_correlation():
    mean = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    rough = np.repeat(np.repeat(mean, 4, axis=0), 4, axis=1)
    likeness = [
        profile.features(image, mean)["likeness"]
        for image in (rough, 0.5 * rough + 0.2, 1 - rough)
    ]
    assert likeness == pytest.approx([1, 1, -1], abs=1e-5)


def test_the_range_reaches_beyond_the_quantiles():
    """Half of 0.8 - 0.4 beyond 0.4 and 0.8; at least 0.1 for black."""
    quantiles = {name: [0.3, 0.4, 0.6, 0.8, 0.9] for name in profile.FEATURES}
    quantiles["black"] = [0, 0, 0, 0, 0.02]
    usual = dict.fromkeys(profile.FEATURES, 0.6) | {"black": 0.0}

    def beyond(**values):
        return profile.beyond({"quantiles": quantiles}, usual | values)

    assert beyond() == {}
    assert beyond(mean=0.21, std=0.99, black=0.09) == {}
    assert beyond(mean=0.19, std=1.01, black=0.11) == {"mean": -1, "std": 1, "black": 1}


@pytest.fixture(scope="module")
def inputs(alpha, beta, two_tasks):
    samples = all_samples([alpha, beta], two_tasks)
    return Inputs(
        tasks=two_tasks,
        datasets=(alpha, beta),
        split=Split(kind="file", fold=0, folds=None, seed=None, datasets={}),
        samples={"train": samples.take(np.arange(3, 60))},
        images=Images([alpha, beta], (32, 32), "memory"),
    )


def test_the_profile_of_training_images(inputs, stored_pixels):
    found = profile.describe_training_images(inputs)
    assert found == profile.describe_training_images(inputs)
    assert (found["images"], found["size"]) == (57, [32, 32])
    # These datasets have no field box_source.
    assert found["lungs_found"] is None
    ids = inputs.samples["train"].rows["image_id"]
    images = np.stack([stored_pixels(name)[..., 0] / 255 for name in ids])
    low, _, middle, _, high = found["quantiles"]["mean"]
    means = images.mean(axis=(1, 2))
    expected = np.quantile(means, [0.01, 0.5, 0.99])
    np.testing.assert_allclose([low, middle, high], expected, atol=1e-6)
    blocks = images.reshape(57, 16, 2, 16, 2).mean(axis=(0, 2, 4))
    np.testing.assert_allclose(found["mean_image"], blocks, atol=1e-4)


def test_lungs_are_counted_where_they_were_looked_for(inputs):
    import dataclasses

    sources = np.array(["lungs", "whole: no lungs"] * 20, object)
    alpha, beta = inputs.datasets
    alpha = dataclasses.replace(alpha, table=alpha.table | {"box_source": sources})
    whole = np.array(["whole"] * 23, object)
    beta = dataclasses.replace(beta, table=beta.table | {"box_source": whole})
    found = profile.describe_training_images(
        dataclasses.replace(inputs, datasets=(alpha, beta))
    )
    # Rows 3 to 39 of alpha: 18 with lungs, 19 without.
    assert found["lungs_found"] == pytest.approx(18 / 37)
