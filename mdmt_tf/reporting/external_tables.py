"""The tables of an external validation: metrics, runs, calibration, strata."""

import numpy as np
import pandas as pd

from mdmt_tf.metrics.table import compared
from mdmt_tf.metrics.text import shown
from mdmt_tf.reporting.assessed import number, numbers
from mdmt_tf.reporting.assessed_calibration import calibration_tables
from mdmt_tf.reporting.assessed_tables import metrics_table, strata_table
from mdmt_tf.reporting.external_results import ExternalResults
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, heading, numbered


def build_tables(results: ExternalResults) -> list[Table]:
    """All tables, in the order of the page."""
    tables = [metrics_table(results)]
    if len(results.runs) > 1:
        tables.append(runs_table(results))
    tables += calibration_tables(results)
    if any(results.assessment[task.name]["strata"] for task in results.tasks):
        tables.append(strata_table(results))
    return tables


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
        whole = [numbers(results.of_unit(task), name)[0] for name in names]
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
        title = f"{task.title}, by {results.unit(task)}"
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
