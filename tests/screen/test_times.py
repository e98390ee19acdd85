"""Times in words, and the time that is left of a training."""

import pytest

from mdmt_tf.screen import times


@pytest.mark.parametrize(
    "seconds, text",
    [
        (3.2, "3 s"),
        (99, "99 s"),
        (150, "2 min"),
        (5940, "99 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_durations(seconds, text):
    assert times.duration(seconds) == text


@pytest.mark.parametrize("seconds", [0, 9, 99.4, 99.6, 5940, 6000, 35_900, 3.6e5, 8e6])
def test_short_times_have_four_letters_at_most(seconds):
    text = times.short(seconds)
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]
    assert len(text) <= 4
    assert float(text[:-1]) * factor == pytest.approx(seconds, rel=0.05)


def test_the_time_left_is_of_the_whole_training():
    """10 epochs of 100 steps of 2 s, 30 s of validation; the first of each is slow."""
    now = 0.0
    left = times.TimeLeft(10, 100, clock=lambda: now)
    for epoch in range(10):
        left.epoch_begins(epoch)
        for step in range(1, 101):
            now += 60 if (epoch, step) == (0, 1) else 2
            found = left.step_ends(step)
            if epoch:
                rest = 2 * (100 * (10 - epoch) - step) + 30 * (10 - epoch)
                # After a validation that took 90 s, the next one is expected to.
                assert found == pytest.approx(rest + (epoch == 1) * 60 * (10 - epoch))
        now += 90 if epoch == 0 else 30
        found = left.epoch_ends(epoch)
    assert found == 0.0


def test_a_session_that_begins_within_an_epoch_counts_its_own_steps():
    now = 0.0
    left = times.TimeLeft(3, 50, clock=lambda: now)
    left.epoch_begins(2)
    for step in range(41, 46):
        now += 3
        found = left.step_ends(step)
    assert found == pytest.approx(3 * 5)
