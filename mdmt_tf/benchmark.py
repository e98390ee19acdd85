"""`python -m mdmt_tf.benchmark`: a grid of fits, on one machine or a Ray cluster."""

from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

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
    options = arguments.parse_intermixed_args(argv)

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
    # Imported late: it takes a second, and a wrong key should be reported at once.
    from mdmt_tf.experiments import run
    from mdmt_tf.experiments.grid import Folder

    path = Path(settings.run_dir or f"benchmarks/{settings.experiment}")
    path.mkdir(parents=True, exist_ok=True)
    folder = Folder(path)
    if options.plan:
        _plan(settings, folder)
        return 0
    retry = options.retry_failed
    status = run.run_benchmark(settings, folder, console.write, retry_failed=retry)
    print(f"tables and plots: python -m mdmt_tf.report {path}")
    print(f"compare the fits: tensorboard --logdir {path}/tensorboard")
    return status


def _plan(settings, folder) -> None:
    from mdmt_tf.experiments import plan, protocol

    benchmark = settings.benchmark
    starts = [(b, protocol.start_of(settings, b)) for b in benchmark.backbones]
    # Only baselines of features have a backbone.
    starts += [(b.backbone, b.weights) for b in benchmark.baselines.values()]
    starts = [start for start in starts if all(start)]
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
