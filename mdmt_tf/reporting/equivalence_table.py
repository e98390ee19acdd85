"""Probabilities that experiments differ by more than what matters in practice."""

import pandas as pd

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.metrics.text import NO_NUMBER, shown
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.headings import title_of
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, heading, numbered
from mdmt_tf.statistics.equivalence import bayesian_t, fold_differences

_COLUMNS = ["task", "validation", "candidate", "other", "figure", "rope"]
_COLUMNS += ["less", "equivalent", "greater"]


def equivalence_table(aggregates: Aggregates) -> Table | None:
    """The correlated Bayesian t-test of the metrics in `benchmark.comparison.rope`.

    None if there are none, or no experiments to compare.
    """
    results = aggregates.results
    rope = results.benchmark.comparison.rope
    sections, data = [], []
    for task in results.tasks.values():
        metrics = [name for name in rope if METRICS[name].is_of(task)]
        for validation in aggregates.validations_of(task.name) if metrics else ():
            rows = [
                _row(aggregates, (task.name, validation, *pair, metric))
                for pair in results.pairs(task.name, validation)
                for metric in metrics
            ]
            if rows:
                data += rows
                headings = ("compared", "metric", "matters from", "less", "equivalent")
                title = f"{task.name}, {title_of(results, validation)}"
                entries = [_entries(row) for row in rows]
                sections.append(TableSection(title, (*headings, "greater"), entries))
    if not data:
        return None
    notes = [
        "Correlated Bayesian t-test of Corani and Benavoli 2015, over the folds of all "
        "repeats, averaged over backbones and seeds. Probabilities that the "
        "difference, candidate − other, is below, within or above the region in which "
        "it does not matter (benchmark.comparison.rope). Whether less is better "
        "depends on the metric. Metrics are means over folds, by the unit of the "
        "primary comparison.",
    ]
    title = "Practical equivalence of two experiments"
    frame = pd.DataFrame(data, columns=_COLUMNS)
    return Table("equivalence", title, sections, notes, frame)


def _row(aggregates: Aggregates, facts: tuple) -> dict:
    task_name, validation, candidate, other, metric = facts
    results = aggregates.results
    rope = results.benchmark.comparison.rope[metric]
    folds = aggregates.differences.folds(validation)
    rows = [
        results.rows_of(experiment, validation, task_name)
        for experiment in (candidate, other)
    ]
    task = results.tasks[task_name]
    is_short = any(
        aggregates.differences.shortfall(validation, experiment)
        for experiment in (candidate, other)
    )
    values = None
    if not is_short:
        values = fold_differences(*rows, task, metric, folds=folds)
    found = None
    if values is not None and folds > 1:
        found = bayesian_t(values, folds=folds, rope=rope)
    nan = float("nan")
    chances = (found.less, found.equivalent, found.greater) if found else (nan,) * 3
    return dict(zip(_COLUMNS, (*facts, rope, *chances), strict=True))


def _entries(row: dict) -> tuple[Entry, ...]:
    names = (
        Entry(f"{row['candidate']} - {row['other']}"),
        Entry(heading(row["figure"])),
        Entry(shown(row["figure"], row["rope"])),
    )
    chances = [row[name] for name in ("less", "equivalent", "greater")]
    if any(chance != chance for chance in chances):
        return (*names, Entry("not estimable"), Entry(NO_NUMBER), Entry(NO_NUMBER))
    return (*names, *(numbered(f"{chance:.3f}", chance) for chance in chances))
