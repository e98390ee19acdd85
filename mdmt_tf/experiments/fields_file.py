"""`fields.csv`: the fields that divide the images of a benchmark into strata.

A report never opens the data. What it needs of them is written with the plan.
No TensorFlow.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.statistics.strata import stratum_fields
from mdmt_tf.storage import write_text
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table, label_fields

COLUMNS = ["dataset", "field", "image_id", "value"]


def write(tables: Mapping[str, Table], tasks: Sequence[Task], path: Path) -> None:
    """Write one row per image and field, for the fields of `stratum_fields`.

    The labels of the tasks are no strata and are left out.

    Args:
        tables: dataset -> fields.
        tasks: all tasks of the benchmark.
        path: of `fields.csv`.
    """
    found = [pd.DataFrame(columns=COLUMNS)]
    for dataset, table in tables.items():
        labels = [field for task in tasks for field in label_fields(task, dataset)]
        images = [str(name) for name in table["image_id"]]
        for field, texts in stratum_fields(table, leave_out=labels).items():
            own = {"dataset": dataset, "field": field, "image_id": images}
            found.append(pd.DataFrame(own | {"value": texts.tolist()})[COLUMNS])
    whole = pd.concat(found, ignore_index=True)
    write_text(path, whole.to_csv(index=False, lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """The rows of the file.

    Raises: DataError when it is damaged.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(table.columns)}")
    except ValueError as error:  # also what pandas' parser raises
        raise DataError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; {error}. The file is "
            "damaged: remove it and run the benchmark again."
        ) from error
    return table
