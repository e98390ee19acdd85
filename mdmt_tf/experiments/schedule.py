"""Run the fits of a grid. No TensorFlow.

A fit runs after the fits that it starts from. Finished fits are skipped, and failed
fits are repeated on request.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from mdmt_tf.errors import Interrupted
from mdmt_tf.experiments.executors.fit_process import Outcome
from mdmt_tf.experiments.grid import Folder, Grid, write_failure, write_fit
from mdmt_tf.screen.times import duration
from mdmt_tf.storage import now

_WAIT_SECONDS = 5.0


class Executor(Protocol):
    """What `run` requires of an executor of fits."""

    @property
    def capacity(self) -> int: ...
    def describe(self) -> str: ...
    def submit(self, fit: str) -> None: ...
    def wait(self, seconds: float) -> list[tuple[str, Outcome]]: ...
    def close(self) -> None: ...


@dataclasses.dataclass
class State:
    """The state of each fit of a grid.

    Attributes:
        finished: names.
        failed: name -> what went wrong.
        blocked: name -> the failed fit that it waits for.
        waiting: names of all others, in the order of the grid.
    """

    finished: set[str]
    failed: dict[str, str]
    blocked: dict[str, str]
    waiting: list[str]


def state_of(grid: Grid, folder: Folder, *, retry_failed: bool = False) -> State:
    """Read the state from the files; a fit is finished when its run is finished.

    The failure of a fit that has finished since is forgotten.

    Args:
        retry_failed: whether failed fits count as waiting.
    """
    state = State(set(), {}, {}, [])
    for name in grid.fits:
        if folder.run(name).is_finished:
            _succeed(name, folder, state)
            continue
        failure = None if retry_failed else folder.read_failure(name)
        if failure is not None:
            state.failed[name] = failure["error"]
        else:
            state.waiting.append(name)
    _block(grid, state)
    return state


def _succeed(name: str, folder: Folder, state: State) -> None:
    state.finished.add(name)
    # If its folder is removed, it is trained again without --retry-failed.
    folder.failure(name).unlink(missing_ok=True)


def _block(grid: Grid, state: State) -> None:
    """Move fits that cannot start from `waiting` to `blocked`, in order of starts."""
    for name in list(state.waiting):
        for other in grid.fits[name].starts:
            cause = other if other in state.failed else state.blocked.get(other)
            if cause is not None:
                state.blocked[name] = cause
                state.waiting.remove(name)
                break


def run(
    grid: Grid,
    folder: Folder,
    data_dir: str,
    executor: Executor,
    write: Callable[[str], object],
    *,
    retry_failed: bool = False,
    show: Callable[[str], object] = lambda text: None,
) -> State:
    """Run the fits that are not finished; returns the state afterwards.

    Args:
        grid: of `build_grid`.
        folder: of the benchmark.
        data_dir: where the prepared data are.
        executor: runs the fits; closed at the end.
        write: receives one line per fit.
        retry_failed: whether to repeat fits that failed before.
        show: receives the line of progress, again and again.
    Raises: Interrupted after Ctrl-C, when the fits have ended.
    """
    state = state_of(grid, folder, retry_failed=retry_failed)
    progress = GridProgress(grid, len(state.finished), write, folder)
    running: set[str] = set()
    try:
        while state.waiting or running:
            for name in _ready(grid, state)[: max(0, executor.capacity - len(running))]:
                write_fit(grid.fits[name], folder, data_dir)
                executor.submit(name)
                state.waiting.remove(name)
                running.add(name)
                progress.began(name)
            show(progress.line(running, state.waiting, executor.capacity))
            for name, outcome in executor.wait(_WAIT_SECONDS):
                running.remove(name)
                if outcome.error:
                    _record(folder, name, outcome)
                    state.failed[name] = outcome.error
                    _block(grid, state)
                else:
                    _succeed(name, folder, state)
                left = [*state.waiting, *running]
                progress.ended(name, outcome, left, executor.capacity)
    except KeyboardInterrupt:
        write(
            f"\ninterrupted: {len(running)} fits finish their step and write their "
            "state (again: leave at once)\n"
        )
        raise Interrupted(
            "interrupted. To go on, give the same command again."
        ) from None
    finally:
        executor.close()
    return state


def _ready(grid: Grid, state: State) -> list[str]:
    return [
        name
        for name in state.waiting
        if all(other in state.finished for other in grid.fits[name].starts)
    ]


def _record(folder: Folder, name: str, outcome: Outcome) -> None:
    before = folder.read_failure(name)
    write_failure(
        folder,
        name,
        {
            "error": outcome.error,
            "attempts": 1 + (before["attempts"] if before else 0),
            "exit_status": outcome.exit_status,
            "when": now(),
            "log": str(folder.log(name)),
        },
    )


class GridProgress:
    """Write a line for each fit that ends, with the remaining time.

    The expected time of a fit is the mean time of the fits of its experiment and
    backbone that have ended in this session, or of all fits if there are none.

    Args:
        grid: all fits.
        finished: number of fits that are finished.
        write: receives the lines.
        folder: of the benchmark, with the histories of the fits.
        clock: seconds since any time.
    """

    def __init__(
        self,
        grid: Grid,
        finished: int,
        write: Callable[[str], object],
        folder: Folder,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._grid, self._done, self._write = grid, finished, write
        self._folder, self._clock = folder, clock
        self._seconds: dict[str, list[float]] = {}
        self._began: dict[str, float] = {}

    def began(self, name: str) -> None:
        """Note the begin of a fit."""
        self._began[name] = self._clock()

    def line(
        self, running: Iterable[str], waiting: Sequence[str], capacity: int
    ) -> str:
        """The fits that run with their epochs, and the time left if it is known."""
        running = sorted(running)
        fits = ", ".join(f"{_sort_of(name)} {self._epoch(name)}" for name in running)
        left = ""
        if self._seconds:
            rest = self.seconds_left([*waiting, *running], capacity)
            left = f"{duration(rest)} left: "
        return f"{self._count()} {left}{fits}"

    def _epoch(self, name: str) -> str:
        """The epoch that a fit is in."""
        fit = self._grid.fits[name]
        if fit.settings is None:
            return "runs"
        try:
            with self._folder.run(name).history.open("rb") as file:
                done = sum(1 for _ in file) - 1
        except OSError:
            done = 0
        epochs = fit.settings.training.epochs
        return f"{min(max(done, 0) + 1, epochs)}/{epochs}"

    def _count(self) -> str:
        total = len(self._grid.fits)
        return f"[{self._done:>{len(str(total))}}/{total}]"

    def ended(self, name: str, outcome: Outcome, left: list[str], capacity: int):
        """Write the line of a fit that has ended.

        Args:
            left: fits that run or wait.
            capacity: number of fits at a time.
        """
        self._done += 1
        self._began.pop(name, None)
        count = self._count()
        if outcome.error:
            first = outcome.error.splitlines()[0]
            self._write(f"{count} {name} FAILED: {first[:200]}\n")
            return
        self._seconds.setdefault(_sort_of(name), []).append(outcome.seconds)
        rest = self.seconds_left(left, capacity)
        ends = f"; {duration(rest)} left" if left else ""
        self._write(f"{count} {name} in {duration(outcome.seconds)}{ends}\n")

    def seconds_left(self, left: list[str], capacity: int) -> float:
        """Estimate for the fits in `left`, `capacity` at a time.

        Those that run have a part of their time behind them.
        """
        every = [seconds for known in self._seconds.values() for seconds in known]
        mean = sum(every) / len(every)
        total = 0.0
        for name in left:
            known = self._seconds.get(_sort_of(name))
            expected = sum(known) / len(known) if known else mean
            passed = self._clock() - self._began[name] if name in self._began else 0.0
            total += max(expected - passed, 0.0)
        return total / min(capacity, max(1, len(left)))


def _sort_of(name: str) -> str:
    """Experiment and backbone of a fit's name."""
    return name.rsplit("-", 2)[0]


def failures(state: State) -> Mapping[str, str]:
    """{name: reason} of the fits that failed and of those that wait for them."""
    return {
        **state.failed,
        **{name: f"waits for {cause}" for name, cause in state.blocked.items()},
    }
