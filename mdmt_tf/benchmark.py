"""`python -m mdmt_tf.benchmark`: a grid of fits, on one machine or a Ray cluster."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mdmt_tf import console, storage

DESCRIPTION = """\
Train backbones x validation x folds x experiments x seeds, one process a fit.

  python -m mdmt_tf.benchmark --config paper data_dir=DATA
  python -m mdmt_tf.benchmark --config paper data_dir=DATA backbones=[resnet18]
  python -m mdmt_tf.benchmark --config paper data_dir=DATA \\
      executor=ray address=HOST:6379

Started again, it goes on where it was: finished fits are skipped, interrupted
ones go on, and a changed setting makes new fits beside the old ones. The folder
is run_dir, or benchmarks/<experiment>. Keys of the section `benchmark` can be
given without its name. Then: python -m mdmt_tf.report FOLDER.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("benchmark", DESCRIPTION)
    console.add_config_arguments(arguments, default=None)
    arguments.add_argument(
        "--retry-failed", action="store_true", help="try failed fits again, too"
    )
    arguments.add_argument(
        "--plan",
        action="store_true",
        help="prepare data, splits, weights and baselines, and train nothing",
    )
    options = arguments.parse_intermixed_args(argv)

    from mdmt_tf import config as configuration
    from mdmt_tf.config import files
    from mdmt_tf.config.schema import BenchmarkSection
    from mdmt_tf.errors import ConfigError
    from mdmt_tf.experiments.grid import Folder

    own = BenchmarkSection.model_fields
    overrides = [
        f"benchmark.{text}" if text.partition("=")[0].split(".")[0] in own else text
        for text in options.overrides
    ]
    settings = configuration.load(options.config, overrides)
    if settings.benchmark is None:
        raise ConfigError(
            f"{options.config}: has no section `benchmark`, so there is no grid to run."
        )
    path = Path(settings.run_dir or f"benchmarks/{settings.experiment}")
    path.mkdir(parents=True, exist_ok=True)
    folder = Folder(path)
    if options.plan:
        _plan(settings, folder)
        return 0
    with _only_one(folder):
        files.write(
            settings.to_plain(), folder.settings, "Resolved settings of a benchmark."
        )
        # In a process of its own, or TensorFlow, where it is needed, would stay.
        status = subprocess.run(
            [
                *(sys.executable, "-m", "mdmt_tf.benchmark", "--plan"),
                *("--config", str(folder.settings), f"run_dir={path}"),
            ],
            check=False,
        ).returncode
        if status:
            return status
        return _carry_out(settings, folder, options.retry_failed)


def _plan(settings, folder) -> None:
    from mdmt_tf.experiments import plan, protocol

    starts = {b: protocol.start_of(settings, b) for b in settings.benchmark.backbones}
    if any(starts.values()) or settings.phantoms is not None:
        console.load_tensorflow()
        from mdmt_tf.data import embedded
        from mdmt_tf.models.weights import pretrained

        for backbone, weights in starts.items():
            # Once, before several fits would do so at a time.
            pretrained.locate_all(backbone, weights, _write)
        settings = embedded.provide(settings, _write, console.progress_bar)
    plan.make_plan(settings, folder)


def _carry_out(settings, folder, retry_failed: bool) -> int:
    from mdmt_tf.experiments import grid, plan, schedule

    data = folder.read_data()
    settings = settings.model_copy(update={"data_dir": data["data_dir"]})
    planned = grid.build_grid(
        settings, plan.read_splits(folder), plan.fingerprints_of(data)
    )
    grid.write_cells(planned, folder)
    state = schedule.state_of(planned, folder, retry_failed=retry_failed)
    _write(
        f"{len(planned.cells)} cells, {len(planned.fits)} fits in {folder.path}: "
        f"{len(state.finished)} finished, {len(state.waiting)} to do"
    )
    if state.failed:
        _write(f", {len(state.failed)} failed before (--retry-failed)")
    _write("\n")
    if state.waiting:
        executor = _executor(settings.benchmark, folder)
        _write(f"{executor.describe()}\n")
        state = schedule.run(
            planned,
            folder,
            data["data_dir"],
            executor,
            _write,
            retry_failed=retry_failed,
        )
    failures = schedule.failures(state)
    if failures:
        _write(f"\n{len(failures)} fits are not finished:\n")
        for name, error in failures.items():
            _write(f"  {name}: {error}\n")
        _write(
            f"What they printed is in {folder.path / 'logs'}. Try them again with "
            "--retry-failed.\n"
        )
    _write(f"tables and plots: python -m mdmt_tf.report {folder.path}\n")
    return 1 if failures else 0


def _executor(section, folder):
    if section.executor == "ray":
        from mdmt_tf.experiments.executors.cluster import RayExecutor

        return RayExecutor(folder, section)
    from mdmt_tf.experiments.executors.local import LocalExecutor

    return LocalExecutor(folder, section)


@contextlib.contextmanager
def _only_one(folder) -> Iterator[None]:
    """Refuse to run beside another benchmark in the same folder."""
    from mdmt_tf.errors import ConfigError

    try:
        lock = storage.lock(folder.path / ".lock")
    except BlockingIOError:
        raise ConfigError(
            f"{folder.path}: a benchmark is running there. Wait for it, or choose "
            "another run_dir."
        ) from None
    with lock:
        yield


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    console.run(main)
