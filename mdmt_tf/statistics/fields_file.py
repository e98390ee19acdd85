"""`fields.csv`: the fields that divide images into strata.

A report never opens the data. What it needs of them is written with the plan of a
benchmark, and with the predictions of a run. No TensorFlow.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.statistics.strata import labels_of_dataset, stratum_fields
from mdmt_tf.storage import write_text
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.labels import Table

COLUMNS = ["dataset", "field", "image_id", "value"]


def write(
    tables: Mapping[str, Table],
    tasks: Sequence[Answer],
    path: Path,
    images: Mapping[str, Collection[str]] | None = None,
    declared: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Write one row per image and field, for the fields of `stratum_fields`.

    Labels are no strata and are left out, see `labels_of_dataset`.

    Args:
        tables: dataset -> fields.
        tasks: all tasks of the benchmark or run.
        path: of `fields.csv`.
        images: dataset -> image_ids to write; None: all.
        declared: dataset -> the labels that its preparation declares.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> table = {
        ...     "image_id": np.array(["a", "b"], object),
        ...     "sex": np.array(["f", "m"], object),
        ... }
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "fields.csv"
        ...     write({"ward": table}, [], path, {"ward": ["b"]})
        ...     read(path).to_numpy().tolist()
        [['ward', 'sex', 'b', 'm']]
    """
    found = [pd.DataFrame(columns=COLUMNS)]
    for dataset, table in tables.items():
        own_labels = (declared or {}).get(dataset, ())
        labels = labels_of_dataset(dataset, tasks, own_labels)
        names = [str(name) for name in table["image_id"]]
        for field, texts in stratum_fields(table, leave_out=labels).items():
            own = {"dataset": dataset, "field": field, "image_id": names}
            rows = pd.DataFrame(own | {"value": texts.tolist()})[COLUMNS]
            if images is not None:
                rows = rows[rows["image_id"].isin(list(images.get(dataset, ())))]
            found.append(rows)
    whole = pd.concat(found, ignore_index=True)
    write_text(path, whole.to_csv(index=False, lineterminator="\n"))


def read(path: Path) -> pd.DataFrame:
    """The rows of the file.

    Raises: DataError when it is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "fields.csv"
        ...     write_text(path, "dataset,field,image_id,value\\nward,sex,b,m\\n")
        ...     len(read(path))
        1
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(table.columns)}")
    except ValueError as error:  # also what pandas' parser raises
        raise DataError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; {error}. The file is "
            "damaged: remove it and run the command again that wrote it."
        ) from error
    return table
