"""Tables of metrics that `train` and `evaluate` print at the end."""

from typing import TYPE_CHECKING

from mdmt_tf.metrics.table import METRICS, blocks_of, compared, legend

if TYPE_CHECKING:
    from mdmt_tf.runs.folder import RunFolder

# Metrics in one table; nine columns and the split fit into 80 characters.
_MOST = 9


def print_metrics(run: "RunFolder") -> None:
    """Print the metrics of a finished run, from its `metrics.json`.

    Prints one table per task with one row per split, the test split last. The columns
    are the metrics that the reports compare.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    tasks = run.settings().build_tasks()
    stored, manifest = run.read_json(run.metrics), run.read_json(run.manifest)
    console = Console(highlight=False)
    meanings: dict[str, None] = {}
    for task in tasks:
        for number, names in enumerate(blocks_of(compared(task), _MOST)):
            table = Table(
                title=None if number else f"\n{task.name}",
                title_justify="left",
                title_style="bold",
                box=box.SIMPLE_HEAD,
                pad_edge=False,
                padding=(0, 1, 0, 0),
            )
            table.add_column("", justify="left")
            table.add_column("n", justify="right")
            for name in names:
                table.add_column(METRICS[name].short, justify="right")
            for split in ("train", "validation", "test"):
                metrics = stored.get(split, {}).get(task.name)
                if metrics is not None:
                    style = "bold" if split == "test" else None
                    values = (_number(metrics[name]) for name in names)
                    table.add_row(split, str(metrics["n"]), *values, style=style)
            console.print(table)
            meanings |= dict.fromkeys(legend(names))
    console.print("; ".join(meanings))
    if manifest["synthetic"]:
        console.print(
            "SYNTHETIC data: these numbers say nothing about patients", style="bold"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
