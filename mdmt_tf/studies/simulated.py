"""Compute the cells on simulated features: on this machine or a Ray cluster."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool

import pandas as pd

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.metrics.text import plural
from mdmt_tf.screen.times import duration
from mdmt_tf.studies.arms import compute
from mdmt_tf.studies.design import (
    COLUMNS,
    StudyFolder,
    Work,
    together,
    work_of,
)

# Small matrices are multiplied fastest by one thread; read when numpy is loaded.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def compute_all(config: Config, folder: StudyFolder, write: Callable[[str], None]):
    """Compute what is not there yet, one file per cell; finished files are kept.

    Args:
        config: with a section `study`.
        folder: an existing folder.
        write: receives a line per file.
    """
    every = work_of(config)
    todo = [work for work in every if not folder.cell(work).is_file()]
    write(f"{plural(len(every), 'file')} of cells, {len(every) - len(todo)} finished\n")
    folder.cell(every[0]).parent.mkdir(parents=True, exist_ok=True)
    began, size = time.monotonic(), sum(map(_effort, todo))
    done = 0.0
    for number, (work, frame) in enumerate(_results(config.benchmark, todo), start=1):
        storage.write_text(folder.cell(work), frame.to_csv(index=False))
        done += _effort(work)
        left = (time.monotonic() - began) * (size / done - 1)
        ends = f"; {duration(left)} left" if number < len(todo) else ""
        write(f"[{number:>{len(str(len(todo)))}}/{len(todo)}] {work.cell.name}{ends}\n")


def read_all(config: Config, folder: StudyFolder) -> pd.DataFrame:
    """The results of all finished cells of the settings: `COLUMNS`."""
    found = []
    for work in work_of(config):
        path = folder.cell(work)
        if path.is_file():
            try:
                found.append(pd.read_csv(path)[COLUMNS])
            except (ValueError, KeyError) as error:
                raise DataError(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; {error}. "
                    "Remove the file; the next start computes it again."
                ) from error
    return together(found)


def _effort(work: Work) -> float:
    """About proportional to the time of a computation."""
    cell = work.cell
    return len(work.datasets) * (500 + 3 * cell.outcomes + 5 * cell.scores)


def _results(
    settings: BenchmarkSection | None, todo: list[Work]
) -> Iterator[tuple[Work, pd.DataFrame]]:
    """Each work with its result, as they end."""
    if settings is not None and settings.executor == "ray":
        return _on_cluster(settings, todo)
    return _on_this_machine(settings.processes if settings else None, todo)


def _on_this_machine(processes: int | None, todo: list[Work]):
    cores = len(os.sched_getaffinity(0))
    if (processes or 1) > cores:
        raise ConfigError(
            f"benchmark.processes = {processes}: this machine has {cores} cores."
        )
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    with (
        _environment(_ONE_THREAD),
        concurrent.futures.ProcessPoolExecutor(
            min(processes or cores, len(todo)), mp_context=context
        ) as pool,
    ):
        running = {pool.submit(compute, work): work for work in todo}
        try:
            for future in concurrent.futures.as_completed(running):
                yield running[future], future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process of the study ended early; the memory may be used up. "
                "Finished cells are kept: start again with fewer benchmark.processes."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _environment(values: dict[str, str]):
    """The environment of new processes, as long as the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _on_cluster(settings: BenchmarkSection, todo: list[Work]):
    from mdmt_tf.experiments.executors.cluster import connect

    ray = connect(settings)
    # Ray gives a task as many threads as cores.
    task = ray.remote(compute).options(num_cpus=1)
    running = {task.remote(work): work for work in todo}
    try:
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(done), ray.get(done)
    finally:
        for task in running:
            ray.cancel(task, force=True)
        ray.shutdown()
