"""Whether predictions and metrics of a finished run are what its model gives now.

`metrics.json` must follow from `predictions.csv`, and new predictions must be those of
`predictions.csv`. Metrics of new predictions prove nothing more: where a model predicts
nearly the same for many images, a rounding error changes their ranks, and so an AUC.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.evaluation import Evaluation
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.prediction_checks import other_values
from mdmt_tf.runs.prediction_values import EXACT
from mdmt_tf.tasks import Task

# Keras and the SavedModel may differ by 1e-5 in a probability; in a value by this
# fraction of its size, or of the std of the training values if that is larger.
TOLERANCE = 1e-5
EXAMPLES = 3

Metrics = Mapping[str, Mapping[str, Mapping[str, float | None]]]

# What a row of the table is about, and what else must be equal.
_ROW = ["dataset", "split", "task", "image_id"]
_FACTS = ["fold", "patient_id", "site", "target"]


def differences(run: RunFolder, again: Evaluation, tasks: Sequence[Task]) -> list[str]:
    """What differs between the files of a run and new predictions, in lines.

    Args:
        run: a finished run.
        again: new predictions of all its images, and their metrics.
        tasks: those of the run.
    Returns: no lines if the metrics follow from the stored predictions, and these are
        the new ones. Metrics of the new predictions are listed only if these differ.
    Raises: DataError for files that are missing or cannot be read.
    """
    stored, metrics = read_stored(run, tasks), run.read_json(run.metrics)
    lines = [
        f"{run.metrics.name}: {what}: {value:.10g}, but {run.predictions.name} gives "
        f"{other:.10g}"
        for what, value, other in _other_metrics(
            metrics, predictions.metrics_of(stored, tasks), EXACT
        )
    ]
    rows = _row_lines(run.predictions.name, stored, again.predictions, tasks)
    if rows:
        rows += [
            f"{what}: {value:.6g}, now {other:.6g}"
            for what, value, other in _other_metrics(metrics, again.metrics, TOLERANCE)
        ]
    return lines + rows


def read_stored(run: RunFolder, tasks: Sequence[Task]) -> pd.DataFrame:
    """`predictions.csv` of a run, which has every digit.

    Raises: DataError when it is missing, or is no table of these tasks.
    """
    path = run.predictions
    chances = [c for task in tasks for c in task.probability_columns]
    numbers = dict.fromkeys(["target", "prediction", *chances], np.float64)
    needed = [*predictions.ROW_KEYS, *numbers]
    try:
        table = predictions.read(path)
        if absent := [name for name in needed if name not in table]:
            raise ValueError(f"it has no column {', '.join(absent)}")
        return table.astype(numbers)
    except FileNotFoundError:
        raise run.missing(path) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read: {error}. Expected the table that `train` wrote, "
            f"with {', '.join(needed)}."
        ) from error


def _other_metrics(expected: Metrics, received: Metrics, tolerance: float) -> list:
    """(split, task and metric as a text; expected; received) where they differ."""
    return [
        (f"{split} {task} {name}", value, other)
        for split, tasks in expected.items()
        for task, metrics in tasks.items()
        for name, value, other in other_values(
            metrics, received.get(split, {}).get(task, {}), tolerance
        )
    ]


def _row_lines(
    name: str, stored: pd.DataFrame, again: pd.DataFrame, tasks: Sequence[Task]
) -> list[str]:
    stored, again = _by_row(stored), _by_row(again)
    lines = []
    for one, other, what in (
        (stored, again, "not predicted now"),
        (again, stored, "missing"),
    ):
        alone = one.index[~one.index.isin(other.index)]
        if len(alone):
            _, split, task, image, _ = alone[0]
            count = "1 row is" if len(alone) == 1 else f"{len(alone)} rows are"
            lines.append(f"{name}: {count} {what}, such as {split} {task} {image}")
    stored = stored[stored.index.isin(again.index)]
    again = again.reindex(stored.index)
    of_task = stored.index.get_level_values("task")
    for component in (c for task in tasks for c in task.components):
        own = of_task == component.name
        if own.any():
            found = _component_lines(component, stored[own], again[own])
            lines += [f"{name}: {found[0]}", *found[1:]] if found else []
    return lines


def _by_row(table: pd.DataFrame) -> pd.DataFrame:
    """With an index of the rows; those of a repeated row are numbered."""
    number = table.groupby(_ROW, sort=False).cumcount().rename("number")
    return table.set_index([*(table[name] for name in _ROW), number])


def _component_lines(
    component: Task, stored: pd.DataFrame, again: pd.DataFrame
) -> list[str]:
    """How many rows differ and by how much, and the first of them."""
    columns = list(component.probability_columns)
    chances, new = (predictions.probabilities_of(t, component) for t in (stored, again))
    gaps = np.abs(chances - new)
    allowed = TOLERANCE * np.maximum(component.scale, np.abs(chances))
    wrong = ~_equal(chances, new) & ~(gaps <= allowed)
    # Classes follow from the probabilities; a rounding error may change them.
    expected = stored[_FACTS].assign(prediction=stored["prediction"])
    received = again[_FACTS].assign(prediction=component.prediction(chances))
    others = np.stack(
        [~_equal(expected[name], received[name]) for name in expected], axis=1
    )
    differ = np.concatenate([wrong, others], axis=1)
    rows = np.flatnonzero(differ.any(axis=1))
    if not len(rows):
        return []
    verb = "differs" if len(rows) == 1 else "differ"
    known = gaps[wrong & np.isfinite(gaps)]
    largest = f", by up to {known.max():.3g}" if known.size else ""
    text = f"{component.name}: {len(rows)} of {len(stored)} rows {verb}{largest}"
    lines = [f"{text}, such as"]
    names = [*columns, *expected]
    for row in rows[:EXAMPLES]:
        place = int(differ[row].argmax())
        if place < len(columns):
            pair = chances[row, place], new[row, place]
        else:
            pair = expected[names[place]].iloc[row], received[names[place]].iloc[row]
        _, split, _, image, _ = stored.index[row]
        one, other = map(_text, pair)
        lines.append(f"  {split} {image} {names[place]}: {one}, now {other}")
    return lines


def _equal(one, other) -> np.ndarray:
    """Where two arrays are equal, or both are undefined."""
    one, other = np.asarray(one), np.asarray(other)
    return (one == other) | (pd.isna(one) & pd.isna(other))


def _text(value) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
