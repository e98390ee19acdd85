"""Whether probabilities, labels and derived answers of a table of predictions agree.

No TensorFlow.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mdmt_tf.runs.prediction_problems import IMAGE, Expected, Problem
from mdmt_tf.tasks import Answer, Derived, Property

# A metric, or a prediction of a derived answer, that is computed from the same numbers
# may differ by this, times its size if that is above 1.
EXACT = 1e-9
DERIVED = 1e-5
# Probabilities may leave [0, 1] by this, and their sum may differ from 1 by ten times
# as much: they may have been rounded to float32.
ROUNDING = 1e-6


class _Rows:
    """The rows of each component of a table, as arrays.

    Attributes:
        targets, predictions: float64 (n,).
    """

    def __init__(self, table: pd.DataFrame):
        self.targets = table["target"].to_numpy(np.float64)
        self.predictions = table["prediction"].to_numpy(np.float64)
        names = [name for name in table.columns if _holds_probabilities(name)]
        self._columns = {name: place for place, name in enumerate(names)}
        self._chances = table[list(self._columns)].to_numpy(np.float64)
        codes, names = pd.factorize(table["task"])
        self._rows = {name: np.flatnonzero(codes == i) for i, name in enumerate(names)}
        dataset, image = (pd.factorize(table[name])[0] for name in IMAGE)
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


def _holds_probabilities(column: str) -> bool:
    """Whether it is of a class, or the value of a derived answer."""
    return column == "value" or column.removeprefix("p_").isdecimal()


def values_of_components(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
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


def derived_values(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
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
