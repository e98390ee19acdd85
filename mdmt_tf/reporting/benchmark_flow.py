"""The flow of patients of a benchmark, from what its fits have written."""

import dataclasses

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.flow_table import flow_table
from mdmt_tf.reporting.table_files import Table
from mdmt_tf.runs.flow import DatasetFlow, PatientFlow, patient_flow
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.files import SPLITS


def benchmark_flow(results: Results) -> Table | None:
    """Found, left out and why, taken, by split, labelled; None if no fit has stated it.

    Splits and labels are those of one fold, the first with a finished fit; of all
    experiments together, because each states the labels that it was trained with.
    """
    cells = results.cells[results.cells["state"] == FINISHED]
    if cells.empty:
        return None
    # The fold that most experiments have; the first of these.
    keys = ["validation", "seed", "fold"]
    counts = cells.groupby(keys, sort=False)["experiment"].nunique()
    fold = counts.idxmax()
    own = cells[(cells[keys] == list(fold)).all(axis=1)]
    found: dict[str, DatasetFlow] = {}
    for fit in dict.fromkeys(own["fit"]):
        run = RunFolder(results.folder / "runs" / fit)
        # Fits of earlier versions have none, and prepared data may have changed.
        if run.flow.is_file():
            for one in patient_flow(run).datasets:
                known = found.get(one.name)
                found[one.name] = _joined(known, one) if known else one
    table = flow_table(
        PatientFlow(tuple(found.values())),
        SPLITS if results.split == "test" else ("train", "validation"),
    )
    if table is None:
        return None
    validation, _, number = fold
    note = f"Splits and labels: of fold {number} of {validation}."
    return dataclasses.replace(table, notes=[note, *table.notes])


def _joined(first: DatasetFlow, other: DatasetFlow) -> DatasetFlow:
    """The same flow with the labels of both; the first states what both have."""
    return dataclasses.replace(
        first,
        labelled={**first.labelled, **other.labelled, **first.labelled},
        classes={**first.classes, **other.classes, **first.classes},
    )
