"""`python -m mdmt_tf.benchmark`: a grid of fits, on one machine or a Ray cluster."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.screen.line import Line

# Seconds between two lines of progress in a log.
_EVERY = 600.0

DESCRIPTION = """\
Train backbones x splits x folds x experiments x seeds, one process per fit.

  python -m mdmt_tf.benchmark --config paper data_dir=DATA
  python -m mdmt_tf.benchmark --config paper data_dir=DATA backbones=[resnet18]
  python -m mdmt_tf.benchmark --config paper data_dir=DATA \\
      executor=ray address=HOST:6379

A second start continues: finished fits are skipped, interrupted ones are
resumed, and a changed setting adds new fits to the old ones. The folder is
run_dir, or benchmarks/<experiment>. Keys of the section `benchmark` can be
given without its name. Afterwards: python -m mdmt_tf.report FOLDER.

How many fits there are and how long they will take, without writing anything:

  python -m mdmt_tf.benchmark --config paper data_dir=DATA --dry-run

Ray asks nobody for a password: whoever reaches HOST:6379 can run programs as
you. Use it in a closed network.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("benchmark", DESCRIPTION)
    console.add_config_arguments(arguments, default=None)
    add = arguments.add_argument
    add("--retry-failed", action="store_true", help="try failed fits again, too")
    plan_help = "prepare data, splits, weights and baselines, and train nothing"
    add("--plan", action="store_true", help=plan_help)
    # For the benchmark itself, which holds the lock of this folder.
    add("--plan-in", type=Path, help=argparse.SUPPRESS)
    text = "measure a few steps of each experiment and backbone, and write nothing"
    add("--dry-run", action="store_true", help=text)
    options = arguments.parse_args(argv)

    from mdmt_tf import config
    from mdmt_tf.config.schema import BenchmarkSection
    from mdmt_tf.errors import ConfigError

    own = BenchmarkSection.model_fields
    overrides = [
        f"benchmark.{text}" if text.partition("=")[0].split(".")[0] in own else text
        for text in options.overrides
    ]
    settings = config.load(options.config, overrides)
    if settings.benchmark is None:
        raise ConfigError(
            f"{options.config}: has no section `benchmark`, so there is no grid to run."
        )
    from mdmt_tf.experiments import protocol

    # Before data are prepared, phantoms drawn and fits trained for hours.
    protocol.check_experiments(settings)
    if options.dry_run:
        _dry_run(settings)
        return 0
    # Imported late: it takes a second, and a wrong key should be reported at once.
    from mdmt_tf.data import own_dataset
    from mdmt_tf.experiments import run
    from mdmt_tf.experiments.grid import Folder

    if options.plan_in is not None:
        _plan(settings, Folder(options.plan_in))
        return 0
    path = Path(settings.run_dir or f"benchmarks/{settings.experiment}")
    path.mkdir(parents=True, exist_ok=True)
    folder = Folder(path)
    if own_dataset.is_missing(settings):
        # Only then, because TensorFlow stays in memory.
        console.load_tensorflow()
        own_dataset.provide(
            settings, options.config, console.write, console.progress_bar
        )
    if options.plan:
        with run.locked(folder):
            _plan(settings, folder)
        return 0
    retry = options.retry_failed
    line = Line.on(sys.stdout, every=_EVERY)
    status = run.run_benchmark(
        settings, folder, line.write, retry_failed=retry, show=line.show
    )
    # Without a plan there is nothing to report on.
    if folder.cells.is_file():
        print(f"tables and plots: {console.command('report', path)}")
        logs = path / "tensorboard"
        if logs.is_dir():
            shown = console.tool("tensorboard", "tensorboard.main", "--logdir", logs)
            print(f"compare the fits: {shown}")
    return status


def _dry_run(settings) -> None:
    from rich.console import Console

    from mdmt_tf.experiments import dry_run, dry_run_text

    print("Dry run: nothing is written.", flush=True)
    with tempfile.TemporaryDirectory(prefix="mdmt_tf-") as scratch:
        planned = dry_run.make_plan(
            settings, Path(scratch), console.write, console.progress_bar
        )
        dry_run.use_cores(planned)
        console.load_tensorflow()
        with console.progress_bar("measuring a few steps", "fits") as progress:
            groups = list(dry_run.measure(planned, progress))
        counts = dry_run.count_labels(planned)
    screen = Console(highlight=False)
    dry_run_text.print_labels(screen, counts)
    for text in dry_run.label_lines(planned):
        print(text)
    dry_run_text.print_groups(screen, planned, groups)


def _plan(settings, folder) -> None:
    from mdmt_tf.experiments import plan, protocol

    starts = protocol.weights_to_locate(settings)
    if starts or settings.phantoms is not None:
        console.load_tensorflow()
        from mdmt_tf.data import embedded
        from mdmt_tf.models.weights import pretrained

        for backbone, weights in starts:
            # Once, before several fits would do it at the same time.
            pretrained.locate_all(backbone, weights, console.write)
        settings = embedded.provide(settings, console.write, console.progress_bar)
    print(plan.overview(settings, plan.make_plan(settings, folder)), end="")


if __name__ == "__main__":
    console.run(main)
