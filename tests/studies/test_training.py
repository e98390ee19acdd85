"""Batches, the steps that select, and training of many networks at once."""

import dataclasses

import numpy as np

from mdmt_tf.studies import networks, training
from mdmt_tf.studies.training import Rows, Schedule, batches, train


def test_each_pass_has_every_row_once_and_every_batch_the_same_size():
    made = batches(np.random.default_rng(0), rows=10, batch_size=4, steps=10)
    assert made.shape == (10, 4)
    for number in range(4):
        assert sorted(made.ravel()[10 * number : 10 * (number + 1)]) == list(range(10))
    assert batches(np.random.default_rng(0), 3, 8, 5).shape == (5, 3)


def test_the_steps_that_select_are_dense_at_first_and_end_with_the_last():
    for steps in (1, 2, 60, 2500):
        looks = training.validation_steps(steps)
        assert looks == sorted(set(looks)) and looks[-1] == steps
        assert all(
            b <= max(a + 2, 1.2 * a) for a, b in zip(looks, looks[1:], strict=False)
        )


def rngs(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def rows_of(rng, networks_, n, flip=0.0):
    """The sign of the first feature is the outcome."""
    features = rng.normal(size=(networks_, n, 6)).astype(np.float32)
    outcome = (features[..., :1] > 0).astype(np.float32)
    wrong = rng.random(outcome.shape) < flip
    scores = np.full((networks_, n, 4), np.nan, np.float32)
    return Rows(features, np.where(wrong, 1 - outcome, outcome), scores)


START = networks.initial(rngs(0, 0), 6, (8, 4), 4)
SCHEDULE = Schedule(
    steps=60, warmup=0, batch_size=16, learning_rate=0.01, weight_decay=1e-4
)


def test_what_can_be_learnt_is_learnt_and_the_start_is_kept():
    rng = np.random.default_rng(1)
    rows, held = rows_of(rng, 2, 200), rows_of(rng, 2, 50)
    before = {name: values.copy() for name, values in START.items()}
    made = train(START, rows, held, SCHEDULE, rngs(1, 2))
    logit = networks.forward(made, held.features)[2]
    assert ((logit > 0) == (held.outcome > 0.5)).mean() > 0.8
    for name, values in before.items():
        np.testing.assert_array_equal(values, START[name])


def test_a_network_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(2)
    rows, held = rows_of(rng, 2, 40), rows_of(rng, 2, 20)
    both = train(START, rows, held, SCHEDULE, rngs(1, 2))
    second = [Rows(*(v[1:] for v in vars(part).values())) for part in (rows, held)]
    alone = train(
        {name: values[1:] for name, values in START.items()},
        *second,
        SCHEDULE,
        rngs(2),
    )
    for name, values in alone.items():
        np.testing.assert_allclose(both[name][1:], values, atol=1e-4)


def test_the_step_with_the_lowest_validation_loss_is_kept():
    """With false training outcomes the first steps are the best."""
    rng = np.random.default_rng(3)
    rows, held = rows_of(rng, 2, 40, flip=1.0), rows_of(rng, 2, 200)
    made = train(START, rows, held, SCHEDULE, rngs(1, 2))
    one_step = Schedule(1, 0, 16, 0.01, 1e-4)
    first = train(START, rows, held, one_step, rngs(1, 2))
    loss = [
        networks.outcome_loss(p, held.features, held.outcome) for p in (made, first)
    ]
    assert (loss[0] <= loss[1] + 1e-6).all()


def test_nothing_is_selected_in_the_warm_up():
    rng = np.random.default_rng(3)
    rows, held = rows_of(rng, 2, 40, flip=1.0), rows_of(rng, 2, 200)
    late = dataclasses.replace(SCHEDULE, warmup=59)
    last = train(START, rows, held, late, rngs(1, 2))
    best = train(START, rows, held, SCHEDULE, rngs(1, 2))
    loss = [networks.outcome_loss(p, held.features, held.outcome) for p in (best, last)]
    assert (loss[0] < loss[1] - 0.1).all()
