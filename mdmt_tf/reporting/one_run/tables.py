"""Tables of one run: what came out, metrics of each task, effort."""

import dataclasses
import math
from collections.abc import Iterator

import pandas as pd

from mdmt_tf.metrics.table import compared, leading
from mdmt_tf.metrics.text import NO_NUMBER, shown_alike
from mdmt_tf.reporting.assessed import number, numbers
from mdmt_tf.reporting.assessed_calibration import calibration_tables
from mdmt_tf.reporting.assessed_tables import metrics_table, strata_table
from mdmt_tf.reporting.effort import counted
from mdmt_tf.reporting.flow_table import flow_table
from mdmt_tf.reporting.one_run.results import RunResults
from mdmt_tf.reporting.table_files import (
    Entry,
    Folded,
    Table,
    TableSection,
    numbered,
    plain_heading,
)
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.tasks import Answer


def summary_table(results: RunResults) -> Table:
    """The leading metric of every task with its interval."""
    rows, data = [], []
    for task in results.tasks:
        own, metric = results.of_unit(task), leading(task)
        value, low, high = numbers(own, metric)
        unit = results.unit(task)
        text, *ends = shown_alike(metric, value, low, high)
        interval = NO_NUMBER if math.isnan(low) else " to ".join(ends)
        rows.append(
            (
                Entry(task.title),
                Entry(plain_heading(metric)),
                numbered(text, value),
                Entry(interval),
                Entry(f"{own['n']:,}", own["n"]),
                Entry(unit),
                Entry(f"{own['patients']:,}", own["patients"]),
            )
        )
        facts = {"task": task.name, "metric": metric, "value": value}
        facts |= {"low": low, "high": high, "n": own["n"], "unit": unit}
        data.append(facts | {"patients": own["patients"]})
    headings = ("answer", "metric", "value", "95 % interval", "n", "by", "patients")
    section = TableSection(f"Leading metric on {results.place}", headings, rows)
    notes = [
        "95 % intervals resample patients, with all of their images. They are about "
        "other patients like these and the same model, not about another training. –: "
        "not defined, or not estimable from so few.",
    ]
    title = "What came out"
    return Table("summary", title, [section], notes, pd.DataFrame(data))


def files_of(results: RunResults) -> list[Table]:
    """The tables of all tasks together, as files."""
    tables = [summary_table(results), metrics_table(results)]
    tables += calibration_tables(results)
    if any(results.assessment[task.name]["strata"] for task in results.tasks):
        tables.append(strata_table(results))
    flow = flow_of(results)
    return [*tables, flow] if flow is not None else tables


def flow_of(results: RunResults) -> Table | None:
    """The flow of patients; without test labels where test is not looked at."""
    splits = SPLITS if results.judges_test else ("train", "validation")
    return flow_table(results.flow, splits)


def tables_of(results: RunResults, task: Answer) -> dict[str, list[Table]]:
    """The tables of one task by what they show.

    Returns: metrics, calibration, strata -> tables, whose names are unique in the page;
        lists without a table are left out.
    """
    own = dataclasses.replace(results, tasks=(task,))
    found = {"metrics": [_split_metrics(metrics_table(own), task)]}
    if tables := calibration_tables(own):
        found["calibration"] = [_named(table) for table in tables]
    if results.assessment[task.name]["strata"]:
        whole = strata_table(own)
        sections = [
            dataclasses.replace(section, folded=True) for section in whole.sections
        ]
        folded = Folded("Strata as a table")
        found["strata"] = [dataclasses.replace(whole, sections=sections, folded=folded)]
    return {
        part: [
            dataclasses.replace(table, name=f"{table.name}-{task.name}")
            for table in tables
        ]
        for part, tables in found.items()
    }


def _named(table: Table) -> Table:
    """The same table; its sections say what they are of, as it has no heading."""
    what = table.title.split(":")[0]
    sections = [
        dataclasses.replace(section, title=f"{what} of {section.title}")
        for section in table.sections
    ]
    return dataclasses.replace(table, sections=sections)


def _split_metrics(table: Table, task: Answer) -> Table:
    """The compared metrics, and the others folded away."""
    (section,) = table.sections
    first = 1 + len(compared(task))
    shown_first = dataclasses.replace(section, rows=section.rows[:first])
    if not section.rows[first:]:
        return table
    rest = dataclasses.replace(
        section, title="All other metrics", rows=section.rows[first:], folded=True
    )
    folded = Folded("All other metrics")
    return dataclasses.replace(table, sections=[shown_first, rest], folded=folded)


def effort_facts(results: RunResults) -> list[tuple[str, str]]:
    """Steps, images and time of the training, and what was trained, as pairs."""
    return [pair for pair in _facts(results) if pair[1]]


def _facts(results: RunResults) -> Iterator[tuple[str, str]]:
    manifest, config = results.manifest, results.config
    effort = manifest.get("effort", {})
    start = manifest.get("initial_weights") or "random"
    yield "Network", f"{config.model.backbone}, heads {config.model.heads}"
    yield "Start", start if isinstance(start, str) else ", ".join(map(str, start))
    yield "Image size", " x ".join(map(str, config.image_shape))
    yield "Optimizer steps", _count(effort.get("steps"))
    yield "Training images seen", _count(effort.get("images"))
    yield "Epochs", _count(effort.get("epochs"))
    seconds = number(effort.get("seconds"))
    if not math.isnan(seconds):
        yield "Time of training", in_words(seconds)
        if effort.get("epochs"):
            yield "Time an epoch", in_words(seconds / effort["epochs"])
    yield "Devices", ", ".join(manifest.get("devices") or ())
    for name in ("started", "finished"):
        yield name.capitalize(), _moment(manifest.get(name) or "")
    yield "Seed", str(manifest.get("seeds", {}).get("run", ""))
    yield "Version", f"mdmt_tf {manifest.get('mdmt_tf', 'not known')}"
    packages = manifest.get("packages", {})
    names = ("tensorflow", "keras")
    yield "Framework", ", ".join(f"{n} {packages[n]}" for n in names if n in packages)


def _moment(text: str) -> str:
    """A time of the manifest, to the minute."""
    return f"{text[:10]} {text[11:16]} UTC" if text.endswith("+00:00") else text


def _count(value: float | None) -> str:
    return "" if value is None else counted(float(value)).text


def in_words(seconds: float) -> str:
    """A time as a person says it.

    Example:
        >>> in_words(7.25), in_words(73.6), in_words(5400)
        ('7.2 s', '1 min 14 s', '1 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"
