"""`python -m mdmt_tf.train`: one fit, from settings to a finished run folder."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.screen import size

DESCRIPTION = """\
Train one model on several datasets and tasks.

Without arguments, it trains a small network on two synthetic datasets and two
tasks. This works offline and shows nothing about patients. With real data:

  python -m mdmt_tf.train --config mdmt data_dir=DATA split.fold=2
  python -m mdmt_tf.train --config my.yaml training.epochs=50 run_dir=runs/first
  python -m mdmt_tf.train --resume runs/first
  python -m mdmt_tf.train --resume runs/first --data-dir DATA
  python -m mdmt_tf.train --resume runs/first training.epochs=60

How large the network is, how many labels each fold has, what each task adds to
the loss, and how long it will take, without writing anything:

  python -m mdmt_tf.train --config my.yaml --dry-run

One experiment of a benchmark, on the folds of its grid. The experiments that it
starts from are trained before, once, in the folder `starts` beside the run:

  python -m mdmt_tf.train --config ich_phantom experiment=model_b split.fold=2
"""


def main(argv: Sequence[str] | None = None) -> None:
    arguments = console.parser("train", DESCRIPTION)
    console.add_config_arguments(arguments)
    arguments.add_argument(
        "--resume",
        metavar="RUN_DIR",
        help="resume an interrupted run with its own settings, or go on with a "
        "finished one, with more epochs or patience",
    )
    arguments.add_argument(
        "--data-dir",
        metavar="DIR",
        help="with --resume: folder of the prepared data, if it has moved",
    )
    text = "measure a few steps and write nothing"
    arguments.add_argument("--dry-run", action="store_true", help=text)
    options = arguments.parse_args(argv)
    if options.resume and options.dry_run:
        arguments.error("--dry-run is for a new run")
    if options.resume:
        _take_data_dir(arguments, options)
    elif options.data_dir:
        arguments.error("--data-dir is for --resume; write data_dir=DIR")

    # Settings first: TensorFlow takes seconds to load, and a wrong key should be
    # reported at once.
    from mdmt_tf import config
    from mdmt_tf.data import own_dataset
    from mdmt_tf.experiments import alone
    from mdmt_tf.runs import changes, summary
    from mdmt_tf.runs.folder import RunFolder

    if options.resume:
        changes.check_keys(options.overrides)
        run = RunFolder.open(options.resume)
        settings = run.settings(options.data_dir, options.overrides)
    else:
        whole = config.load(options.config, options.overrides)
        parts = alone.parts_of(whole, options.overrides)
        settings = parts[whole.experiment].settings
        RunFolder.refuse_existing(settings.run_dir)

    console.load_tensorflow()
    from mdmt_tf.experiments import starts
    from mdmt_tf.statistics import calibration
    from mdmt_tf.training import strategy, trainer

    # Before anything computes, because TensorFlow keeps the devices with which it
    # starts, and preparing the phantoms starts it.
    strategy.build_strategy(settings.training.devices)
    if options.dry_run:
        own_dataset.require(settings, options.config)
        _dry_run(parts)
        return
    is_terminal = size.rewrites(sys.stdout)
    if not options.resume:
        own_dataset.provide(
            settings, options.config, console.write, console.progress_bar
        )
        settings = starts.settings_to_train(
            parts,
            starts.folder_beside(settings.run_dir),
            console.write,
            console.progress_bar,
            is_terminal,
        )
    run = trainer.train(
        settings,
        resume_from=options.resume,
        write=console.write,
        is_terminal=is_terminal,
    )
    summary.print_metrics(run, calibration.read(run))
    print(f"\nrun folder   {run.path}")
    print(f"model card   {run.card_text}")
    if run.saliency.is_dir():
        print(f"saliency     {run.saliency}")
    if run.tensorboard.is_dir():
        board = console.tool("tensorboard", "tensorboard.main", "--logdir", run.path)
        print(f"monitor      {board}")
    print(f"look at it   {console.command('report', run.path)}")
    moved = ["--data-dir", options.data_dir] if options.data_dir else []
    print(f"check again  {console.command('evaluate', run.path, *moved)}")


def _dry_run(parts) -> None:
    from rich.console import Console

    from mdmt_tf.experiments import starts
    from mdmt_tf.models.weights import lineage
    from mdmt_tf.training import description, dry_run, dry_run_text
    from mdmt_tf.training.inputs import count_labels, open_inputs
    from mdmt_tf.training.start import check_start, known_start

    print("Dry run: nothing is written.", flush=True)
    with tempfile.TemporaryDirectory(prefix="mdmt_tf-") as scratch:
        settings = starts.settings_without_starts(
            parts, Path(scratch), console.write, console.progress_bar
        )
        with console.working("reading labels and images ..."):
            counts, inputs = list(count_labels(settings)), open_inputs(settings)
        # Also what the fits that it starts from begin with.
        models = [part.settings.model for part in parts.values()]
        known = [known_start(m.backbone, m.weights) for m in models]
        check_start(
            lineage.combined(*known),
            inputs.datasets,
            inputs.split.datasets,
            settings.pipeline.allow_identical_images,
        )
        with console.working("measuring a few steps ..."):
            measured = dry_run.measure(settings, inputs)
    screen = Console(highlight=False)
    fold = settings.split.fold
    title = f"\nLabelled images, train/validation/test; * fold {fold}, of this training"
    dry_run_text.print_counts(screen, counts, title=title, chosen=fold)
    console.write(description.notes_text(inputs))
    dry_run_text.print_measured(screen, settings, measured)


def _take_data_dir(arguments: console.Parser, options: argparse.Namespace) -> None:
    """Accept `data_dir=DIR` as --data-dir; refuse another configuration."""
    if options.config != console.DEFAULT_CONFIG:
        arguments.error(
            "--resume takes the settings of the run; leave --config out. "
            "training.epochs=N may be given, and --data-dir DIR if data have moved"
        )
    moved = [text for text in options.overrides if text.startswith("data_dir=")]
    options.overrides = [text for text in options.overrides if text not in moved]
    for text in moved:
        options.data_dir = text.removeprefix("data_dir=")


if __name__ == "__main__":
    console.run(main)
