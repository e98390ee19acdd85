"""Tables of metrics that `train` and `evaluate` print at the end."""

from typing import TYPE_CHECKING

from mdmt_tf import config as configuration
from mdmt_tf.metrics.table import METRICS, blocks_of, compared, legend

if TYPE_CHECKING:
    from mdmt_tf.runs.folder import RunFolder

_CALIBRATION = {"ece": "ECE", "calibration_slope": "slope"}
# Metrics in one table; nine columns and the split fit into 80 characters.
_MOST = 9


def print_metrics(run: "RunFolder") -> None:
    """Print the metrics of a finished run, from its `metrics.json`.

    Prints one table per task with one row per split, the test split last. The columns
    are the metrics that the reports compare. Then follows the calibration on the test
    split, if `assessment.json` has it.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    tasks = configuration.load(str(run.config)).build_tasks()
    stored, manifest = run.read_json(run.metrics), run.read_json(run.manifest)
    assessed = run.read_json(run.assessment) if run.assessment.is_file() else {}
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
        of_test = assessed.get("test", {}).get(task.name, {})
        for line in calibration_lines(of_test):
            console.print(line)
    console.print("; ".join(meanings))
    if manifest["synthetic"]:
        console.print(
            "SYNTHETIC data: these numbers say nothing about patients", style="bold"
        )


def calibration_lines(of_task: dict) -> list[str]:
    """Raw and calibrated calibration metrics of a task, with intervals.

    Args:
        of_task: its part of `assessment.json` for a split.
    """
    if "calibrated" not in of_task:
        return []
    calibrated = of_task["calibrated"]
    unit = f"by_{of_task['unit']}"
    lines = ["calibration on test, with 95 % intervals:"]
    for name, found in (("raw", of_task), ("calibrated", calibrated)):
        metrics = found[unit]["metrics"]
        texts = [
            f"{title} {_number(own['value'])} {_ends(own)}"
            for metric, title in _CALIBRATION.items()
            if (own := metrics.get(metric))
        ]
        lines.append(f"  {name:<10} {', '.join(texts)}")
    return lines


def _ends(entry: dict) -> str:
    if entry["low"] is None:
        return "[-]"
    return f"[{entry['low']:.2f}, {entry['high']:.2f}]"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.3f}"
    # A column has room for seven characters.
    return text if len(text) <= 7 else f"{value:.4g}"
