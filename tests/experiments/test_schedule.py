"""The order of fits, failures and what waits for them; no fit is really run here."""

import dataclasses
import json

import pytest

from mdmt_tf import config
from mdmt_tf.experiments import schedule
from mdmt_tf.experiments.executors.fit_process import Outcome
from mdmt_tf.experiments.grid import Cell, Folder, Grid
from mdmt_tf.experiments.protocol import Fit


@pytest.fixture
def made(monkeypatch):
    """a, b -> c (from a and b) -> d (from c); e alone. Settings are not written."""
    starts = {"a": {}, "b": {}, "c": {"a": 0.5, "b": 0.5}, "d": {"c": 1.0}, "e": {}}
    fits = {
        f"{name}-net-s0-{name * 12}": Fit(
            f"{name}-net-s0-{name * 12}",
            name * 64,
            ("cv", 0),
            {f"{other}-net-s0-{other * 12}": share for other, share in start.items()},
        )
        for name, start in starts.items()
    }
    monkeypatch.setattr(schedule, "write_fit", lambda *_: None)
    cells = tuple(Cell("cv", "net", 0, 0, name[0], name) for name in fits)
    return Grid(cells, fits)


@dataclasses.dataclass
class Fake:
    """Ends one fit at a time, the first begun first."""

    folder: Folder
    capacity: int = 2
    errors: dict = dataclasses.field(default_factory=dict)
    begun: list = dataclasses.field(default_factory=list)
    running: list = dataclasses.field(default_factory=list)
    most: int = 0
    closed: bool = False

    def describe(self):
        return "fake"

    def submit(self, fit):
        self.begun.append(fit[0])
        self.running.append(fit)
        self.most = max(self.most, len(self.running))

    def wait(self, seconds):
        fit = self.running.pop(0)
        error = self.errors.get(fit[0], "")
        if not error:
            finish(self.folder, fit)
        return [(fit, Outcome(error, 2 if error else 0, 10.0))]

    def close(self):
        self.closed = True


def finish(folder, fit):
    run = folder.run(fit)
    run.path.mkdir(parents=True)
    run.metrics.write_text("{}")


def carry_out(made, folder, lines=None, **options):
    executor = Fake(folder, **options.pop("executor", {}))
    write = (lines if lines is not None else []).append
    state = schedule.run(made, folder, "data", executor, write, **options)
    assert executor.closed
    return state, executor


def short(names):
    return sorted(name[0] for name in names)


def test_everything_is_run_once_each_after_its_starts(made, tmp_path):
    folder, lines = Folder(tmp_path), []
    state, executor = carry_out(made, folder, lines)
    assert short(state.finished) == list("abcde")
    assert sorted(executor.begun) == list("abcde")
    order = executor.begun
    assert order.index("c") > max(order.index("a"), order.index("b"))
    assert order.index("d") > order.index("c")
    assert executor.most == 2
    assert len(lines) == 5 and all(len(line) < 80 for line in lines)
    # 4 fits of 10 s left, 2 at a time.
    assert lines[0].endswith("in 10 s; 20 s left\n") and "left" not in lines[-1]


def test_the_line_shows_what_runs_and_how_long_all_will_take(made, tmp_path):
    folder, now = Folder(tmp_path), 100.0
    settings = config.load("phantom")
    names = sorted(made.fits)
    fits = {n: dataclasses.replace(made.fits[n], settings=settings) for n in names}
    grid = dataclasses.replace(made, fits=fits)
    progress = schedule.GridProgress(grid, 0, lambda text: None, folder, lambda: now)
    first, second, *waiting = names
    for name in (first, second):
        progress.began(name)
    epochs = settings.training.epochs
    shown = progress.line([second, first], waiting, 2)
    assert shown == f"[0/5] a-net 1/{epochs}, b-net 1/{epochs}"
    folder.run(second).path.mkdir(parents=True)
    folder.run(second).history.write_text("epoch,loss\n0,1.5\n")
    now = 140.0
    progress.ended(first, Outcome("", 0, 40.0), [second, *waiting], 2)
    # 3 fits of 40 s, and one that should end now; 2 at a time.
    shown = progress.line([second], waiting, 2)
    assert shown == f"[1/5] 60 s left: b-net 2/{epochs}"


def test_finished_fits_are_skipped(made, tmp_path):
    folder = Folder(tmp_path)
    for name in made.fits:
        if name[0] in "ab":
            finish(folder, name)
    _, executor = carry_out(made, folder)
    assert sorted(executor.begun) == list("cde")
    _, executor = carry_out(made, folder)
    assert executor.begun == []


def test_failed_fits_are_listed_and_what_waits_for_them(made, tmp_path):
    folder = Folder(tmp_path)
    options = {"executor": {"errors": {"b": "no such field\nsecond line"}}}
    state, executor = carry_out(made, folder, **options)
    assert short(state.finished) == ["a", "e"]
    assert sorted(executor.begun) == ["a", "b", "e"]
    (failed,) = state.failed
    assert failed[0] == "b" and state.failed[failed].startswith("no such field")
    assert {name[0]: cause[0] for name, cause in state.blocked.items()} == {
        "c": "b",
        "d": "b",
    }
    written = json.loads(folder.failure(failed).read_text())
    assert written["attempts"] == 1 and written["exit_status"] == 2
    listed = schedule.failures(state)
    assert short(listed) == ["b", "c", "d"]


def test_failed_fits_are_tried_again_on_request_only(made, tmp_path):
    folder = Folder(tmp_path)
    carry_out(made, folder, executor={"errors": {"b": "lost"}})
    state, executor = carry_out(made, folder)
    assert executor.begun == [] and short(state.failed) == ["b"]
    assert short(state.blocked) == ["c", "d"]
    state, executor = carry_out(
        made, folder, retry_failed=True, executor={"errors": {"b": "lost"}}
    )
    assert executor.begun == ["b"]
    (failed,) = state.failed
    assert folder.read_failure(failed)["attempts"] == 2
    state, executor = carry_out(made, folder, retry_failed=True)
    assert executor.begun == ["b", "c", "d"]
    assert not state.failed and not state.blocked
    assert folder.read_failure(failed) is None


def test_a_failure_is_forgotten_when_the_fit_has_succeeded(made, tmp_path):
    """So that a run whose folder is removed is trained again, without being asked."""
    folder = Folder(tmp_path)
    carry_out(made, folder, executor={"errors": {"e": "no"}})
    (failed,) = [name for name in made.fits if name[0] == "e"]
    assert folder.read_failure(failed)["attempts"] == 1
    carry_out(made, folder, retry_failed=True)
    assert folder.read_failure(failed) is None
    # Of an earlier version, which left it.
    folder.failure(failed).write_text('{"error": "no", "attempts": 1}')
    assert schedule.state_of(made, folder).finished == set(made.fits)
    assert folder.read_failure(failed) is None


def test_an_interrupted_benchmark_closes_its_executor(made, tmp_path):
    class Interrupted(Fake):
        def wait(self, seconds):
            raise KeyboardInterrupt

    executor = Interrupted(Folder(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        schedule.run(made, Folder(tmp_path), "data", executor, lambda text: None)
    assert executor.closed
