"""Tables of metrics and strata of predictions that took no part in a fit."""

import math

import pandas as pd

from mdmt_tf.metrics.table import compared, headline, leading, names_of
from mdmt_tf.metrics.text import (
    NO_NUMBER,
    means_text,
    plural,
    shown,
    shown_alike,
    with_interval,
)
from mdmt_tf.reporting.assessed import Assessed, numbers
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, heading, numbered
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.statistics.strata import RARE_CLASS, SMALL_STRATUM, is_small
from mdmt_tf.tasks import Task

# Metrics of a stratum that are shown; the CSV has all of them.
_MOST = 5


def metrics_table(results: Assessed) -> Table:
    """Every metric of every task with its interval, by patient and by image."""
    sections, data, notes = [], [], []
    for task in results.tasks:
        section, rows = _metrics_of(results, task)
        sections.append(section)
        data += rows
        if text := means_text(task.name, [own.name for own in task.components]):
            notes.append(text)
        own = results.assessment[task.name]["by_patient"]
        if own.get("contradictory"):
            count = own["contradictory"]
            verb = "does" if count == 1 else "do"
            notes.append(
                f"{task.name}: {plural(count, 'patient')} whose images have different "
                f"labels {verb} not count by patient."
            )
    notes += [
        "95 % intervals resample patients, with all of their images. They are about "
        "other patients like these and the same model.",
        "by patient: the mean probability, or value, of a patient's images; where "
        "hardly any patient has several images, or their labels differ, by image comes "
        "first.",
    ]
    notes += [results.reference_note] if results.reference else []
    title = f"Metrics on {results.place}, with 95 % intervals"
    return Table("metrics", title, sections, notes, pd.DataFrame(data))


def _metrics_of(results: Assessed, task: Task) -> tuple[TableSection, list]:
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
    reference = [results.reference] if results.reference else []
    rows, data = [(*counts, *(Entry("") for _ in reference))], []
    first = compared(task)
    for metric in (*first, *(n for n in names_of(task) if n not in first)):
        row = [Entry(heading(metric))]
        for one in units:
            own = found[f"by_{one}"]
            value, low, high = numbers(own, metric)
            text, *ends = shown_alike(metric, value, low, high)
            interval = Entry(" to ".join(ends), low)
            row.append(numbered(text, value))
            row.append(Entry(NO_NUMBER) if math.isnan(low) else interval)
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
                    **{
                        name.replace(" ", "_"): results.reference_value(
                            task, metric, one
                        )
                        for name in reference
                    },
                }
            )
        for _ in reference:
            value = results.reference_value(task, metric, unit)
            row.append(numbered(shown(metric, value), value))
        rows.append(tuple(row))
    patients = plural(found[f"by_{unit}"]["patients"], "patient")
    n = found["by_image"]["n"]
    counted = plural(n, "image" if len(task.components) == 1 else "label")
    of_images = "" if len(task.components) == 1 else " of images"
    title = f"{task.title}: {patients}, {counted}{of_images}"
    return TableSection(title, (*headings, *reference), rows), data


def strata_table(results: Assessed) -> Table:
    """The metrics of each value of each field."""
    sections, data = [], []
    for task in results.tasks:
        names = _shown_in_strata(task)
        own = results.of_unit(task)
        labelled = labelled_rows(results.table, task)
        small = is_small(labelled, task, own["patients"])
        whole = {"all": {"": {**own, "small": small}}}
        rows = []
        for field, strata in (whole | results.assessment[task.name]["strata"]).items():
            for value, own in strata.items():
                row = [Entry(f"{field}: {value}" if value else field)]
                row += [Entry(str(own[key]), own[key]) for key in ("n", "patients")]
                row.append(Entry(note_of(own)))
                for metric in names:
                    point, low, high = numbers(own, metric)
                    text = with_interval(metric, point, low, high)
                    row.append(numbered(text, point))
                rows.append(tuple(row))
                data += _stratum_rows(task, field, value, own)
        headings = ["stratum", "n", "patients", "note", *map(heading, names)]
        title = f"{task.title}, by {results.unit(task)}"
        sections.append(TableSection(title, tuple(headings), rows))
    notes = [
        f"small: fewer than {SMALL_STRATUM} patients. rare class: fewer than "
        f"{RARE_CLASS} patients of a class. Such a row shows next to nothing.",
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
        few = stratum["patients"] < SMALL_STRATUM
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
        | dict(zip(("point", "low", "high"), numbers(own, metric), strict=True))
        for metric in own["metrics"]
    ]
