"""The order of samples."""

import numpy as np
import pytest

from mdmt_tf.data.sampling import (
    draws_per_dataset,
    epoch_batches,
    fill_epoch,
    plan_draws,
    steps_per_epoch,
)

DATASET = np.array([0] * 70 + [1] * 23 + [2] * 7)


def drawn(epoch, seed=3, **settings):
    draws = plan_draws(DATASET, **settings)
    batches = epoch_batches(draws, batch_size=8, seed=seed, epoch=epoch)
    return batches.index[batches.counted == 1]


@pytest.mark.parametrize("batch_size", [1, 8, 25, 100, 128])
def test_union_has_every_sample_once_in_full_batches(batch_size):
    batches = epoch_batches(plan_draws(DATASET), batch_size=batch_size, seed=3, epoch=5)
    steps = -(-100 // batch_size)
    assert steps_per_epoch(100, batch_size) == steps
    for array in (batches.index, batches.repeat, batches.counted):
        assert array.shape == (steps, batch_size)
    assert sorted(batches.index[batches.counted == 1]) == list(range(100))
    np.testing.assert_array_equal(np.bincount(batches.index[batches.counted == 1]), 1)
    assert (batches.repeat == 5).all()


def test_last_batch_is_filled_from_the_start_with_weight_0():
    batches = epoch_batches(plan_draws(DATASET), batch_size=32, seed=0, epoch=0)
    flat, counted = batches.index.ravel(), batches.counted.ravel()
    np.testing.assert_array_equal(counted, [1] * 100 + [0] * 28)
    np.testing.assert_array_equal(flat[100:], flat[:28])


def test_batch_larger_than_all_samples():
    batches = epoch_batches(plan_draws(np.zeros(3, int)), batch_size=8, seed=0, epoch=0)
    flat = batches.index.ravel()
    assert sorted(flat[:3]) == [0, 1, 2]
    np.testing.assert_array_equal(flat, np.tile(flat[:3], 3)[:8])
    assert batches.counted.sum() == 3


def test_order_is_a_function_of_seed_and_epoch():
    np.testing.assert_array_equal(drawn(4), drawn(4))
    assert (drawn(4) != drawn(5)).any()
    assert (drawn(4) != drawn(4, seed=4)).any()


def test_datasets_are_mixed():
    batches = epoch_batches(plan_draws(DATASET), batch_size=25, seed=0, epoch=0)
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
        draws = plan_draws(dataset, sampling="balanced")
        batches = epoch_batches(draws, batch_size=80, seed=0, epoch=epoch)
        taken.append({index for index in batches.index.ravel() if index < 60})
    assert len(taken[0]) == len(taken[1]) == 40
    assert taken[0] != taken[1]


def test_two_draws_of_a_sample_differ_in_repeat():
    plan = plan_draws(DATASET, sampling="balanced")
    batches = epoch_batches(plan, batch_size=10, seed=0, epoch=3)
    draws = list(zip(batches.index.ravel(), batches.repeat.ravel(), strict=True))
    assert len(set(draws)) == 100
    assert len({index for index, _ in draws}) < 100


def test_unknown_sampling():
    with pytest.raises(ValueError, match="Received: sampling='fair'"):
        draws_per_dataset(np.array([1]), "fair")


# Dataset 0: 50 rows of class 0, 15 of class 1, 5 unknown; others are not oversampled.
CLASSES = np.array([0] * 50 + [1] * 15 + [-1] * 35)


def test_oversampling_draws_the_classes_equally_often():
    draws = plan_draws(DATASET, CLASSES)
    # 50 of each class, the 5 unknown once, 23 and 7 of the other datasets.
    assert draws.total == 50 + 50 + 5 + 23 + 7
    order = drawn(2, classes=CLASSES)
    counts = np.bincount(order, minlength=100)
    assert (counts[:50] == 1).all() and (counts[65:] == 1).all()
    # 50 draws of 15 rows: each three or four times.
    assert counts[50:65].sum() == 50
    assert set(counts[50:65]) == {3, 4}


def test_oversampled_rows_are_told_apart_and_take_turns():
    draws = plan_draws(DATASET, CLASSES)
    seen = []
    for epoch in range(3):
        batches = epoch_batches(draws, batch_size=9, seed=1, epoch=epoch)
        chosen = batches.counted == 1
        pairs = zip(batches.index[chosen], batches.repeat[chosen], strict=True)
        seen += [(index, repeat) for index, repeat in pairs if 50 <= index < 65]
    # All draws of the three epochs differ, so each is augmented separately.
    assert len(seen) == len(set(seen)) == 150
    assert set(np.bincount([index for index, _ in seen])[50:]) == {10}


def test_no_oversampling_is_the_union():
    plain, none = plan_draws(DATASET), plan_draws(DATASET, np.full(100, -1))
    np.testing.assert_array_equal(plain.stream, none.stream)
    np.testing.assert_array_equal(plain.counts, [70, 23, 7])
    np.testing.assert_array_equal(none.counts, [70, 23, 7])


def test_oversampling_within_balanced_datasets():
    draws = plan_draws(DATASET, CLASSES, sampling="balanced")
    # 135 draws, 45 of each dataset; in the first 50 : 50 : 5 of 105, so 21.4, 21.4 and
    # 2.1, the rest to the largest remainders.
    assert draws.counts.tolist() == [2, 22, 21, 45, 45]
    members = [draws.stream[i] for i in (99, 0, 50, 69)]
    assert members == [4, 1, 2, 0]


def test_an_epoch_is_filled_by_drawing_again():
    """10 and 5 samples in 8 steps of 6: 48 draws, in proportion 32 and 16."""
    draws = plan_draws(np.repeat([0, 1], [10, 5]))
    filled = fill_epoch(draws, 8, 6)
    assert filled.counts.tolist() == [32, 16]
    epochs = [epoch_batches(filled, batch_size=6, seed=1, epoch=e) for e in range(5)]
    for epoch in epochs:
        assert epoch.index.shape == (8, 6) and epoch.counted.all()
    # 160 and 80 draws in all: every sample 16 times.
    index = np.concatenate([epoch.index.ravel() for epoch in epochs])
    assert np.bincount(index).tolist() == [16] * 15
    repeat = np.concatenate([epoch.repeat.ravel() for epoch in epochs])
    assert len(set(zip(index, repeat, strict=True))) == 240


def test_an_epoch_may_be_shorter_than_a_pass():
    draws = plan_draws(np.zeros(12, int))
    filled = fill_epoch(draws, 1, 4)
    epochs = [epoch_batches(filled, batch_size=4, seed=1, epoch=e) for e in range(3)]
    assert sorted(np.concatenate([e.index.ravel() for e in epochs])) == list(range(12))


def test_an_epoch_with_as_many_steps_stays_as_it_is():
    draws = plan_draws(np.zeros(10, int))
    assert fill_epoch(draws, 3, 4) is draws
    with pytest.raises(ValueError, match="steps=1"):
        fill_epoch(plan_draws(np.repeat([0, 1], [1000, 2])), 1, 4)
    # One row beside many is drawn.
    few = fill_epoch(plan_draws(np.repeat([0, 1], [1000, 1])), 1, 4)
    assert few.counts.tolist() == [3, 1]


def test_a_row_beside_many_is_drawn():
    # 20 rows; 30 and 10 rows of two classes, and one without a class.
    dataset = np.repeat([0, 1], [20, 41])
    classes = np.repeat([-1, 0, 1, -1], [20, 30, 10, 1])
    draws = plan_draws(dataset, classes, "balanced")
    # As many as without it, and as many of one dataset as of the other.
    without = plan_draws(dataset[:60], classes[:60], "balanced")
    assert draws.counts.min() == draws.counts[draws.stream[60]] == 1
    assert draws.total - 1 == without.total == 80
    assert abs(draws.counts[draws.stream[0]] - without.counts[0]) <= 1
