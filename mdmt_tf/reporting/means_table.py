"""Table 1: means over folds and backbones, next to the paper's."""

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.layout import blocks_of
from mdmt_tf.metrics.table import METRICS, headline
from mdmt_tf.metrics.text import NO_NUMBER, means_text, plural, shown
from mdmt_tf.reporting import effort, paper_columns
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.groups import NAN, Group, Unit, Value
from mdmt_tf.reporting.headings import task_by, title_of
from mdmt_tf.reporting.table_files import (
    Entry,
    Folded,
    Table,
    TableSection,
    heading,
    numbered,
    titled,
)
from mdmt_tf.tasks import Task

# Metrics in one block, so that it fits into 80 columns: alone, and with the paper's.
_MOST, _MOST_WITH_PAPER = 4, 3


def table_1(aggregates: Aggregates) -> Table:
    """Mean over folds and backbones, one row per experiment, next to the paper's."""
    results = aggregates.results
    sections, data = [], []
    for task in results.tasks.values():
        for validation in aggregates.validations_of(task.name):
            for unit in aggregates.units(task.name):
                found, numbers = _sections(aggregates, task, validation, unit)
                is_term = task.name in results.terms
                sections += [dataclasses.replace(s, folded=is_term) for s in found]
                data += numbers
    with_paper = any(not math.isnan(row["paper"]) for row in data)
    return Table(
        "table_1",
        "Table 1: mean over folds and backbones",
        sections,
        _notes(aggregates, with_paper),
        pd.DataFrame(data),
        folded=folded_terms(results, sections),
    )


def folded_terms(
    results: Results, sections: Sequence[TableSection], lead: tuple[str, ...] = ()
) -> Folded | None:
    """What the folded sections of tasks are that feed a derived answer.

    Args:
        sections: of the table; maybe none of them is folded.
        lead: sentences about these tasks.
    """
    if not any(section.folded for section in sections):
        return None
    names = ", ".join(results.terms)
    return Folded(f"Tasks that feed a derived answer ({names})", lead)


def _sections(
    aggregates: Aggregates, task: Task, validation: str, unit: Unit
) -> tuple[list[TableSection], list[dict]]:
    """The sections of a task and validation; their data rows, one per metric."""
    results = aggregates.results
    metrics = headline(task)
    experiments = results.experiments_of(task.name, validation)
    printed = {
        (e, f): paper_columns.value(results, task, validation, e, f)
        for e in experiments
        for f in metrics
    }
    title = f"{task_by(aggregates, task.name, unit)}, {title_of(results, validation)}"
    none = all(value is None for value in printed.values())
    # The metrics of the paper are a part of their own.
    metrics = sorted(
        metrics, key=lambda f: all(printed[e, f] is None for e in experiments)
    )
    blocks = blocks_of(metrics, most=_MOST if none else _MOST_WITH_PAPER)
    efforts = {e: effort.effort_of(results, validation, e) for e in experiments}
    sections, data = [], []
    for number, block in enumerate(blocks):
        with_paper = any(printed[e, f] is not None for e in experiments for f in block)
        with_effort = not number and any(own.fits for own in efforts.values())
        rows = []
        for experiment in experiments:
            groups = aggregates.of(validation, experiment, task.name, unit)
            values = {
                f: aggregates.over_backbones(validation, experiment, task.name, f, unit)
                for f in block
            }
            row = [Entry(_name(results, experiment)), _folds(groups)]
            row += [_entry(f, value) for f, value in values.items()]
            if with_paper:
                row += [_printed(f, printed[experiment, f]) for f in block]
            if with_effort:
                row += effort.entries(efforts[experiment])
            rows.append(tuple(row))
            facts = {
                "task": task.name,
                "validation": validation,
                "unit": unit,
                "experiment": experiment,
            }
            shape = {
                "backbones": len(groups),
                "folds": max(group.folds for group in groups),
                **effort.numbers(efforts[experiment]),
            }
            data += [
                {
                    **facts,
                    "figure": f,
                    "mean": value.number,
                    "not_complete": value.reason,
                    **shape,
                    "paper": _or_nan(printed[experiment, f]),
                }
                for f, value in values.items()
            ]
        headings = ["experiment", "folds x backbones", *map(heading, block)]
        if with_paper:
            headings += [f"paper: {heading(metric)}" for metric in block]
        if with_effort:
            headings += effort.HEADINGS
        block_title = titled(title, number, len(blocks))
        sections.append(TableSection(block_title, tuple(headings), rows))
    return sections, data


def _notes(aggregates: Aggregates, with_paper: bool) -> list[str]:
    """The sentences below the table."""
    results = aggregates.results
    shown_here = {f for task in results.tasks.values() for f in headline(task)}
    meanings = [row.note for name, row in METRICS.items() if name in shown_here]
    notes = [
        " ".join(
            [
                "Mean over the folds of a backbone, then over the backbones; "
                f"{results.split} set, labelled images only.",
                *filter(None, meanings),
            ]
        )
    ]
    notes += [
        text
        for task in results.tasks.values()
        if (text := means_text(task.name, [own.name for own in task.components]))
    ]
    ordered = [
        task.name
        for task in results.tasks.values()
        if "mae" in headline(task) and METRICS["kappa"].is_of(task)
    ]
    if ordered:
        notes.append(f"MAE and RMSE of {', '.join(ordered)} count classes.")
    notes += same_label_notes(results)
    notes += _unit_notes(aggregates)
    if results.efforts:
        notes.append(
            "steps, images seen, seconds: of the training of one fit, without the fits "
            "that it starts from. The table of efforts has them, too."
        )
        notes += effort.weights_notes(results)
    if baselines := results.benchmark.baselines:
        words = "; ".join(f"{name}: {own.origin}" for name, own in baselines.items())
        notes.append(
            "A baseline has no trained backbone. It is fitted once for each fold and "
            f"is not included in means over backbones. It predicts from: {words}."
        )
    if with_paper:
        notes += paper_columns.notes(results, "Table 1")
    return notes


def same_label_notes(results: Results) -> list[str]:
    """Which experiments have results of another task in those of a derived answer."""
    grid, notes = results.benchmark, []
    for name, answer in results.tasks.items():
        of_others: dict[str, list[str]] = {}
        for experiment in (*grid.experiments, *grid.baselines):
            if name in results.tasks_of(experiment):
                own = results.predicted_as(experiment, name)
                if own is not answer:
                    of_others.setdefault(own.name, []).append(experiment)
        notes += [
            f"{name}: of {', '.join(experiments)}, the results of the task {task}, "
            "which has the same label."
            for task, experiments in of_others.items()
        ]
    return notes


def _unit_notes(aggregates: Aggregates) -> list[str]:
    """What the metrics are by, where patients have several images."""
    results, notes = aggregates.results, []
    of_patients, of_images = [], []
    for name in results.tasks:
        images, patients = aggregates.largest_split(name)
        judged = plural(images, f"{results.split} image")
        words = f"{name}: {judged} of {plural(patients, 'patient')}"
        if aggregates.units(name)[0] == "patient":
            of_patients.append(words)
        elif images > patients:
            of_images.append(words)
    if of_patients:
        notes.append(
            "By patient, the mean probability of the images of a patient is judged, so "
            "that every patient counts once; patients whose labels contradict each "
            f"other are left out. {'; '.join(of_patients)}."
        )
    if of_images:
        notes.append(
            "By image alone, because the labels of a patient differ from image to "
            "image, so a patient with many images counts more than one with few. "
            f"{'; '.join(of_images)}. assessment.json of each run has the metrics by "
            "patient."
        )
    return notes


def _or_nan(value: float | None) -> float:
    return NAN if value is None else value


def _entry(metric: str, value: Value) -> Entry:
    """The text of a value, or the reason why there is none."""
    if value.reason:
        return Entry(value.reason)
    return numbered(shown(metric, value.number), value.number)


def _printed(metric: str, value: float | None) -> Entry:
    return Entry(NO_NUMBER) if value is None else Entry(shown(metric, value), value)


def _name(results: Results, experiment: str) -> str:
    if results.is_baseline(experiment):
        # The notes say what each is; the names stay short enough for a terminal.
        return f"{experiment} (baseline)"
    permuted = results.experiments.resolved[experiment].null
    if permuted:
        return f"{experiment} ({', '.join(permuted)} permuted)"
    return experiment


def _folds(groups: list[Group]) -> Entry:
    """Folds x backbones, or the number of finished cells when some are missing."""
    cells = pd.concat([group.cells for group in groups])
    done = int((cells["state"] == FINISHED).sum())
    if done < len(cells):
        return Entry(f"{done} of {plural(len(cells), 'cell')}", done)
    folds = max(group.folds for group in groups)
    return Entry(f"{folds} x {len(groups)}", folds * len(groups))
