"""Nothing is computed from a table of predictions before it has been checked.

A file that was cut off, merged, edited or taken from another run is an error that names
the file, the line and the column. No TensorFlow.
"""

import csv
import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.predictions import KEYS, probabilities_of
from mdmt_tf.splits.files import SPLITS, Lists
from mdmt_tf.tasks import Answer, Derived, Property

# A metric, or a prediction of a derived answer, that is computed from the same numbers
# may differ by this, times its size if that is above 1.
EXACT = 1e-9
DERIVED = 1e-5
# Probabilities may leave [0, 1] by this, and their sum may differ from 1 by ten times
# as much: they may have been rounded to float32.
ROUNDING = 1e-6

_IMAGE = ["dataset", "image_id"]
_TEXTS = [key for key in KEYS if key not in ("fold", "site")]


class Problem(NamedTuple):
    """What is wrong with a table: the row, or None; the column, or ""; what it is."""

    row: int | None
    column: str
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """What a table of predictions has to agree with.

    Attributes:
        answers: tasks and derived answers of the rows.
        splits: the values that the column `split` may have.
        fold: the number of the fold; None: any, but one.
        lists: dataset -> split -> images that have predictions; None: not known.
        examples: dataset -> number of its images; None: not known.
        others: whether the table may have rows of other answers, which are not checked.
    """

    answers: Sequence[Answer]
    splits: Collection[str] = SPLITS
    fold: int | None = None
    lists: Lists | None = None
    examples: Mapping[str, int] | None = None
    others: bool = False


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
    for find in (_columns, _keys, _images, _of_components, _of_derived, _listed):
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
                f"of the two files is damaged or was changed. {remedy}"
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
        if value is None:
            value = math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield name, repr(value), other
        elif math.isnan(value) != math.isnan(other) or (
            abs(value - other) > tolerance * max(1.0, abs(value))
        ):
            yield name, value, other


def _columns(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    needed = dict.fromkeys([*KEYS, "target", "prediction"])
    if "task" in table.columns:
        tasks = set(table["task"])
        for component in (c for one in expected.answers for c in one.components):
            if component.name in tasks:
                needed |= dict.fromkeys(component.probability_columns)
    if absent := [name for name in needed if name not in table.columns]:
        text = f"the columns {', '.join(absent)} are missing"
        yield Problem(None, "", f"not a table of predictions: {text}")
    numbers = [name for name in table.columns if name not in (*_TEXTS, "site", "run")]
    for name in numbers:
        values = table[name]
        if not len(table) or (values.dtype.kind in "iuf"):
            continue
        parsed = pd.to_numeric(values, errors="coerce")
        wrong = np.flatnonzero(parsed.isna() & values.notna() & (values != ""))
        row = int(wrong[0]) if len(wrong) else 0
        yield Problem(row, name, f" = {values.iloc[row]!r}: expected a number")


def _keys(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    for name in _TEXTS:
        empty = np.flatnonzero(table[name].isna() | (table[name] == ""))
        if len(empty):
            yield Problem(int(empty[0]), name, ": is empty")
    wrong = np.flatnonzero(~table["split"].isin(list(expected.splits)))
    if len(wrong):
        row = int(wrong[0])
        allowed = ", ".join(expected.splits)
        text = f" = {table['split'].iloc[row]!r}: expected one of {allowed}"
        yield Problem(row, "split", text)
    folds = table["fold"].to_numpy()
    if len(folds):
        fold = folds[0] if expected.fold is None else expected.fold
        wrong = np.flatnonzero(folds != fold)
        if len(wrong):
            row = int(wrong[0])
            text = f" = {folds[row]:g}: expected {fold:g}, the fold of this run"
            yield Problem(row, "fold", text)
    known = [c.name for one in expected.answers for c in one.components]
    wrong = np.flatnonzero(~table["task"].isin(known))
    if len(wrong) and not expected.others:
        row = int(wrong[0])
        text = f" = {table['task'].iloc[row]!r}: expected one of {', '.join(known)}"
        yield Problem(row, "task", text)


def _images(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Rows that are there twice, and images that change their patient."""
    twice = np.flatnonzero(table.duplicated([*_IMAGE, "task"]))
    if len(twice):
        text = ": there is another row of this image and task above"
        yield Problem(int(twice[0]), "image_id", text)
    first = ~table.duplicated(_IMAGE)
    for name in ("patient_id", "site"):
        changed = np.flatnonzero(~table.duplicated([*_IMAGE, name]) & ~first)
        if len(changed):
            row = int(changed[0])
            own = table.loc[first & _same(table, row, _IMAGE), name].iloc[0]
            text = f" = {table[name].iloc[row]!r}: a row above has {own!r} for it"
            yield Problem(row, name, text)
    if expected.examples is not None:
        counts = table.loc[first, "dataset"].value_counts(sort=False)
        for dataset, count in counts.items():
            row = int(np.flatnonzero(table["dataset"] == dataset)[0])
            if dataset not in expected.examples:
                text = f" = {dataset!r}: manifest.json has no such dataset; it has "
                yield Problem(row, "dataset", text + ", ".join(expected.examples))
            elif count > expected.examples[dataset]:
                text = f" = {dataset!r}: the file has {count} images of it; by "
                text += f"manifest.json it has {expected.examples[dataset]}"
                yield Problem(row, "dataset", text)


def _same(table: pd.DataFrame, row: int, names: Sequence[str]) -> np.ndarray:
    own = [table[name].to_numpy() == table[name].iloc[row] for name in names]
    return np.logical_and.reduce(own)


def _of_components(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    tasks = table["task"].to_numpy()
    every = {c: i for i, c in enumerate(table.columns) if _is_chance(c)}
    chances = table[list(every)].to_numpy(np.float64)
    is_empty = np.isnan(chances)
    for component in (c for one in expected.answers for c in one.components):
        rows = np.flatnonzero(tasks == component.name)
        if not len(rows):
            continue
        others = [
            place
            for place, name in enumerate(every)
            if name not in component.probability_columns
        ]
        filled = ~is_empty[np.ix_(rows, others)]
        if filled.any():
            row, place = np.argwhere(filled)[0]
            name = list(every)[others[place]]
            text = f": expected nothing, because {component.name} has no such column"
            yield Problem(int(rows[row]), name, text)
        for row, name, text in _of_component(table.iloc[rows], component):
            yield Problem(int(rows[row]), name, text)


def _is_chance(column: str) -> bool:
    return column == "value" or column.removeprefix("p_").isdecimal()


def _of_component(rows: pd.DataFrame, component: Answer) -> Iterator[Problem]:
    columns = list(component.probability_columns)
    values = probabilities_of(rows, component)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        text = f" = {values[row, place]:g}: expected a number"
        yield Problem(int(row), columns[place], text)
    count = component.n_classes if Property.CLASSES in component.properties else 0
    if count:
        yield from _of_chances(values[:, :count], columns)
    targets = rows["target"].to_numpy(np.float64)
    answers = rows["prediction"].to_numpy(np.float64)
    for name, numbers in (("target", targets), ("prediction", answers)):
        known = ~np.isnan(numbers) if name == "target" else np.ones(len(rows), bool)
        allowed = np.isfinite(numbers)
        if count:
            allowed &= (numbers >= 0) & (numbers < count) & (numbers % 1 == 0)
        wrong = np.flatnonzero(known & ~allowed)
        if len(wrong):
            row = int(wrong[0])
            what = f"a class of {component.name}, 0 to {count - 1}"
            text = f" = {numbers[row]:g}: expected {what if count else 'a number'}"
            yield Problem(row, name, text)
    wrong = np.flatnonzero(component.prediction(values) != answers)
    if len(wrong):
        row = int(wrong[0])
        text = f" = {answers[row]:g}: the probabilities of the row give "
        yield Problem(row, "prediction", f"{text}{component.prediction(values)[row]:g}")


def _of_chances(values: np.ndarray, columns: Sequence[str]) -> Iterator[Problem]:
    wrong = (values < -ROUNDING) | (values > 1 + ROUNDING)
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        text = f" = {values[row, place]:g}: expected a probability in [0, 1]"
        yield Problem(int(row), columns[place], text)
    sums = values.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > 10 * ROUNDING)
    if len(wrong):
        row, last = int(wrong[0]), columns[values.shape[1] - 1]
        text = f" to {last}: expected probabilities that sum to 1. They sum to "
        yield Problem(row, columns[0], f"{text}{sums[row]:.6g}")


def _of_derived(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Derived answers that are not those of their tasks."""
    known = {answer.name: answer for answer in expected.answers}
    for answer in expected.answers:
        if not isinstance(answer, Derived) or not set(answer.terms) <= set(known):
            continue
        rows = np.flatnonzero(table["task"].to_numpy() == answer.name)
        if not len(rows):
            continue
        own = pd.MultiIndex.from_frame(table.iloc[rows][_IMAGE])
        predicted, labels = {}, {}
        for name in answer.terms:
            of_term = table[table["task"].to_numpy() == name]
            places = pd.MultiIndex.from_frame(of_term[_IMAGE]).get_indexer(own)
            if (places < 0).any():
                text = f" = {answer.name!r}: there is no row of {name} of this image"
                yield Problem(int(rows[int((places < 0).argmax())]), "task", text)
                return
            of_term = of_term.iloc[places]
            predicted[name] = probabilities_of(of_term, known[name])
            targets = of_term["target"].to_numpy(np.float64)
            if Property.CLASSES in known[name].properties:
                targets = np.where(np.isnan(targets), -1, targets).astype(np.int64)
            labels[name] = targets
        yield from _other_sums(table, rows, answer, predicted, labels)


def _other_sums(table, rows, answer: Derived, predicted, labels) -> Iterator[Problem]:
    """Rows whose prediction or label is not that of the tasks."""
    stored = probabilities_of(table.iloc[rows], answer)
    found = answer.predicted_from(predicted)
    wrong = np.abs(stored - found) > DERIVED * np.maximum(1.0, np.abs(found))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        text = f" = {stored[row, place]:.6g}: the predictions of its tasks give "
        column = answer.probability_columns[place]
        yield Problem(int(rows[row]), column, f"{text}{found[row, place]:.6g}")
    made = np.asarray(answer.labels_from(labels), np.float64)
    if Property.CLASSES in answer.properties:
        made = np.where(made < 0, np.nan, made)
    targets = table["target"].to_numpy(np.float64)[rows]
    wrong = ~((targets == made) | (np.isnan(targets) & np.isnan(made)))
    if Property.CLASSES not in answer.properties:
        wrong &= ~(np.abs(targets - made) <= DERIVED * np.maximum(1.0, np.abs(made)))
    if wrong.any():
        row = int(wrong.argmax())
        text = f" = {targets[row]:g}: the labels of its tasks give {made[row]:g}"
        yield Problem(int(rows[row]), "target", text)


def _listed(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Images that are not those of the lists of the split."""
    if expected.lists is None:
        return
    groups = table.groupby(["split", "dataset", "task"], sort=False)["image_id"]
    for (split, dataset, task), images in groups:
        listed = set(expected.lists.get(dataset, {}).get(split, ()))
        wrong = images.index[~images.isin(listed)]
        if len(wrong):
            text = (
                f" = {table['image_id'][wrong[0]]!r}: split.json does not have it in "
            )
            text += f"the {split} list of {dataset}"
            yield Problem(table.index.get_loc(wrong[0]), "image_id", text)
        # Training rows without a label have no prediction.
        missing = listed.difference(images) if split != "train" else ()
        if missing:
            yield Problem(
                None,
                "",
                f"{len(missing)} {split} images of {dataset} have no row of {task}, "
                f"such as {min(missing)!r}; split.json lists them",
            )


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
