"""Which metrics a screen or a table has room for, and how they stand there."""

from collections.abc import Iterable, Sequence

import numpy as np

from mdmt_tf.metrics.table import METRICS, names_of
from mdmt_tf.tasks import Task


def charted(task: Task, selects: str | None = None, most: int = 6) -> tuple[str, ...]:
    """The metrics of TensorBoard and of the terminal, the most important ones first.

    Args:
        selects: the metric that selects the epoch, maybe of another task; if the task
            has it, it is the second, after the loss.
        most: largest number of metrics.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> death = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> charted(death)
        ('loss', 'balanced_accuracy', 'auc', 'f1', 'recall', 'specificity')
        >>> charted(death, "brier", most=3)
        ('loss', 'brier', 'balanced_accuracy')
    """
    places = {name: METRICS[name].chart for name in names_of(task)}
    if selects in places:
        places[selects] = 1
    # The sort keeps the order of equal places: the loss is the first metric.
    ordered = sorted(filter(places.get, places), key=places.get)
    return tuple(ordered[:most])


def legend(names: Iterable[str]) -> list[str]:
    """Explanations of short names that differ from the titles.

    Example:
        >>> legend(["auc", "balanced_accuracy"])
        ['BAcc = bal. accuracy']
    """
    rows = [METRICS[name] for name in names]
    return [f"{row.short} = {row.title}" for row in rows if row.short != row.title]


def blocks_of(metrics: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Divide metrics into the fewest blocks of at most `most`, about equally long.

    Example:
        >>> blocks_of(["auc", "recall", "npv"], most=2)
        [('auc', 'recall'), ('npv',)]
    """
    count = -(-len(metrics) // most)
    return [tuple(block.tolist()) for block in np.array_split(metrics, count or 1)]
