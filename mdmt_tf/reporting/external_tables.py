"""The tables of an external validation: metrics, runs, strata."""

import math

import numpy as np
import pandas as pd

from mdmt_tf.metrics.table import compared, headline, names_of
from mdmt_tf.reporting.external_calibration import calibration_tables
from mdmt_tf.reporting.external_results import ExternalResults, leading, number
from mdmt_tf.reporting.table_files import (
    NO_NUMBER,
    Entry,
    Table,
    TableSection,
    heading,
    numbered,
    shown,
)
from mdmt_tf.statistics.strata import FEWEST_OF_A_CLASS, FEWEST_PATIENTS
from mdmt_tf.tasks import Task

# Metrics of a stratum that are shown; the CSV has all of them.
_MOST = 5


def build_tables(results: ExternalResults) -> list[Table]:
    """All tables, in the order of the page."""
    tables = [metrics_table(results)]
    if len(results.runs) > 1:
        tables.append(runs_table(results))
    tables += calibration_tables(results)
    if any(results.assessment[task.name]["strata"] for task in results.tasks):
        tables.append(strata_table(results))
    return tables


def metrics_table(results: ExternalResults) -> Table:
    """Every metric of every task with its interval, by patient and by image."""
    sections, data, notes = [], [], []
    for task in results.tasks:
        section, rows = _metrics_of(results, task)
        sections.append(section)
        data += rows
        own = results.assessment[task.name]["by_patient"]
        if own.get("contradictory"):
            notes.append(
                f"{task.name}: {own['contradictory']} patients whose images have "
                "different labels do not count by patient."
            )
    notes += [
        "95 % intervals resample patients, with all of their images. They are about "
        "other patients like these and the same model.",
        "by patient: the mean probability of a patient's images; where hardly any "
        "patient has several images, or their labels differ, by image comes first.",
        "own test: the same metric on the test split of the training data"
        + (", mean of the runs." if len(results.runs) > 1 else "."),
    ]
    title = f"Metrics on {results.dataset}, with 95 % intervals"
    return Table("metrics", title, sections, notes, pd.DataFrame(data))


def _metrics_of(results: ExternalResults, task: Task) -> tuple[TableSection, list]:
    found, unit = results.assessment[task.name], results.unit(task)
    units = [unit, *({"patient", "image"} - {unit})]
    # One image for each patient: both are the same.
    if found["by_patient"]["n"] == found["by_image"]["n"]:
        units = units[:1]
    headings = ["metric"]
    for one in units:
        headings += [f"by {one}", "95 % interval"]
    counts = [Entry("n")]
    for one in units:
        counts += [Entry(str(found[f"by_{one}"]["n"])), Entry("")]
    rows, data = [(*counts, Entry(""))], []
    first = compared(task)
    for metric in (*first, *(n for n in names_of(task) if n not in first)):
        row = [Entry(heading(metric))]
        for one in units:
            own = found[f"by_{one}"]
            value, low, high = _numbers(own, metric)
            row += [numbered(shown(metric, value), value), _interval(metric, low, high)]
            data.append(
                {
                    "task": task.name,
                    "metric": metric,
                    "unit": one,
                    "value": value,
                    "low": low,
                    "high": high,
                    "n": own["n"],
                    "patients": own["patients"],
                    "own_test": results.own_test(task, metric, one),
                }
            )
        own_test = results.own_test(task, metric, unit)
        rows.append((*row, numbered(shown(metric, own_test), own_test)))
    patients = found[f"by_{unit}"]["patients"]
    what = "images" if len(task.components) == 1 else "labels of images"
    title = f"{task.name}: {patients} patients, {found['by_image']['n']} {what}"
    return TableSection(title, (*headings, "own test"), rows), data


def runs_table(results: ExternalResults) -> Table:
    """The metrics of each run, their mean and std, and those of the mean prediction."""
    sections, data = [], []
    for task in results.tasks:
        names = compared(task)
        found = results.assessment[task.name]["runs"]
        values = {
            run: [number(metrics.get(name)) for name in names]
            for run, metrics in found.items()
        }
        columns = np.array(list(values.values()))
        whole = [_numbers(results.of_unit(task), name)[0] for name in names]
        summary = {
            "mean of the runs": columns.mean(axis=0).tolist(),
            "std of the runs": columns.std(axis=0, ddof=1).tolist(),
            "mean prediction": whole,
        }
        rows = [
            (
                Entry(label),
                *(
                    numbered(shown(name, value), value)
                    for name, value in zip(names, of_row, strict=True)
                ),
            )
            for label, of_row in (values | summary).items()
        ]
        title = f"{task.name}, by {results.unit(task)}"
        sections.append(TableSection(title, ("run", *map(heading, names)), rows))
        data += [
            {"task": task.name, "run": label, **dict(zip(names, of_row, strict=True))}
            for label, of_row in (values | summary).items()
        ]
    notes = [
        "mean prediction: the probabilities (or values) of all runs are averaged for "
        "each image, and the metrics are computed from these. All other tables, the "
        "intervals and the plots are of the mean prediction.",
        "The std (n - 1) is over the runs. Folds share training data, so they differ "
        "less than models that are trained on other patients.",
    ]
    title = f"Each of the {len(results.runs)} runs, and their mean"
    return Table("runs", title, sections, notes, pd.DataFrame(data))


def strata_table(results: ExternalResults) -> Table:
    """The metrics of each value of each field."""
    sections, data = [], []
    for task in results.tasks:
        names = _shown_in_strata(task)
        own = results.of_unit(task)
        is_small = own["patients"] < FEWEST_PATIENTS
        whole = {"all": {"": {**own, "small": is_small}}}
        rows = []
        for field, strata in (whole | results.assessment[task.name]["strata"]).items():
            for value, own in strata.items():
                row = [Entry(f"{field}: {value}" if value else field)]
                row += [Entry(str(own[key]), own[key]) for key in ("n", "patients")]
                row.append(Entry(note_of(own)))
                for metric in names:
                    point, low, high = _numbers(own, metric)
                    text = shown(metric, point)
                    if not math.isnan(low):
                        text += f" [{shown(metric, low)}, {shown(metric, high)}]"
                    row.append(numbered(text, point))
                rows.append(tuple(row))
                data += _stratum_rows(task, field, value, own)
        headings = ["stratum", "n", "patients", "note", *map(heading, names)]
        title = f"{task.name}, by {results.unit(task)}"
        sections.append(TableSection(title, tuple(headings), rows))
    notes = [
        f"small: fewer than {FEWEST_PATIENTS} patients. rare class: fewer than "
        f"{FEWEST_OF_A_CLASS} patients of a class. Such a row shows next to nothing.",
        "Metrics of all classes are undefined where a class is missing.",
        "[low, high]: 95 % interval. With many strata some differ by chance; compare "
        "intervals, and do not choose a stratum by its value.",
        "Age bands in years: <40, 40-59, 60-79, >=80.",
    ]
    title = "Strata: site, sex, age and other fields of the dataset"
    return Table("strata", title, sections, notes, pd.DataFrame(data))


def note_of(stratum: dict) -> str:
    """What to know about a stratum: small, a rare class, and classes that it lacks."""
    words = []
    if stratum["small"]:
        few = stratum["patients"] < FEWEST_PATIENTS
        words.append("small" if few else "rare class")
    words += [f"no {name}" for name in stratum.get("missing_classes", [])]
    return ", ".join(words)


def _shown_in_strata(task: Task) -> list[str]:
    first = leading(task)
    others = [n for n in (*headline(task), *compared(task)) if n != first]
    return [first, *dict.fromkeys(others)][:_MOST]


def _stratum_rows(task: Task, field: str, value: str, own: dict) -> list[dict]:
    facts = {"task": task.name, "field": field, "value": value}
    facts |= {"n": own["n"], "patients": own["patients"], "small": own["small"]}
    return [
        {**facts, "metric": metric}
        | dict(zip(("point", "low", "high"), _numbers(own, metric), strict=True))
        for metric in own["metrics"]
    ]


def _numbers(own: dict, metric: str) -> tuple[float, float, float]:
    """Value and interval, NaN where there are none."""
    entry = own["metrics"].get(metric, {})
    return tuple(number(entry.get(key)) for key in ("value", "low", "high"))


def _interval(metric: str, low: float, high: float) -> Entry:
    if math.isnan(low):
        return Entry(NO_NUMBER)
    return Entry(f"{shown(metric, low)} to {shown(metric, high)}", low)
