"""What `--dry-run` prints of one fit."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from mdmt_tf.config import Config
from mdmt_tf.metrics.text import plural
from mdmt_tf.models.parameters import backbone_text
from mdmt_tf.screen.tables import print_table
from mdmt_tf.screen.times import duration

if TYPE_CHECKING:
    from mdmt_tf.training.dry_run import Measured

# fold, {answer: {split: number}}, of `inputs.count_labels`.
Counts = Iterable[tuple[int, Mapping[str, Mapping[str, int]]]]


def print_measured(console: Console, config: Config, measured: "Measured") -> None:
    """Print the network, the loss at the start, time and memory."""
    rows = [
        ("input", f"{_shape(measured.image_shape)}, {measured.batch_size} a batch"),
        ("backbone", backbone_text(config.model.backbone, measured.backbone)),
        ("starts from", _start(config, measured)),
        ("heads", ", ".join(f"{n} {count}" for n, count in measured.outputs.items())),
        ("parameters", parameters_text(measured)),
    ]
    print_rows(console, "Network", rows)
    print_losses(console, measured)
    print_rows(console, "Time and memory", list(_costs(config, measured)))


def parameters_text(measured: "Measured") -> str:
    """All parameters, those that are trained, and their bytes."""
    trained = "all trained"
    if measured.trained < measured.parameters:
        trained = f"{measured.trained:,} trained"
    return f"{measured.parameters:,}, {trained}; {bytes_text(4 * measured.parameters)}"


def print_losses(console: Console, measured: "Measured") -> None:
    """Print the loss of each task before the first step, and its part of the total."""
    rows = [
        (
            name,
            "-" if math.isnan(own.loss) else f"{own.loss:.3f}",
            f"{own.weight:g}",
            "-" if math.isnan(own.fraction) else f"{100 * own.fraction:.0f} %",
        )
        for name, own in measured.losses.items()
    ]
    headings = ("task", "loss", "weight", "fraction")
    print_table(console, "\nLoss at the start", headings, rows)


def print_counts(
    console: Console, counts: Counts, *, title: str, chosen: int | None = None
) -> None:
    """Print the images with a label, one line for each fold.

    Args:
        chosen: the fold that would be trained, which is marked.
    """
    rows, names = [], []
    for fold, of_answers in counts:
        names = list(of_answers)
        splits = [own.values() for own in of_answers.values()]
        mark = "*" if fold == chosen else ""
        rows.append((f"{fold}{mark}", *("/".join(map(str, s)) for s in splits)))
    print_table(console, title, ("fold", *names), rows)


def print_rows(console: Console, title: str, rows: list[tuple[str, str]]) -> None:
    """Print facts below each other, each with its name."""
    console.print(f"\n{title}", style="bold", markup=False, highlight=False)
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        # Long lines are for the terminal to fold: they may be copied.
        line = f"{name:<{width}}  {text}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def bytes_text(count: float) -> str:
    """Bytes in words.

    Example:
        >>> bytes_text(1.4e6), bytes_text(23.6e9)
        ('1.4 MB', '23.6 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _start(config: Config, measured: "Measured") -> str:
    if config.model.weights is None:
        return "random values"
    if measured.has_weights:
        return str(config.model.weights)
    return f"{config.model.weights}; not on this machine, so here from random values"


def _costs(config: Config, measured: "Measured") -> Iterable[tuple[str, str]]:
    where = ", ".join(measured.devices)
    many = plural(measured.timed, "step")
    yield "measured", f"on {where}, {many} after the first one"
    first = f"the first one {seconds_text(measured.first_step)}"
    yield "a step", f"{seconds_text(measured.step)}; {first}"
    yield (
        "an epoch",
        f"{seconds_text(measured.epoch_seconds)}: {plural(measured.steps, 'step')}, "
        f"and {seconds_text(measured.validation)} of validation",
    )
    most = "at most " if config.training.patience is not None else ""
    epochs = plural(measured.epochs, "epoch")
    yield "training", f"{most}{duration(measured.seconds)}: {epochs}"
    files = [
        name
        for name, is_written in (
            ("SavedModel", config.training.saved_model),
            ("saliency maps", config.training.saliency),
        )
        if is_written
    ]
    left = ["the start (TensorFlow, data, network)", "predictions of all images"]
    yield "not measured", ", ".join([*left, *files])
    yield "memory", f"{bytes_text(measured.memory)} at most so far"


def seconds_text(seconds: float) -> str:
    """Seconds with two digits below ten, else as `duration`.

    Example:
        >>> seconds_text(0.0421), seconds_text(3.25), seconds_text(480)
        ('0.042 s', '3.2 s', '8 min')
    """
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
