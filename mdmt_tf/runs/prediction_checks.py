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
from mdmt_tf.runs.predictions import KEYS
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
        are_derived: whether derived answers are those of the tasks of the same row. Of
            calibrated probabilities, and of the mean of several models, they are not.
    """

    answers: Sequence[Answer]
    splits: Collection[str] = SPLITS
    fold: int | None = None
    lists: Lists | None = None
    examples: Mapping[str, int] | None = None
    others: bool = False
    are_derived: bool = True


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
    for find in (_columns, _keys, _images, _of_components, _listed, _of_derived):
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


class _Rows:
    """The rows of each component of a table, as arrays.

    Attributes:
        targets, predictions: float64 (n,).
    """

    def __init__(self, table: pd.DataFrame):
        self.targets = table["target"].to_numpy(np.float64)
        self.predictions = table["prediction"].to_numpy(np.float64)
        names = [name for name in table.columns if _is_chance(name)]
        self._columns = {name: place for place, name in enumerate(names)}
        self._chances = table[list(self._columns)].to_numpy(np.float64)
        codes, names = pd.factorize(table["task"])
        self._rows = {name: np.flatnonzero(codes == i) for i, name in enumerate(names)}
        dataset, image = (pd.factorize(table[name])[0] for name in _IMAGE)
        self._image = dataset * np.int64(len(table)) + image

    def of(self, component: str) -> np.ndarray:
        """The numbers of its rows."""
        return self._rows.get(component, np.empty(0, np.int64))

    def values(self, component: Answer, rows: np.ndarray) -> np.ndarray:
        """Its probabilities or values in some rows, (n, columns)."""
        names = component.probability_columns
        if any(name not in self._columns for name in names):
            return self.predictions[rows, np.newaxis]
        return self._chances[np.ix_(rows, [self._columns[name] for name in names])]

    def surplus(self, component: Answer, rows: np.ndarray) -> tuple[int, str] | None:
        """The first row with a value in a column that the component does not have."""
        others = [c for c in self._columns if c not in component.probability_columns]
        places = [self._columns[name] for name in others]
        filled = np.argwhere(~np.isnan(self._chances[np.ix_(rows, places)]))
        return (int(rows[filled[0][0]]), others[filled[0][1]]) if len(filled) else None

    def same_images(self, rows: np.ndarray, component: str) -> np.ndarray:
        """The row of a component for the image of each of some rows; -1 for none."""
        own = self.of(component)
        order = own[np.argsort(self._image[own], kind="stable")]
        places = np.searchsorted(self._image[order], self._image[rows])
        found = np.append(order, -1)[places]
        return np.where(self._image[found] == self._image[rows], found, -1)


def _is_chance(column: str) -> bool:
    return column == "value" or column.removeprefix("p_").isdecimal()


def _of_components(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    every = _Rows(table)
    for component in (c for one in expected.answers for c in one.components):
        rows = every.of(component.name)
        if not len(rows):
            continue
        if (found := every.surplus(component, rows)) is not None:
            text = f": expected nothing, because {component.name} has no such column"
            yield Problem(*found, text)
        for row, name, text in _of_component(every, rows, component):
            yield Problem(int(rows[row]), name, text)


def _of_component(every: _Rows, rows, component: Answer) -> Iterator[Problem]:
    """Problems with the place of the row among `rows`."""
    columns = list(component.probability_columns)
    values = every.values(component, rows)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        text = f" = {values[row, place]:g}: expected a number"
        yield Problem(int(row), columns[place], text)
    count = component.n_classes if Property.CLASSES in component.properties else 0
    if count:
        yield from _of_chances(values[:, :count], columns)
    targets, answers = every.targets[rows], every.predictions[rows]
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
    made = component.prediction(values)
    wrong = np.flatnonzero(made != answers)
    if len(wrong):
        row = int(wrong[0])
        text = f" = {answers[row]:g}: the probabilities of the row give {made[row]:g}"
        yield Problem(row, "prediction", text)


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
    every, known = _Rows(table), {answer.name: answer for answer in expected.answers}
    for answer in expected.answers if expected.are_derived else ():
        if not isinstance(answer, Derived) or not set(answer.terms) <= set(known):
            continue
        rows = every.of(answer.name)
        if not len(rows):
            continue
        predicted, labels = {}, {}
        for name in answer.terms:
            found = every.same_images(rows, name)
            if (found < 0).any():
                text = f" = {answer.name!r}: there is no row of {name} of this image"
                yield Problem(int(rows[int((found < 0).argmax())]), "task", text)
                return
            predicted[name] = every.values(known[name], found)
            labels[name] = every.targets[found]
            if Property.CLASSES in known[name].properties:
                labels[name] = np.nan_to_num(labels[name], nan=-1).astype(np.int64)
        for row, name, text in _other_sums(every, rows, answer, predicted, labels):
            yield Problem(int(rows[row]), name, text)


def _other_sums(
    every: _Rows, rows, answer: Derived, predicted, labels
) -> Iterator[Problem]:
    """Rows whose prediction or label is not that of the tasks, by place."""
    stored, found = every.values(answer, rows), answer.predicted_from(predicted)
    wrong = np.abs(stored - found) > DERIVED * np.maximum(1.0, np.abs(found))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        text = f" = {stored[row, place]:.6g}: the predictions of its tasks give "
        column = answer.probability_columns[place]
        yield Problem(int(row), column, f"{text}{found[row, place]:.6g}")
    made = np.asarray(answer.labels_from(labels), np.float64)
    if Property.CLASSES in answer.properties:
        made = np.where(made < 0, np.nan, made)
    targets = every.targets[rows]
    both_unknown = np.isnan(targets) & np.isnan(made)
    near = np.abs(targets - made) <= EXACT * np.maximum(1.0, np.abs(made))
    wrong = np.flatnonzero(~(near | both_unknown))
    if len(wrong):
        row = int(wrong[0])
        text = f" = {targets[row]:g}: the labels of its tasks give {made[row]:g}"
        yield Problem(row, "target", text)


def _listed(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Images that are not those of the lists of the split."""
    if expected.lists is None:
        return
    groups = table.groupby(["split", "dataset", "task"], sort=False)["image_id"]
    for (split, dataset, task), images in groups:
        listed = set(expected.lists.get(dataset, {}).get(split, ()))
        wrong = images.index[~images.isin(listed)]
        if len(wrong):
            text = f" = {table['image_id'][wrong[0]]!r}: is not in the {split} list of "
            text += f"{dataset} in split.json"
            yield Problem(table.index.get_loc(wrong[0]), "image_id", text)
        # Training rows without a label have no prediction.
        missing = listed.difference(images) if split != "train" else ()
        if missing:
            yield Problem(
                None,
                "",
                f"there are no rows of {task} for {len(missing)} of the {split} images "
                f"of {dataset} that split.json lists, such as {min(missing)!r}",
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
