"""Read the label of a task from the fields of a dataset. No TensorFlow."""

import re
from collections.abc import Mapping

import numpy as np

from mdmt_tf.errors import DataError, nearest
from mdmt_tf.tasks import Derived, Task, label_is_known

# Field name -> array (n,) or (n, k), one row per example in the order of storage.
Table = Mapping[str, np.ndarray]

REQUIRED = ("image_id", "patient_id", "site")


def field_values(dataset: str, table: Table, field: str) -> np.ndarray:
    """The values of a field, of one element of a vector field, or sums of elements.

    Args:
        dataset: name of the dataset, for messages.
        table: its fields.
        field: "score"; "scores[3]" for the fourth element of each row; or
            "sum(scores[0:3])" for the sum of the first three, which is unknown if one
            of them is.
    Returns: array (n,).
    Raises: DataError when there is no such field; the message lists the fields.
    """
    span = re.fullmatch(r"sum\((.+)\[(\d+):(\d+)\]\)", field)
    if span and field not in table:
        return _sum(dataset, table, span[1], int(span[2]), int(span[3]))
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
                f"dataset {dataset!r}: {field!r} requests an element, but {name!r} is "
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


def _sum(dataset, table, name, first, end):
    """Sums of the elements `first` to `end` - 1 of each row."""
    if first >= end:
        raise DataError(
            f"dataset {dataset!r}: sum({name}[{first}:{end}]) adds up nothing; "
            f"expected FIRST:END with END above FIRST, for example {name}[0:3]."
        )
    parts = [
        field_values(dataset, table, f"{name}[{index}]") for index in range(first, end)
    ]
    if parts[0].dtype.kind not in "iuf":
        raise DataError(
            f"dataset {dataset!r}: {name!r} holds no numbers that could be added up."
        )
    known = np.logical_and.reduce([label_is_known(part) for part in parts])
    if parts[0].dtype.kind == "f":
        return np.where(known, np.sum(parts, axis=0), np.nan)
    # int64: int8 would overflow for long vectors.
    return np.where(known, np.sum(parts, axis=0, dtype=np.int64), -1)


def task_labels(dataset: str, table: Table, task: Task) -> np.ndarray:
    """The checked labels (n, *label_shape) of a dataset for a task.

    A label that is a vector is read from one vector field, or from several fields of
    single values.

    Raises: DataError for a missing field, or a label that the task cannot have.
    """
    field = task.sources[dataset]
    try:
        if not task.label_shape:
            labels = field_values(dataset, table, field)
        elif isinstance(field, str):
            labels = _vector(dataset, table, field, *task.label_shape)
        else:
            labels = _stacked([field_values(dataset, table, f) for f in field])
        task.encode(labels)
        _check_finite(table, labels)
    except DataError as error:
        shown = field if isinstance(field, str) else list(field)
        raise DataError(
            f"tasks.{task.name}.from.{dataset} = {shown!r}: {error}"
        ) from error
    return labels


def _check_finite(table: Table, labels: np.ndarray) -> None:
    """Refuse infinite labels. NaN stands for an unknown one."""
    if labels.dtype.kind != "f":
        return
    rows = np.flatnonzero(np.isinf(labels.reshape(len(labels), -1)).any(axis=1))
    if len(rows):
        raise DataError(
            f"the label of {len(rows)} images is infinite, such as that of "
            f"{str(table['image_id'][rows[0]])!r}. Expected a finite number, or NaN if "
            "it is not known."
        )


def check_same_labels(
    answer: Derived, tasks: Mapping[str, Task], tables: Mapping[str, Table]
) -> None:
    """Make sure that a derived answer has the labels of its task `of`.

    Args:
        answer: has a task with the same label, see `Derived.of`.
        tasks: by name, among them those of the sum.
        tables: dataset -> its fields.
    Raises: DataError where the label of an image is another one.
    """
    other = answer.of
    for dataset in answer.sources.keys() & other.sources.keys() & tables.keys():
        table = tables[dataset]
        encoded = {
            name: tasks[name].encode(task_labels(dataset, table, tasks[name]))
            for name in answer.terms
        }
        own = answer.labels_from(encoded)
        its = other.encode(task_labels(dataset, table, other))
        known = label_is_known(own) & label_is_known(its)
        wrong = np.flatnonzero(known & (own != its))
        if len(wrong):
            row, names = wrong[0], answer.class_names
            texts = [
                repr(names[int(labels[row])]) if names else f"{labels[row]:g}"
                for labels in (own, its)
            ]
            raise DataError(
                f"derived.{answer.name}.of = {other.name!r}: has other labels in "
                f"dataset {dataset!r}. {len(wrong)} of {known.sum()} images differ; of "
                f"{str(table['image_id'][row])!r} the sum gives {texts[0]}, the task "
                f"{texts[1]}. Expected the same label of each image. Are the fields "
                "and the cut points right?"
            )


def label_fields(task: Task, dataset: str) -> list[str]:
    """Names of the fields that feed a task, without the numbers of their elements.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> task = make_task(
        ...     name="lung", kind="regression", sources={"brixia": "sum(zones[0:3])"}
        ... )
        >>> label_fields(task, "brixia"), label_fields(task, "other")
        (['zones'], [])
    """
    source = task.sources.get(dataset, ())
    texts = [source] if isinstance(source, str) else source
    return [text.removeprefix("sum(").partition("[")[0] for text in texts]


def _stacked(columns: list[np.ndarray]) -> np.ndarray:
    """(n, k) from k columns; if some of them are floats, unknown is NaN in all."""
    if any(column.dtype.kind == "f" for column in columns):
        columns = [np.where(label_is_known(c), c, np.nan) for c in columns]
    return np.stack(columns, axis=1)


def _vector(dataset, table, field, length):
    """All elements of a vector field, (n, length)."""
    if field not in table:
        field_values(dataset, table, field)  # Raises for an unknown field.
    values = table.get(field, np.empty(0))
    if values.ndim != 2 or values.shape[1] != length:
        received = "single values" if values.ndim == 1 else f"shape {values.shape[1:]}"
        raise DataError(
            f"dataset {dataset!r}: {field!r} should be a vector of {length} labels for "
            f"each image; or name a list of {length} fields. Received: {received}."
        )
    return values
