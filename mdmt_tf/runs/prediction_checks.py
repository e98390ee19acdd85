"""Nothing is computed from a table of predictions before it has been checked.

A file that was cut off, merged, edited or taken from another run is an error that names
the file, the line and the column. No TensorFlow.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.runs import predictions
from mdmt_tf.runs.prediction_problems import (
    Expected,
    Problem,
    columns,
    images_and_patients,
    keys,
    listed_images,
)
from mdmt_tf.runs.prediction_values import (
    EXACT,
    derived_values,
    values_of_components,
)

# Each relies on what the ones before have found to be right.
_FINDERS = (
    columns,
    keys,
    images_and_patients,
    values_of_components,
    listed_images,
    derived_values,
)


def check_predictions(
    table: pd.DataFrame, path: Path, expected: Expected, remedy: str
) -> None:
    """Make sure that a table holds predictions as they are expected.

    Args:
        table: of `predictions.read`, of the file or of one split of it.
        path: of the file.
        expected: what the table has to agree with.
        remedy: what to do about a damaged file, a sentence.
    Raises: DataError for the first problem: a column that is missing or holds text, a
        probability outside [0, 1], probabilities that do not sum to 1, a label or a
        prediction that is no class, a prediction that is not that of its probabilities,
        a derived answer that is not that of its tasks, a row that is there twice, an
        image with two patients, images that are not those of the lists.
    """
    for find in _FINDERS:
        for problem in find(table, expected):
            raise DataError(_text(table, path, problem, remedy))


def check_metrics(
    stored: Mapping[str, Mapping], found: Mapping[str, Mapping], where: str, remedy: str
) -> None:
    """Make sure that stored metrics are those of the predictions.

    Args:
        stored: task -> metrics, from a file; null stands for NaN.
        found: task -> metrics, computed from the predictions.
        where: the file and the split, such as "runs/a/metrics.json: test".
        remedy: what to do about a damaged file, a sentence.
    Raises: DataError that names the task and the metric.
    """
    for task, metrics in found.items():
        if task not in stored:
            raise DataError(
                f"{where}: has no {task}, of which predictions.csv has rows. {remedy}"
            )
        if not isinstance(stored[task], Mapping):
            raise DataError(f"{where} {task}: expected metrics by name. {remedy}")
        for name, value, other in other_values(stored[task], metrics, EXACT):
            raise DataError(
                f"{where} {task} {name} = {value}: predictions.csv gives {other}. One "
                "of the two files is damaged or was changed, or another version of "
                f"mdmt_tf computed the metric. {remedy}"
            )


def other_values(
    stored: Mapping, found: Mapping[str, float], tolerance: float
) -> Iterator[tuple[str, object, float]]:
    """The stored values that are not those found: name, stored, found.

    Args:
        stored: name -> number; null stands for NaN.
        found: name -> number.
        tolerance: largest difference, times the size of the stored one if above 1.

    Example:
        >>> stored = {"auc": 0.8, "f1": None}
        >>> list(other_values(stored, {"auc": 0.7, "f1": math.nan}, 0))
        [('auc', 0.8, 0.7)]
    """
    for name, value in stored.items():
        other = found.get(name, math.nan)
        if is_of_some_classes(name, other):
            continue
        if value is None:
            value = math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield name, repr(value), other
        elif math.isnan(value) != math.isnan(other) or (
            abs(value - other) > tolerance * max(1.0, abs(value))
        ):
            yield name, value, other


def is_of_some_classes(name: str, found: float) -> bool:
    """Whether a stored value of a metric that is not defined may be a number.

    Earlier versions computed metrics of all classes over the classes present.

    Args:
        name: of the metric.
        found: its value, computed from the predictions.

    Example:
        >>> is_of_some_classes("g_mean", math.nan), is_of_some_classes("mae", math.nan)
        (True, False)
    """
    return name in METRICS and METRICS[name].needs_all and math.isnan(found)


def _text(table: pd.DataFrame, path: Path, problem: Problem, remedy: str) -> str:
    if problem.row is None:
        return f"{path}: {problem.text}. {remedy}"
    row = table.iloc[problem.row]
    names = [str(row[name]) for name in ("dataset", "split", "task", "image_id")]
    line = _line_of(path, table, problem.row)
    place = f"{path}, line {line}" if line else f"{path}"
    return f"{place} ({' '.join(names)}): {problem.column}{problem.text}. {remedy}"


def _line_of(path: Path, table: pd.DataFrame, row: int) -> int | None:
    """The line of a row, by its place among the rows of the splits of the table."""
    splits, place, number = set(table["split"]), None, -1
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        for fields in rows:
            if place is None:
                place = fields.index("split")
            elif fields[place : place + 1] and fields[place] in splits:
                number += 1
                if number == row:
                    return rows.line_num
    return None


def read_checked(
    path: Path, expected: Expected, remedy: str, split: str | None = None
) -> pd.DataFrame:
    """Read a table of predictions, and check it.

    Args:
        path: of the file.
        expected: what it has to agree with.
        remedy: what to do about a damaged file, a sentence.
        split: the rows to read; None: all.
    Raises: DataError, see `check_predictions`; also where there is no such file.
    """
    try:
        table = predictions.read(path, split)
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, although the run is finished. {remedy}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a table of predictions: {error}. {remedy}"
        ) from error
    check_predictions(table, path, expected, remedy)
    return table
