"""The order of samples."""

import numpy as np
import pytest

from mdmt_tf.data.sampling import draws_per_dataset, epoch_batches, steps_per_epoch

DATASET = np.array([0] * 70 + [1] * 23 + [2] * 7)


def drawn(epoch, **settings):
    settings = {"batch_size": 8, "seed": 3, **settings}
    batches = epoch_batches(DATASET, epoch=epoch, **settings)
    return batches.index[batches.counted == 1]


@pytest.mark.parametrize("batch_size", [1, 8, 25, 100, 128])
def test_union_has_every_sample_once_in_full_batches(batch_size):
    batches = epoch_batches(DATASET, batch_size=batch_size, seed=3, epoch=5)
    steps = -(-100 // batch_size)
    assert steps_per_epoch(100, batch_size) == steps
    for part in (batches.index, batches.repeat, batches.counted):
        assert part.shape == (steps, batch_size)
    assert sorted(batches.index[batches.counted == 1]) == list(range(100))
    np.testing.assert_array_equal(np.bincount(batches.index[batches.counted == 1]), 1)
    assert (batches.repeat == 5).all()


def test_last_batch_is_filled_from_the_start_with_weight_0():
    batches = epoch_batches(DATASET, batch_size=32, seed=0, epoch=0)
    flat, counted = batches.index.ravel(), batches.counted.ravel()
    np.testing.assert_array_equal(counted, [1] * 100 + [0] * 28)
    np.testing.assert_array_equal(flat[100:], flat[:28])


def test_batch_larger_than_all_samples():
    batches = epoch_batches(np.zeros(3, int), batch_size=8, seed=0, epoch=0)
    flat = batches.index.ravel()
    assert sorted(flat[:3]) == [0, 1, 2]
    np.testing.assert_array_equal(flat, np.tile(flat[:3], 3)[:8])
    assert batches.counted.sum() == 3


def test_order_is_a_function_of_seed_and_epoch():
    np.testing.assert_array_equal(drawn(4), drawn(4))
    assert (drawn(4) != drawn(5)).any()
    assert (drawn(4) != drawn(4, seed=4)).any()


def test_datasets_are_mixed():
    batches = epoch_batches(DATASET, batch_size=25, seed=0, epoch=0)
    # Of 70 % of the samples 17.5 are expected in a batch.
    counts = (DATASET[batches.index] == 0).sum(axis=1)
    assert (counts >= 10).all() and (counts <= 24).all()


@pytest.mark.parametrize(
    "sampling, temperature, expected",
    [
        ("union", 1.0, [70, 23, 7]),
        ("temperature", 1.0, [70, 23, 7]),
        # 100/3 each; the remainder goes to the first.
        ("balanced", 1.0, [34, 33, 33]),
        # Square roots 8.3666, 4.7958, 2.6458 of 15.8082: 52.93, 30.34, 16.74.
        ("temperature", 2.0, [53, 30, 17]),
        ("temperature", 1e9, [34, 33, 33]),
    ],
)
def test_draws_per_dataset(sampling, temperature, expected):
    counts = np.array([70, 23, 7])
    assert draws_per_dataset(counts, sampling, temperature).tolist() == expected
    found = np.bincount(DATASET[drawn(0, sampling=sampling, temperature=temperature)])
    assert found.tolist() == expected


def test_union_is_exact_for_awkward_counts():
    generator = np.random.default_rng(0)
    for _ in range(200):
        counts = generator.integers(1, 5000, generator.integers(1, 6))
        np.testing.assert_array_equal(draws_per_dataset(counts), counts)
        assert draws_per_dataset(counts, "balanced").sum() == counts.sum()


def test_no_sample_again_before_all_others():
    order = np.concatenate([drawn(epoch, sampling="balanced") for epoch in range(9)])
    for dataset in range(3):
        members = np.flatnonzero(dataset == DATASET)
        counts = np.bincount(order, minlength=100)[members]
        # 9 epochs of 33 or 34 draws.
        assert counts.sum() == 9 * (34 if dataset == 0 else 33)
        assert counts.max() - counts.min() <= 1


def test_each_pass_has_an_order_of_its_own():
    # 40 draws of 60: epochs 0 and 3 both begin a pass, and take its first 40.
    dataset = np.array([0] * 60 + [1] * 20)
    taken = []
    for epoch in (0, 3):
        batches = epoch_batches(
            dataset, batch_size=80, seed=0, epoch=epoch, sampling="balanced"
        )
        taken.append({index for index in batches.index.ravel() if index < 60})
    assert len(taken[0]) == len(taken[1]) == 40
    assert taken[0] != taken[1]


def test_two_draws_of_a_sample_differ_in_repeat():
    batches = epoch_batches(
        DATASET, batch_size=10, seed=0, epoch=3, sampling="balanced"
    )
    draws = list(zip(batches.index.ravel(), batches.repeat.ravel(), strict=True))
    assert len(set(draws)) == 100
    assert len({index for index, _ in draws}) < 100


def test_unknown_sampling():
    with pytest.raises(ValueError, match="Received: sampling='fair'"):
        draws_per_dataset(np.array([1]), "fair")
