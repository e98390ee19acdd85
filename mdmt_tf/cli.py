"""What the command lines share: exit statuses and the arguments of a configuration."""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mdmt_tf.errors import MdmtError

if TYPE_CHECKING:
    from mdmt_tf.training.run_folder import RunFolder

DEFAULT_CONFIG = "phantom"


def run(main: Callable[[Sequence[str] | None], int | None]) -> None:
    """Run a command line and leave the process.

    Exit status 0, or what `main` returns; 2 with the message alone for an error that
    the user can mend; 130 when interrupted. Anything else is a bug and shows its
    traceback.
    """
    # Read by TensorFlow when it is loaded: its notes would drown ours.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    # tensorflow-datasets warns of its own deprecations through absl.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        status = main(None)
    except MdmtError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without its start-up notes.

    They are a dozen lines on standard error that no setting silences. What is of
    severity warning or above is passed on; that there is no GPU on a machine without
    one is not.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            notes.seek(0)
            for line in notes:
                note = line.startswith(("I0000", "WARNING: All log messages before"))
                no_gpu = "cuInit" in line and not os.path.exists("/dev/nvidiactl")
                if line.strip() and not note and not no_gpu:
                    sys.stderr.write(line)


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """An argument parser for `python -m mdmt_tf.<command>`."""
    return argparse.ArgumentParser(
        prog=f"python -m mdmt_tf.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add `--config NAME|PATH` and any number of `key.path=value`."""
    arguments.add_argument(
        "--config",
        default=DEFAULT_CONFIG,
        metavar="NAME|PATH",
        help="a name in configs/ or the path of a YAML file (default: %(default)s)",
    )
    arguments.add_argument(
        "overrides",
        nargs="*",
        metavar="key.path=value",
        help="settings that replace those of the file, e.g. training.epochs=3",
    )


# Columns of the closing table: key in metrics.json, heading.
_COLUMNS = (
    ("n", "n"),
    ("accuracy", "accuracy"),
    ("f1", "F1"),
    ("g_mean", "G-mean"),
    ("balanced_accuracy", "bal. acc."),
    ("auc", "AUC"),
    ("mae", "MAE"),
    ("r2", "R2"),
)


def print_metrics(run: "RunFolder", split: str) -> None:
    """A table of one side of the split: a row a task, figures from `metrics.json`."""
    from rich.console import Console
    from rich.table import Table

    figures = run.read_json(run.metrics).get(split, {})
    manifest = run.read_json(run.manifest)
    shown = [c for c in _COLUMNS if any(c[0] in row for row in figures.values())]
    title = f"{split} set"
    if manifest["synthetic"]:
        title += ", SYNTHETIC data: says nothing about patients"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("task")
    for _, heading in shown:
        table.add_column(heading, justify="right")
    for task, row in figures.items():
        table.add_row(task, *(_number(row.get(key)) for key, _ in shown))
    console = Console(highlight=False)
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
