"""The AUC within strata of the fields that predict the outcome alone."""

import dataclasses
from collections.abc import Iterator

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.results import Results
from mdmt_tf.experiments.run_results import training_rows
from mdmt_tf.metrics.text import NO_NUMBER, shown
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.headings import task_by, title_of
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, numbered
from mdmt_tf.statistics.suspect_fields import SUSPECT, predictive_fields
from mdmt_tf.statistics.within_strata import AdjustedAuc, within_strata
from mdmt_tf.tasks import Property, Task

_HEADINGS = ("experiment", "AUC", "within strata", "95 % interval", "pairs", "(%)")


@dataclasses.dataclass(frozen=True)
class _Suspect:
    """A field of a dataset that predicts a task alone."""

    task: Task
    validation: str
    dataset: str
    field: str
    accuracy: float
    texts: dict[str, str]


def within_table(aggregates: Aggregates) -> Table | None:
    """All experiments within the strata of all suspect fields.

    Returns: None where no field is stored, or no task has two classes.
    """
    results = aggregates.results
    if results.fields is None:
        return None
    sections, data, notes = [], [], []
    for task in results.tasks.values():
        if task.label_shape or Property.TWO_CLASSES not in task.properties:
            continue
        for validation in aggregates.validations_of(task.name):
            suspects, tried = _suspects(results, task, validation)
            notes += tried
            for suspect in suspects:
                section, rows = _section(aggregates, suspect)
                sections.append(section)
                data += rows
    if not notes:
        return None
    notes = [
        "AUC: over all pairs of patients (or images) with and without the outcome of "
        "the same fit. Every pair counts alike, where Table 1 has the mean over folds. "
        "within strata: over the pairs with the same value of the field, whose "
        "percentage of all pairs is in the last column; a patient with images of "
        "several values is in the pairs of each. A network that has learned the field "
        "alone has 0.5 there. The interval resamples patients.",
        *notes,
        "within_strata.csv has the strata one by one, and why an interval is not "
        "estimable.",
    ]
    title = "Within strata: what remains beyond a field"
    return Table("within_strata", title, sections, notes, pd.DataFrame(data))


def _suspects(
    results: Results, task: Task, validation: str
) -> tuple[list[_Suspect], list[str]]:
    """The suspect fields, and a sentence on all that were tried for each dataset."""
    found, notes = [], []
    for dataset in task.sources:
        texts = {
            field: dict(zip(own["image_id"], own["value"], strict=True))
            for field, own in results.fields[
                results.fields["dataset"] == dataset
            ].groupby("field", sort=False)
        }
        rows = _training_rows(results, task, validation, dataset)
        if not texts or rows.empty:
            continue
        accuracies = predictive_fields(rows, task, texts)
        ranked = sorted(accuracies.items(), key=lambda pair: -pair[1])
        words = ", ".join(f"{field} {value:.2f}" for field, value in ranked)
        notes.append(
            f"{task.name}, {validation}: balanced accuracy of each field of {dataset} "
            f"alone, for the training patients of a fold: {words}. Suspect from "
            f"{SUSPECT:.2f} on."
        )
        found += [
            _Suspect(task, validation, dataset, field, value, texts[field])
            for field, value in ranked
            if value >= SUSPECT
        ]
    return found, notes


def _training_rows(
    results: Results, task: Task, validation: str, dataset: str
) -> pd.DataFrame:
    """Labelled training rows of the first finished fit that has all labels."""
    cells = results.cells
    finished = cells[(cells["validation"] == validation) & (cells["state"] == FINISHED)]
    for name in results.experiments_of(task.name, validation, with_fractions=False):
        fits = finished.loc[finished["experiment"] == name, "fit"]
        if len(fits) and not results.is_permuted(name, task.name):
            own = results.predicted_as(name, task.name)
            rows = training_rows(Folder(results.folder).run(fits.iloc[0]), own)
            return rows[rows["dataset"] == dataset]
    return pd.DataFrame()


def _section(
    aggregates: Aggregates, suspect: _Suspect
) -> tuple[TableSection, list[dict]]:
    results, task = aggregates.results, suspect.task
    unit = aggregates.units(task.name)[0]
    shown_rows, data = [], []
    for experiment, found in _within(aggregates, suspect, unit):
        facts = {
            "task": task.name,
            "validation": suspect.validation,
            "dataset": suspect.dataset,
            "field": suspect.field,
            "field_balanced_accuracy": suspect.accuracy,
            "unit": unit,
            "experiment": experiment,
            "stratum": "",
        }
        if isinstance(found, str):
            no_number = [Entry(NO_NUMBER)] * 2
            shown_rows.append((Entry(experiment), *no_number, Entry(found), *no_number))
            data.append({**facts, "not_estimable": found})
            continue
        ends = f"[{shown('auc', found.low)}, {shown('auc', found.high)}]"
        if found.reason or not aggregates.resamples:
            ends = f"not estimable: {found.reason}" if found.reason else ""
        shown_rows.append(
            (
                Entry(experiment),
                _auc(found.overall),
                _auc(found.value),
                Entry(ends),
                Entry(str(found.pairs), found.pairs),
                numbered(f"{100 * found.fraction:.1f}", found.fraction),
            )
        )
        whole = {"auc": found.value, "low": found.low, "high": found.high}
        whole |= {"pairs": found.pairs, "overall": found.overall}
        whole |= {"fraction": found.fraction, "not_estimable": found.reason}
        data.append({**facts, **whole})
        data += [
            {**facts, "stratum": text, "auc": value, "pairs": pairs}
            for text, (value, pairs) in found.strata.items()
        ]
    title = f"{task_by(aggregates, task.name, unit)}, "
    title += f"{title_of(results, suspect.validation)}: {suspect.field} of "
    title += f"{suspect.dataset}, which alone has {suspect.accuracy:.2f}"
    return TableSection(title, _HEADINGS, shown_rows), data


def _within(
    aggregates: Aggregates, suspect: _Suspect, unit: str
) -> Iterator[tuple[str, AdjustedAuc | str]]:
    """Each experiment, or the reason why it has no AUC."""
    results, task = aggregates.results, suspect.task
    for experiment in results.experiments_of(
        task.name, suspect.validation, with_fractions=False
    ):
        short = aggregates.differences.shortfall(suspect.validation, experiment)
        if short:
            yield experiment, f"not complete: {short.removeprefix(f'{experiment}: ')}"
            continue
        rows = results.rows_of(experiment, suspect.validation, task.name)
        rows = rows[rows["dataset"] == suspect.dataset]
        if len(rows):
            yield (
                experiment,
                within_strata(
                    rows,
                    task,
                    suspect.texts,
                    unit=unit,
                    resamples=max(aggregates.resamples, 1),
                ),
            )


def _auc(value: float) -> Entry:
    return numbered(shown("auc", value), value)
