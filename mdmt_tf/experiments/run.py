"""Run a benchmark in its folder, from the plan to the last fit."""

import contextlib
import os
from collections.abc import Callable

from mdmt_tf import storage
from mdmt_tf.config import Config, files
from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.experiments import grid, matching, plan, schedule
from mdmt_tf.experiments.executors import forked
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.schedule import Executor, State
from mdmt_tf.metrics.text import plural


def run_benchmark(
    settings: Config,
    folder: Folder,
    write: Callable[[str], None],
    *,
    retry_failed: bool = False,
    show: Callable[[str], object] = lambda text: None,
) -> int:
    """Plan the grid, run the unfinished fits, and list those that remain unfinished.

    Writes the settings to `benchmark.yaml` in the folder, when they are planned: until
    then, what is there belongs to the settings before.

    Args:
        settings: with a section `benchmark`.
        folder: an existing folder.
        write: receives texts for the user.
        retry_failed: whether failed fits are tried again.
        show: receives the line of progress, see `schedule.run`.
    Returns: the exit status: 0 when all fits are finished, 1 when some are not, or the
        status of a plan that failed.
    Raises: ConfigError when a benchmark is already running in the folder.
    """
    with locked(folder):
        head = "Resolved settings of a benchmark."
        files.write(settings.to_plain(), folder.pending, head)
        # The plan has its own process: what TensorFlow computes would stay in memory.
        arguments = ["--config", str(folder.pending), "--plan-in", str(folder.path)]
        if status := forked.run("mdmt_tf.benchmark", arguments):
            folder.pending.unlink()
            return status
        state = _run_fits(settings, folder, write, retry_failed, show)
    return _report_failures(schedule.failures(state), folder, write)


def locked(folder: Folder) -> contextlib.AbstractContextManager:
    """Keep other benchmarks and plans out of a folder; ConfigError if there is one."""
    busy = (
        f"{folder.path}: a benchmark is running there. Wait for it, or choose another "
        "run_dir."
    )
    return storage.locked(folder.path / ".lock", busy)


def _run_fits(
    settings: Config, folder: Folder, write, retry_failed: bool, show
) -> State:
    data = folder.read_data()
    settings = settings.model_copy(update={"data_dir": data["data_dir"]})
    settings = settings.in_folders(data.get("data_dirs", {}))
    fingerprints = plan.fingerprints_of(data)
    steps = matching.from_plain(data["matched_steps"])
    splits = plan.read_splits(folder)
    planned = grid.build_grid(settings, splits, fingerprints, steps)
    grid.write_cells(planned, folder)
    os.replace(folder.pending, folder.settings)
    state = schedule.state_of(planned, folder, retry_failed=retry_failed)
    write(
        f"{plural(len(planned.cells), 'cell')}, {plural(len(planned.fits), 'fit')} in "
        f"{folder.path}: "
        f"{len(state.finished)} finished, {len(state.waiting)} to do"
    )
    if state.failed:
        write(f", {len(state.failed)} failed before (--retry-failed)")
    write("\n")
    if state.waiting:
        executor = _build_executor(settings.benchmark, folder)
        write(f"{executor.describe()}\n")
        state = schedule.run(
            planned,
            folder,
            data["data_dir"],
            executor,
            write,
            retry_failed=retry_failed,
            show=show,
        )
    # Imported late: it takes time, and fits do not wait for it.
    from mdmt_tf.experiments.hparams import write_hparams

    write_hparams(planned, folder, settings)
    return state


def _report_failures(failures, folder: Folder, write) -> int:
    if failures:
        verb = "is" if len(failures) == 1 else "are"
        write(f"\n{plural(len(failures), 'fit')} {verb} not finished:\n")
        for name, error in failures.items():
            write(f"  {name}: {error}\n")
        write(
            f"What they printed is in {folder.path / 'logs'}. Try them again with "
            "--retry-failed.\n"
        )
    return 1 if failures else 0


def _build_executor(section: BenchmarkSection, folder: Folder) -> Executor:
    if section.executor == "ray":
        from mdmt_tf.experiments.executors.cluster import RayExecutor

        return RayExecutor(folder, section)
    from mdmt_tf.experiments.executors.local import LocalExecutor

    return LocalExecutor(folder, section)
