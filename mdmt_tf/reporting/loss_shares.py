"""How much each task contributes to the loss of the first epoch."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.experiments.results import Results
from mdmt_tf.experiments.run_results import labelled_fractions
from mdmt_tf.reporting.table_files import Entry, Table, TableSection
from mdmt_tf.tasks import Task

# The terms explain the total loss up to this fraction of it; the rest are the weights
# of patients and the oversampling of classes.
_TOLERANCE = 0.1


def loss_shares(results: Results) -> Table | None:
    """The fraction of each task; None without an experiment of several tasks."""
    rows, data = [], []
    for validation, experiment, fits in _fits(results):
        tasks = [results.tasks[name] for name in results.trained_by(experiment)]
        shares, reason = _mean_shares(results, fits, tasks)
        for task in tasks:
            own = shares.get(task.name, float("nan"))
            text = reason if math.isnan(own) else f"{100 * own:.1f}"
            rows.append(
                (
                    Entry(validation),
                    Entry(experiment),
                    Entry(task.name),
                    Entry(str(len(fits)), len(fits)),
                    Entry(text, None if math.isnan(own) else own),
                )
            )
            data.append(
                {
                    "validation": validation,
                    "experiment": experiment,
                    "task": task.name,
                    "fits": len(fits),
                    "share": own,
                    "reason": reason,
                }
            )
    if not rows:
        return None
    headings = ("validation", "experiment", "task", "fits", "share (%)")
    notes = [
        "Share of a task in the mean total loss of the first epoch: its weight "
        "(tasks.NAME.weight, times a learned weight) x the fraction of the drawn "
        "training rows that have its label x its mean loss (train/NAME/loss of "
        "history.csv, first row). Weights of patients are left out, so the sum may "
        "miss the recorded total; by more than 10 %, there are no shares. Mean over "
        "the finished folds of the first backbone and seed.",
        "A task with most of the loss has most of the gradient at the start. "
        "tasks.NAME.weight and pipeline.sampling change that.",
    ]
    title = "Shares: the tasks in the loss of the first epoch"
    section = TableSection("Experiments of several tasks", headings, rows)
    return Table("loss_shares", title, [section], notes, pd.DataFrame(data))


def _fits(results: Results) -> Iterator[tuple[str, str, list[str]]]:
    """Validation, experiment of several tasks, and its fits to look at."""
    cells = results.cells
    chosen = cells[
        (cells["state"] == FINISHED)
        & (cells["backbone"] == results.benchmark.backbones[0])
        & (cells["seed"] == results.benchmark.seeds[0])
        & cells["fit"].isin(list(results.histories))
    ]
    for (validation, experiment), own in chosen.groupby(
        ["validation", "experiment"], sort=False
    ):
        # Not with a fraction of the labels.
        has_all = not parse_variant(experiment)[1]
        if has_all and len(results.trained_by(experiment)) > 1:
            yield validation, experiment, list(own["fit"].unique())


def _mean_shares(
    results: Results, fits: list[str], tasks: list[Task]
) -> tuple[dict[str, float], str]:
    """task -> share, and why there is none."""
    found = []
    for fit in fits:
        terms, reason = _terms(results, fit, tasks)
        if reason:
            return {}, reason
        total = sum(terms.values())
        found.append({name: term / total for name, term in terms.items()})
    return pd.DataFrame(found).mean().to_dict(), ""


def _terms(
    results: Results, fit: str, tasks: list[Task]
) -> tuple[dict[str, float], str]:
    """task -> its term of the total loss, and why there is none."""
    first = results.histories[fit].iloc[0]
    run = Folder(results.folder).run(fit)
    columns = {task.name: f"train/{task.name}/loss" for task in tasks}
    if "train/loss" not in first or not set(columns.values()) <= set(first.index):
        return {}, "not recorded"
    if not run.config.is_file():
        return {}, "no config.yaml"
    fractions = labelled_fractions(run, tasks)
    terms = {
        task.name: task.weight * fractions[task.name] * float(first[columns[task.name]])
        for task in tasks
    }
    total = float(first["train/loss"])
    learned = [f"weight/{task.name}" for task in tasks]
    if set(learned) <= set(first.index):
        # The total has other terms, so it cannot be compared.
        pairs = zip(tasks, learned, strict=True)
        terms |= {t.name: terms[t.name] * float(first[c]) / t.weight for t, c in pairs}
        total = sum(terms.values())
    if not np.isclose(sum(terms.values()), total, rtol=_TOLERANCE):
        return {}, "trained with other losses than reported"
    return terms, ""
