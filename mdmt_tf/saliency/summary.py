"""Tables that `explain` prints: the maps, the lesions, the sanity check."""

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mdmt_tf.saliency.explanation import Explained
from mdmt_tf.saliency.files import zero_text
from mdmt_tf.saliency.methods import TITLES


def print_summary(explained: Explained) -> None:
    """Print the images, the lesions if there are masks, and the sanity check."""
    print_rows(explained.rows, explained.note)
    print(zero_text(explained.rows), end="")
    if any(row.share_inside is not None for row in explained.rows):
        print_lesions(explained.rows)
    if explained.sanity:
        print_sanity(explained.sanity)


def print_rows(rows: Sequence, note: str) -> None:
    """Print what was explained, one line for each image and task."""
    table = _table(note, "image", "task", "explained", "predicted", "true")
    seen = set()
    for row in rows:
        if (row.image_id, row.task) not in seen:
            seen.add((row.image_id, row.task))
            chance = "" if row.probability is None else f" {row.probability:.2f}"
            table.add_row(
                row.image_id,
                row.task,
                row.class_explained,
                row.predicted + chance,
                row.true_class or "-",
            )
    _print(table)


def print_lesions(rows: Sequence) -> None:
    """Print the mean fraction of the saliency in the lesion over images with masks.

    The value expected by chance is the lesion's fraction of the tissue, see
    `saliency.lesions`.
    """
    groups = defaultdict(list)
    for row in rows:
        if row.share_inside is not None and row.share_inside == row.share_inside:
            groups[row.task, row.method].append(row)
    table = _table(
        "fraction of the saliency inside the lesion, means over images",
        "task",
        "method",
        ">n",
        ">inside",
        ">by chance",
        ">enrichment",
    )
    for (task, method), members in groups.items():
        numbers = [
            _mean([getattr(row, name) for row in members])
            for name in ("share_inside", "lesion_share", "enrichment")
        ]
        table.add_row(
            task,
            TITLES[method],
            str(len(members)),
            f"{numbers[0]:.1%}",
            f"{numbers[1]:.1%}",
            f"{numbers[2]:.2f}",
        )
    _print(table)


def print_sanity(rows: Sequence) -> None:
    """Print rank correlations with the trained model's maps, one line per stage."""
    methods = list(dict.fromkeys(row.method for row in rows))
    table = _table(
        "rank correlation with the maps of the trained model",
        "task",
        "random weights",
        *(f">{TITLES[method]}" for method in methods),
    )
    values = {(row.task, row.stage, row.method): row.correlation for row in rows}
    for task, stage in dict.fromkeys((row.task, row.stage) for row in rows):
        table.add_row(
            task,
            stage,
            *(_number(values[task, stage, method]) for method in methods),
        )
    _print(table)


def _table(title: str, *headings: str) -> Table:
    """A `rich` table; columns whose heading begins with > hold numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(
            heading.lstrip(">"),
            justify="right" if right else "left",
            overflow="fold",
        )
    return table


def _print(table: Table) -> None:
    Console(highlight=False).print(table)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")
