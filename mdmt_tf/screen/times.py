"""Times in words, and the time that is left of a training."""

import time
from collections.abc import Callable

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Format seconds as "41 s", "8 min" or "3 h 20 min".

    Example:
        >>> duration(99.4), duration(480), duration(12_000)
        ('99 s', '8 min', '3 h 20 min')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def short(seconds: float) -> str:
    """Format seconds in four letters at most: "41s", "1.7m", "38m", "12h", "5.0d".

    Example:
        >>> short(99.4), short(480), short(12_000), short(12 * 3600), short(5 * 86400)
        ('99s', '8.0m', '3.3h', '12h', '5.0d')
    """
    if seconds < 99.5:
        return f"{seconds:.0f}s"
    letter, count = "d", seconds / _DAY
    if seconds < 99.5 * _MINUTE:
        letter, count = "m", seconds / _MINUTE
    elif seconds < 99.5 * _HOUR:
        letter, count = "h", seconds / _HOUR
    return f"{count:.1f}{letter}" if count < 9.95 else f"{count:.0f}{letter}"


class TimeLeft:
    """Expected time of the rest of a training, from the steps and epochs until now.

    The first step of a session is left out: it builds the graph. What an epoch takes
    besides its steps (validation, state, files) is that of the newest one. The first
    one builds a graph, too, and counts as at most as long as the steps of its epoch.

    Args:
        epochs: number of epochs of the whole training.
        steps: steps of each.
        clock: seconds since any time.

    Example:
        >>> seconds = iter([0.0, 9.0, 10.0, 11.0, 15.0])
        >>> left = TimeLeft(2, 3, clock=seconds.__next__)
        >>> left.epoch_begins(0)
        >>> [left.step_ends(n) for n in (1, 2, 3)]  # 1 s a step, not the first
        [None, 4.0, 3.0]
        >>> left.epoch_ends(0)  # 3 steps, and 2 of the 4 s of the first validation
        5.0
    """

    def __init__(
        self, epochs: int, steps: int, clock: Callable[[], float] = time.perf_counter
    ):
        self._epochs, self._steps, self._clock = epochs, steps, clock
        self._timed, self._in_steps, self._besides = 0, 0.0, 0.0
        self._is_first_step = self._is_first_epoch = True

    def epoch_begins(self, epoch: int) -> None:
        """Note the begin of an epoch, counted from 0."""
        self._epoch, self._before = epoch, self._clock()

    def step_ends(self, step: int) -> float | None:
        """Seconds left after a step of the epoch, counted from 1; None: unknown yet."""
        now = self._clock()
        if self._is_first_step:
            self._is_first_step = False
        else:
            self._timed += 1
            self._in_steps += now - self._before
        self._before = now
        epochs = self._epochs - self._epoch
        return self._left((epochs - 1) * self._steps + self._steps - step, epochs)

    def epoch_ends(self, epoch: int) -> float | None:
        """Seconds left after an epoch and all that belongs to it; None: unknown."""
        self._besides = self._clock() - self._before
        if self._is_first_epoch and self._timed:
            self._besides = min(self._besides, self._in_steps)
        self._is_first_epoch = False
        epochs = self._epochs - epoch - 1
        return self._left(epochs * self._steps, epochs)

    def _left(self, steps: int, epochs: int) -> float | None:
        if not steps and not epochs:
            return 0.0
        if not self._timed:
            return None
        return steps * self._in_steps / self._timed + epochs * self._besides
