"""Association of the fields with each label, on the training patients of one fold.

A field chosen for a task or a baseline because of all patients has seen the test
patients.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.diagnosis.findings import NOTE, Finding
from mdmt_tf.diagnosis.material import Material
from mdmt_tf.diagnosis.measures import is_outcome_time
from mdmt_tf.experiments.correlations import COLUMNS, correlate
from mdmt_tf.tasks.labels import REQUIRED, Table

_SIGNIFICANT = 0.05


def associate(material: Material) -> tuple[pd.DataFrame, list[Finding]]:
    """The columns of `correlate`, without the name of a baseline, and findings.

    Times of outcomes follow from the label and are left out, and so are tasks with
    several labels or without classes, as for baselines.
    """
    split = material.folds[material.fold]
    found = [pd.DataFrame(columns=COLUMNS)]
    for task in material.tasks:
        if task.baseline_problem() is not None:
            continue
        tables, fields = {}, {}
        for dataset in task.sources:
            table = material.tables[dataset]
            train = list(split.datasets.get(dataset, {}).get("train", ()))
            chosen = np.isin(np.asarray(table["image_id"], str), train)
            labels = material.label_fields(dataset)
            names = _usable(table, labels)
            if names and chosen.any():
                fields[dataset] = names
                tables[dataset] = {key: own[chosen] for key, own in table.items()}
        if fields:
            section = BaselineSection(task=task.name, fields=fields)
            found.append(correlate("doctor", section, task, tables))
    table = pd.concat([own for own in found if len(own)] or found, ignore_index=True)
    table = table.drop(columns="baseline")
    # Constant fields, and those that hardly any patient has.
    table = table[table["value"].notna()].reset_index(drop=True)
    return table, list(_findings(table, split.fold))


def _findings(table: pd.DataFrame, fold: int) -> Iterator[Finding]:
    sure = table[table["p_holm"] < _SIGNIFICANT]
    for (task, dataset), rows in sure.groupby(["task", "dataset"], sort=False):
        rows = rows.sort_values("value", key=abs, ascending=False)
        listed = ", ".join(
            f"{row.field} ({row.measure} {row.value:.2f}, n = {row.n})"
            for row in rows.itertuples()
        )
        yield Finding(
            level=NOTE,
            kind="association",
            where=f"{task}, {dataset}",
            text=f"Associated with {task} among the training patients of fold {fold}: "
            f"{listed}.",
            advice="Candidates for baselines and for second tasks, chosen without "
            "looking at test patients.",
            values={row.field: row.value for row in rows.itertuples()},
        )


def _usable(table: Table, labels) -> tuple[str, ...]:
    left_out = {*labels, *REQUIRED[:2]}
    return tuple(
        name
        for name, values in table.items()
        if values.ndim == 1 and name not in left_out and not is_outcome_time(name)
    )
