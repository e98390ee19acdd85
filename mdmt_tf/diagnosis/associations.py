"""Association of the fields with each label, on the training patients of one fold.

A field chosen for a task or a baseline because of all patients has seen the test
patients.
"""

import numpy as np
import pandas as pd

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.diagnosis.material import Material
from mdmt_tf.diagnosis.shortcuts import label_fields
from mdmt_tf.experiments.correlations import COLUMNS, correlate
from mdmt_tf.tasks.labels import REQUIRED, Table


def associate(material: Material) -> pd.DataFrame:
    """The columns of `correlate`, without the name of a baseline; one row per field.

    Tasks with several labels or without classes are left out, as for baselines.
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
            labels = label_fields(material, dataset)
            names = _usable(table, labels)
            if names and chosen.any():
                fields[dataset] = names
                tables[dataset] = {key: own[chosen] for key, own in table.items()}
        if fields:
            section = BaselineSection(task=task.name, fields=fields)
            found.append(correlate("doctor", section, task, tables))
    table = pd.concat([own for own in found if len(own)] or found, ignore_index=True)
    return table.drop(columns="baseline")


def _usable(table: Table, labels) -> tuple[str, ...]:
    return tuple(
        name
        for name, values in table.items()
        if values.ndim == 1 and name not in labels and name not in REQUIRED[:2]
    )
