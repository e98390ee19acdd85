"""What `benchmark --dry-run` prints."""

import math
from collections.abc import Iterable

from rich.console import Console

from mdmt_tf.experiments.dry_run import Group, Planned
from mdmt_tf.metrics.text import plural
from mdmt_tf.screen.tables import print_table
from mdmt_tf.screen.times import duration
from mdmt_tf.training.dry_run_text import (
    Counts,
    bytes_text,
    print_counts,
    print_rows,
    seconds_text,
)


def print_labels(console: Console, counts: dict[str, Counts]) -> None:
    """Print the images with a label in each fold of each validation."""
    for validation, of_folds in counts.items():
        title = f"\n{validation}: labelled images, train/validation/test"
        print_counts(console, of_folds, title=title)


def print_groups(console: Console, planned: Planned, groups: Iterable[Group]) -> None:
    """Print sizes and times of each experiment and backbone, and of all together."""
    groups = list(groups)
    rows = [
        (
            f"{group.experiment} {group.backbone}",
            str(group.fits),
            f"{group.measured.parameters:,}",
            str(group.measured.steps * group.measured.epochs),
            seconds_text(group.measured.step),
            _at_most(group, duration(group.measured.seconds)),
            _at_most(group, duration(group.seconds)),
        )
        for group in groups
    ]
    headings = (
        "fits of",
        "fits",
        "parameters",
        "steps",
        "step",
        "training",
        "of all fits",
    )
    print_table(console, "\nFits, one after another", headings, rows)
    rows = [
        (group.experiment, group.backbone, *texts)
        for group in groups
        for texts in _losses(group)
    ]
    if rows:
        headings = ("experiment", "backbone", "task", "loss", "weight", "fraction")
        print_table(console, "\nLoss at the start", headings, rows)
    print_rows(console, "All together", list(_sums(planned, groups)))


def _losses(group: Group) -> Iterable[tuple[str, ...]]:
    """A line for each task, where there are several."""
    losses = group.measured.losses
    for name, own in losses.items() if len(losses) > 1 else ():
        loss = "-" if math.isnan(own.loss) else f"{own.loss:.3f}"
        fraction = "-" if math.isnan(own.fraction) else f"{100 * own.fraction:.0f} %"
        yield name, loss, f"{own.weight:g}", fraction


def _sums(planned: Planned, groups: list[Group]) -> Iterable[tuple[str, str]]:
    fits, seconds = sum(g.fits for g in groups), sum(g.seconds for g in groups)
    count = planned.at_a_time
    text = f"{duration(seconds)} for {plural(fits, 'fit')}, one after another"
    yield "training", text
    cores = plural(len(planned.cores), "core")
    where = f"{count} at a time, {cores} each"
    if planned.settings.benchmark.executor == "local":
        yield "this machine", f"{duration(seconds / count)} of training, {where}"
    else:
        yield "a cluster", "as many at a time as it has machines for"
    if any(not group.measured.has_weights for group in groups):
        text = "from random values where the weights to start from are not here"
        yield "measured", text
    # Every fit is a process, which may take longer than a short training.
    left = [
        "the start of each fit (TensorFlow, data, network)",
        "its predictions and files",
    ]
    if planned.baselines:
        left.append(f"{planned.baselines} baselines")
    yield "not measured", ", ".join(left)
    most = max((group.measured.memory for group in groups), default=0)
    yield "memory", f"{bytes_text(most)} at most so far, for one fit at a time"


def _at_most(group: Group, text: str) -> str:
    return text if group.settings.training.patience is None else f"<= {text}"
