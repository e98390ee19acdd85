"""Looking up the label of a task among the fields of a dataset. No TensorFlow."""

import re
from collections.abc import Mapping

import numpy as np

from mdmt_tf.errors import DataError, nearest
from mdmt_tf.tasks import Task

# Field name -> array (n,) or (n, k), one row an example in the order of storage.
Table = Mapping[str, np.ndarray]

REQUIRED = ("image_id", "patient_id", "site")


def field_values(dataset: str, table: Table, field: str) -> np.ndarray:
    """The values of one field, or of one element of a vector field.

    Args:
        dataset: name of the dataset, for messages.
        table: its fields.
        field: "score", or "scores[3]" for the fourth element of each row.
    Returns: array (n,).
    Raises: DataError when there is no such field, naming those that there are.
    """
    element = re.fullmatch(r"(.+)\[(\d+)\]", field)
    name = element[1] if element and field not in table else field
    if name not in table:
        known = sorted(table)
        raise DataError(
            f"dataset {dataset!r} has no field {name!r}.{nearest(name, known)} "
            f"Its fields: {', '.join(known)}."
        )
    values = table[name]
    if values.ndim == 1:
        if name != field:
            raise DataError(
                f"dataset {dataset!r}: {field!r} asks for an element, but {name!r} is "
                "a single value. Write the name alone."
            )
        return values
    if name == field or int(element[2]) >= values.shape[1]:
        raise DataError(
            f"dataset {dataset!r}: {name!r} holds {values.shape[1]} values; expected "
            f"one of them, {name}[0] to {name}[{values.shape[1] - 1}]. "
            f"Received: {field!r}."
        )
    return values[:, int(element[2])]


def task_labels(dataset: str, table: Table, task: Task) -> np.ndarray:
    """The labels (n,) that `dataset` has for `task`, checked against its classes.

    Raises: DataError for a field that is missing or a label that is no class.
    """
    field = task.sources[dataset]
    try:
        labels = field_values(dataset, table, field)
        task.to_class(labels)
    except DataError as error:
        raise DataError(
            f"tasks.{task.name}.from.{dataset} = {field!r}: {error}"
        ) from error
    return labels
