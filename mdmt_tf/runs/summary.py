"""Tables of metrics that `train` and `evaluate` print at the end."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mdmt_tf.marks import SYNTHETIC_DATA
from mdmt_tf.metrics.layout import blocks_of, legend
from mdmt_tf.metrics.table import METRICS, compared
from mdmt_tf.metrics.text import (
    NO_NUMBER,
    in_percent,
    plural,
    shown,
    with_interval,
)
from mdmt_tf.runs.manifest import synthetic_note
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.tasks import Task

if TYPE_CHECKING:
    from rich.console import Console

    from mdmt_tf.runs.folder import RunFolder

# Metrics of calibration that fit into a line.
_CALIBRATION = ("ece", "calibration_slope")
# Metrics in one table; nine columns and the split fit into 80 characters.
_MOST = 9
# Characters of a split with its number of rows, and of a column.
_NAME, _COLUMN = 18, 7
# Below a row with values.
_ENDS = {"low": " 95% low", "high": " 95% high"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: a split with its values, or one end of their intervals."""

    name: str
    n: str
    values: dict[str, float | None]
    is_judged: bool = False


def print_metrics(run: "RunFolder", calibrations: Mapping) -> None:
    """Print the metrics of a finished run.

    Prints one table per task with one row per split, the test split last, with its
    intervals of `assessment.json` below it. If a task is judged by patient, a table by
    patient comes first. The columns are the metrics that the reports compare. Then
    follows the calibration on the test split, of tasks that have one that was fitted or
    that puts the prior right.

    Args:
        run: the run.
        calibrations: its calibrations by component.
    """
    from rich.console import Console

    tasks = run.read_answers(run.settings())
    stored, manifest = run.read_json(run.metrics), run.read_json(run.manifest)
    # Runs of earlier versions have none.
    assessed = run.read_json(run.assessment) if run.assessment.is_file() else {}
    console = Console(highlight=False)
    meanings: dict[str, None] = {}
    for task in tasks:
        names = compared(task)
        of_task = {split: own[task.name] for split, own in assessed.items()}
        if of_task and list(of_task.values())[-1]["unit"] == "patient":
            title = patient_title(task, of_task)
            print_table(console, title, names, _by_patient(of_task))
        title = image_title(task, of_task)
        print_table(console, title, names, _by_image(task, stored, of_task))
        meanings |= dict.fromkeys(legend(names))
        known = [calibrations.get(own.name) for own in task.components]
        if not all(own is None or own.is_identity for own in known):
            for line in calibration_lines(of_task.get("test", {})):
                console.print(line)
    console.print("; ".join(meanings))
    if assessed:
        console.print(
            "95% low, high: the interval for other patients like these, from "
            f"resampling patients; {NO_NUMBER}: not defined, or not estimable from so "
            "few"
        )
    if manifest["synthetic"]:
        console.print(SYNTHETIC_DATA, style="bold")
    elif note := synthetic_note(manifest):
        console.print(f"{note}; validation and test are of real images", style="bold")


def print_table(
    console: "Console", title: str, names: Sequence[str], rows: Sequence[Row]
) -> None:
    """Print metrics in blocks of columns that fit into the console.

    Args:
        console: to print on.
        title: above the table.
        names: metrics to show.
        rows: their values.
    """
    from rich import box
    from rich.table import Table

    console.print(f"\n{title}", style="bold")
    most = min(max((console.width - _NAME) // _COLUMN, 1), _MOST)
    for block in blocks_of(names, most):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", justify="left", overflow="fold")
        table.add_column("n", justify="right", overflow="fold")
        for name in block:
            short = METRICS[name].short
            table.add_column(short, justify="right", overflow="fold")
        for row in rows:
            values = (_text(name, row.values[name]) for name in block)
            style = "bold" if row.is_judged else None
            table.add_row(row.name, row.n, *values, style=style)
        console.print(table)


def patient_title(task: Task, assessed: dict[str, dict]) -> str:
    """What the rows by patient are.

    Args:
        task: a task.
        assessed: split -> its assessment, the judged split last.
    """
    title = f"{task.title} by patient (mean of the patient's images)"
    left_out = list(assessed.values())[-1]["by_patient"]["contradictory"]
    if left_out:
        title += f"; {left_out} with contradicting labels left out"
    return title


def image_title(task: Task, assessed: dict[str, dict]) -> str:
    """What the rows by image are, and how many images and patients are judged.

    Args: see `patient_title`.
    """
    if not assessed:
        return task.title
    split, own = list(assessed.items())[-1]
    n, patients = own["by_image"]["n"], own["by_image"]["patients"]
    what = "image" if len(task.components) == 1 else "label"
    counted = plural(n, f"{split} {what}")
    title = f"{task.title} by image: {counted} of {plural(patients, 'patient')}"
    contradictory = own["by_patient"]["contradictory"]
    if own["unit"] == "image" and contradictory:
        title += f",\n{contradictory} of them with labels that change between images"
    return title


def interval_rows(entries: dict[str, dict]) -> Iterator[Row]:
    """The ends of the intervals, below the row of their values.

    Args:
        entries: metric -> value, low and high, as in `assessment.json`.
    """
    for end, name in _ENDS.items():
        yield Row(name, "", {key: own[end] for key, own in entries.items()})


def _by_patient(assessed: dict[str, dict]) -> list[Row]:
    rows = []
    for split, own in assessed.items():
        entries = own["by_patient"]["metrics"]
        values = {key: entry["value"] for key, entry in entries.items()}
        rows.append(Row(split, str(own["by_patient"]["n"]), values))
    judged = dataclasses.replace(rows.pop(), is_judged=True)
    return [*rows, judged, *interval_rows(entries)]


def _by_image(task: Task, stored: dict, assessed: dict[str, dict]) -> list[Row]:
    rows = []
    for split in SPLITS:
        metrics = stored.get(split, {}).get(task.name)
        if metrics is not None:
            rows.append(Row(split, str(metrics["n"]), metrics, split == "test"))
    if assessed:
        rows += interval_rows(list(assessed.values())[-1]["by_image"]["metrics"])
    return rows


def calibration_lines(of_task: dict) -> list[str]:
    """Raw and calibrated calibration metrics of a task, with intervals.

    Args:
        of_task: its part of `assessment.json` for a split.
    """
    if "calibrated" not in of_task:
        return []
    lines = ["Calibration on test, with 95% intervals:"]
    for name, found in (("raw", of_task), ("calibrated", of_task["calibrated"])):
        metrics = found[f"by_{of_task['unit']}"]["metrics"]
        texts = [
            f"{METRICS[key].title} {_with_interval(key, own)}"
            for key in _CALIBRATION
            if (own := metrics.get(key))
        ]
        lines.append(f"  {name:<10}  {', '.join(texts)}")
    return lines


def _with_interval(metric: str, entry: dict) -> str:
    return with_interval(metric, *(_number(entry[k]) for k in ("value", "low", "high")))


def _text(metric: str, value: float | None) -> str:
    """A metric as in tables of pages, but fractions instead of per cent."""
    return shown("" if in_percent(metric) else metric, _number(value))


def _number(value: float | None) -> float:
    # JSON has no NaN.
    return math.nan if value is None else value
