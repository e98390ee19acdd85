"""Labelled rows of a task under many weightings, with the counts that metrics use."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from mdmt_tf.tasks import Property, Task, make_task

# Bins of equal mass. Tenths are usual for tables and plots of calibration.
BINS = 10


class Ranked(NamedTuple):
    """Weights of the rows at each distinct score of a class, ascending.

    Attributes:
        scores: (S,).
        ones: (R, S), of the rows of the class.
        zeros: (R, S), of the other rows.

    Example:
        >>> rows = WeightedRows.of("binary", [0, 1], [[0.9, 0.1], [0.2, 0.8]])
        >>> rows.ranked[0].ones.tolist()
        [[0.0, 1.0]]
    """

    scores: np.ndarray
    ones: np.ndarray
    zeros: np.ndarray

    def pairs_in_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs in which the row of the class scores higher, and all pairs, (R,)."""
        below = np.cumsum(self.zeros, axis=1) - self.zeros / 2
        pairs = self.ones.sum(axis=1) * self.zeros.sum(axis=1)
        return (self.ones * below).sum(axis=1), pairs

    def precisions(self) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the precisions at the rows of the class, and their number, (R,)."""
        above, all_above = (
            np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
            for values in (self.ones, self.ones + self.zeros)
        )
        precisions = np.nan_to_num(ratio(above, all_above))
        return (self.ones * precisions).sum(axis=1), self.ones.sum(axis=1)


class WeightedRows:
    """Labelled rows of one task under R weightings, with the counts that metrics use.

    A row with weight 2 counts as two equal rows, and a row with weight 0 does not
    count. The bootstrap can thus count a row twice without copying it.

    Args:
        task: a task with a single component, itself.
        targets: (n,) class indices, or values; labelled rows only.
        probabilities: (n, n_classes), or (n, 1) values.
        weights: (R, n), not negative; each row is one resample.

    Example:
        >>> chances = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
        >>> rows = WeightedRows.of("binary", [0, 0, 1], chances)
        >>> rows.counts.tolist()
        [[[1.0, 1.0], [0.0, 1.0]]]
    """

    def __init__(
        self,
        task: Task,
        targets: np.ndarray,
        probabilities: np.ndarray,
        weights: np.ndarray,
    ):
        self.task = task
        self.probabilities = np.asarray(probabilities, np.float64)
        self.weights = np.asarray(weights, np.float64)
        self.predictions = task.prediction(self.probabilities)
        self.targets = np.asarray(targets).astype(self.predictions.dtype)

    @classmethod
    def of(cls, kind: str, targets, probabilities) -> "WeightedRows":
        """Rows that count once each, for a task without names.

        Args:
            kind: a key of `mdmt_tf.tasks.KINDS` whose label is a single value.
            targets: (n,) class indices, or values.
            probabilities: (n, n_classes), or (n, 1) values.
        """
        columns = np.shape(probabilities)[1]
        classes = tuple(map(str, range(columns))) if columns > 1 else ()
        task = make_task(kind=kind, name=kind, classes=classes)
        return cls(task, targets, probabilities, np.ones((1, len(targets))))

    @functools.cached_property
    def lost(self) -> np.ndarray:
        """bool (R,): whether a row that counts has a prediction that is no number.

        The class of such a row would be an accident, so no metric is defined.
        """
        rows = ~self.task.are_numbers(self.probabilities)
        return (self.weights[:, rows] > 0).any(axis=1)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """(R, k, k): the weight of the rows of class i that were predicted as j."""
        k = self.task.n_classes
        cell = self.targets * k + self.predictions
        # Sums of whole numbers are exact in any order of the matmul.
        cells = (cell[:, None] == np.arange(k**2)).astype(np.float64)
        return (self.weights @ cells).reshape(len(self.weights), k, k)

    @functools.cached_property
    def hits(self) -> np.ndarray:
        """(R, k): the weight of the correctly predicted rows of each class."""
        return np.diagonal(self.counts, axis1=1, axis2=2)

    @functools.cached_property
    def support(self) -> np.ndarray:
        """(R, k): the weight of the rows of each true class."""
        return self.counts.sum(axis=2)

    @functools.cached_property
    def lacks_class(self) -> np.ndarray:
        """bool (R,): whether a class of the task has no rows."""
        return (self.support == 0).any(axis=1)

    @functools.cached_property
    def predicted(self) -> np.ndarray:
        """(R, k): the weight of the rows of each predicted class."""
        return self.counts.sum(axis=1)

    @functools.cached_property
    def total(self) -> np.ndarray:
        """(R,): the weight of all rows."""
        return self.support.sum(axis=1)

    @functools.cached_property
    def recalls(self) -> np.ndarray:
        """(R, k): recall of each class; NaN if it has no row."""
        return ratio(self.hits, self.support)

    @functools.cached_property
    def precisions(self) -> np.ndarray:
        """(R, k): precision of each class; NaN if it was never predicted."""
        return ratio(self.hits, self.predicted)

    @functools.cached_property
    def f1s(self) -> np.ndarray:
        """(R, k): F1 of each class; NaN if it is neither present nor predicted."""
        return ratio(2 * self.hits, self.support + self.predicted)

    @functools.cached_property
    def ranked(self) -> list[Ranked]:
        """Weights of the positive and the negative rows at each score, ascending.

        One item for the positive class; with several classes, one item for each class
        against the rest. Rows with the same score are tied. If a score is NaN, which
        has no rank, there are no scores.
        """
        k = self.task.n_classes
        return [
            _rank(self.targets == index, self.probabilities[:, index], self.weights)
            for index in ([1] if k == 2 else range(k))
        ]

    @functools.cached_property
    def calibration_gaps(self) -> np.ndarray:
        """(R, m): predicted minus observed in each bin, times the weight of the bin.

        There are 10 bins of equal mass of the probability of the positive class; with
        several classes, 10 of each class, and the sum is divided by the classes. A
        score is in bin b if its middle rank is in [b n / 10, (b + 1) n / 10). So tied
        scores share a bin, and a weight of 2 is the same as two equal rows.
        """
        gaps = [_gaps(ranked) for ranked in self.ranked]
        return np.concatenate(gaps, axis=1) / len(gaps)

    @functools.cached_property
    def squared_error(self) -> np.ndarray:
        """(R,): the mean squared error."""
        return mean(self.errors**2, self.weights)

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """(n,): prediction minus target, in classes or in units."""
        return self.predictions - self.targets


def confusion_matrices(
    answers: Iterable[tuple[Task, np.ndarray, np.ndarray]],
) -> dict[str, np.ndarray]:
    """The confusion matrix of each component that has classes, by its name.

    Args:
        answers: each component with its known labels and predicted probabilities.

    Example:
        >>> death = make_task(kind="binary", name="death")
        >>> answers = [(death, np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))]
        >>> confusion_matrices(answers)["death"].tolist()
        [[1, 0], [1, 0]]
    """
    return {
        component.name: confusion_matrix(
            component, labels, component.prediction(probabilities)
        )
        for component, labels, probabilities in answers
        if Property.CLASSES in component.properties
    }


def confusion_matrix(
    task: Task, targets: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Counts (n_classes, n_classes): row the true class, column the predicted one.

    Example:
        >>> task = make_task(kind="binary", name="death", classes=("no", "yes"))
        >>> confusion_matrix(task, [0, 1, 1], [0, 0, 1]).tolist()
        [[1, 0], [1, 1]]
    """
    counts = np.zeros((task.n_classes, task.n_classes), np.int64)
    np.add.at(counts, (np.asarray(targets, int), np.asarray(predictions, int)), 1)
    return counts


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below; NaN if `below` is not positive.

    Example:
        >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
        [0.5, nan]
    """
    above, below = np.broadcast_arrays(above, below)
    result = np.full(above.shape, np.nan)
    return np.divide(above, below, out=result, where=below > 0)


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i w_ri v_i / sum_i w_ri, (R,).

    Example:
        >>> mean(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [3.0, 1.0]])).tolist()
        [2.0, 1.5]
    """
    # No matmul: numpy's pairwise sum does not depend on threads.
    return ratio((weights * values).sum(axis=1), weights.sum(axis=1))


def _rank(positive, scores, weights) -> Ranked:
    """Weights of the positive and of the other rows at each distinct score."""
    if len(scores) == 0 or np.isnan(scores).any():
        return Ranked(np.zeros(0), *np.zeros((2, len(weights), 0)))
    order = np.argsort(scores, kind="stable")
    scores, positive, ordered = scores[order], positive[order], weights.take(order, 1)
    starts = np.flatnonzero(np.r_[True, scores[1:] > scores[:-1]])
    ones = np.add.reduceat(ordered * positive, starts, axis=1)
    zeros = np.add.reduceat(ordered * ~positive, starts, axis=1)
    return Ranked(scores[starts], ones, zeros)


def _gaps(ranked: Ranked) -> np.ndarray:
    """`calibration_gaps` of one class, (R, BINS)."""
    mass = ranked.ones + ranked.zeros
    total = mass.sum(axis=1, keepdims=True)
    count, scores = mass.shape
    if not scores:
        return np.full((count, BINS), np.nan)
    places = np.cumsum(mass, axis=1)
    places -= mass / 2
    places *= BINS
    places /= np.where(total > 0, total, 1.0)
    bins = places.astype(np.int64)
    np.minimum(bins, BINS - 1, out=bins)
    bins += BINS * np.arange(count)[:, None]
    excess = mass * ranked.scores - ranked.ones
    sums = np.bincount(bins.ravel(), excess.ravel(), minlength=count * BINS)
    return ratio(sums.reshape(count, BINS), total)
