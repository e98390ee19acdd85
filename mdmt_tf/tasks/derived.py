"""Answers that follow from those of tasks: their sum, and the category of the sum.

A derived answer has no head, no loss and no logits. Its label is the sum of the labels
of its tasks, and is known where all of these are known. Its prediction follows from the
predictions of the tasks:

    value       sum_t sum_g  g p_t(g)      the sum of the expected grades
    P(sum = s)  the convolution of the p_t, which takes the tasks as independent given
                the image
    P(class)    the sum of P(sum = s) over the sums s of the class
    class       that of the value up to rounding, by the cut points

where p_t(g) is the probability of grade g of task t, see `Answer.grades`. Errors of the
tasks are seldom independent, so P(class) is too extreme as a rule; the temperature of
calibration repairs that like the one of a task.

The class is not always the most probable one: with P(0) = 0.6 and P(3) = 0.4, the sum 0
is most probable, but 1.2 is expected, which errs less.
"""

import abc
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from mdmt_tf.tasks.answer import Answer, Property, as_list
from mdmt_tf.tasks.base import Problem
from mdmt_tf.tasks.classes import OrderedClasses
from mdmt_tf.tasks.ordinal import Ordinal
from mdmt_tf.tasks.regression import NumberAnswer

# Sums that are equal up to rounding are one.
_DIGITS = 9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Derived(Answer):
    """An answer that follows from those of tasks; the base of all kinds.

    Attributes:
        terms: name of a task -> its grades, see `Answer.grades`.
        of: a task with the same label, with which the answers of other models can be
            compared; None: none.
    """

    terms: Mapping[str, tuple[float, ...]]
    of: Answer | None = None

    def description(self) -> dict:
        """Also its tasks with their grades."""
        terms = {name: list(grades) for name, grades in self.terms.items()}
        return super().description() | {"terms": terms}

    def to_plain(self) -> dict:
        plain = super().to_plain()
        del plain["of"]
        plain["terms"] = {name: as_list(own) for name, own in self.terms.items()}
        return plain

    def fed_as(self, tasks: Iterable[Answer]) -> "Derived | None":
        """The answer with the datasets that feed all of its tasks.

        Args:
            tasks: tasks as they are fed; others than those of the sum do not matter.
        Returns: None if a task is missing, or no dataset feeds all of them.

        Example:
            >>> from mdmt_tf.tasks import make_task
            >>> total = SumOfTasks(name="total", terms={"a": (), "b": ()})
            >>> a = make_task(name="a", kind="regression", sources={"ward": "x"})
            >>> b = make_task(name="b", kind="regression", sources={"ward": "y"})
            >>> total.fed_as([a, b]).sources
            {'ward': ('x', 'y')}
            >>> total.fed_as([a]) is None
            True
        """
        known = {task.name: task for task in tasks}
        if not set(self.terms) <= set(known):
            return None
        sources = common_sources([known[name] for name in self.terms])
        return dataclasses.replace(self, sources=sources) if sources else None

    def labels_from(self, encoded: Mapping[str, np.ndarray]) -> np.ndarray:
        """The labels that follow from those of the tasks.

        Args:
            encoded: task -> result of its `encode`, (n,); of other tasks, too.
        Returns: as `encode`, unknown where a label of a task is unknown.

        Example:
            >>> total = SumOfTasks(name="total", terms={"a": (0, 1), "b": (0, 1, 3)})
            >>> encoded = {"a": np.array([1, 0, 1]), "b": np.array([2, 1, -1])}
            >>> total.labels_from(encoded).tolist()
            [4.0, 1.0, nan]
        """
        total = 0.0
        for name, grades in self.terms.items():
            labels = np.asarray(encoded[name])
            # The class -1, which is unknown, takes the last entry.
            total = total + (np.array([*grades, np.nan])[labels] if grades else labels)
        # 0.1 + 0.7 is 0.8, as in `possible_sums`.
        is_of_grades = all(self.terms.values())
        return self.encode(_rounded(total) if is_of_grades else total)

    @abc.abstractmethod
    def predicted_from(self, predicted: Mapping, ops=np):
        """The predictions that follow from those of the tasks.

        Args:
            predicted: task -> its `probabilities`, (n, n_classes) or (n, 1).
            ops: numpy, or keras.ops in a graph.
        Returns: float64 (n, c), c the number of `probability_columns`.
        """

    def value(self, predicted: Mapping, ops=np):
        """The sum of the expected grades, which a map explains.

        Args: see `predicted_from`.
        Returns: float64 (n, 1).

        Example:
            >>> total = SumOfTasks(name="total", terms={"a": (0, 1), "b": (0, 1, 3)})
            >>> a, b = np.array([[0.5, 0.5]]), np.array([[0.2, 0.4, 0.4]])
            >>> # 0.5 + 0.4 + 3 * 0.4
            >>> total.value({"a": a, "b": b}).round(3).tolist()
            [[2.1]]
        """
        total = 0.0
        for name, grades in self.terms.items():
            columns = ops.array(predicted[name], dtype="float64")
            # One column after the other: a matmul would depend on the batch.
            for index, grade in enumerate(grades or (1.0,)):
                total = total + grade * columns[:, index : index + 1]
        return total


class SumOfTasks(NumberAnswer, Derived):
    """The sum of the answers of tasks: of grades, of yes and no, or of numbers."""

    kind = "sum"
    prediction_rule = "value"

    @property
    def properties(self) -> frozenset[Property]:
        return super().properties | {Property.SUM}

    def predicted_from(self, predicted: Mapping, ops=np):
        """The value, (n, 1)."""
        return self.value(predicted, ops)


class CategoryOfSum(OrderedClasses, Derived):
    """The category of the sum of the answers of tasks, by cut points.

    Its predictions have the probability of each category, and the value of the sum in
    one more column, whose category is predicted. Where there is no value, because the
    prediction is that of the task `of`, the predicted class is that task's.
    """

    kind = "category_of_sum"
    prediction_rule = "class of value"

    def problems(self) -> Iterator[Problem]:
        """The problems of its categories, which are declared as those of a task."""
        facts = {"classes": self.classes, "cut_points": self.cut_points}
        yield from Ordinal(name=self.name, **facts).problems()

    @property
    def probability_columns(self) -> tuple[str, ...]:
        return (*super().probability_columns, "value")

    def are_numbers(self, probabilities: np.ndarray) -> np.ndarray:
        """Likewise; a prediction of the task `of` has no value."""
        probabilities = np.asarray(probabilities, np.float64)
        has_one = ~np.isinf(probabilities[..., self.n_classes])
        return super().are_numbers(probabilities[..., : self.n_classes]) & has_one

    def prediction(self, probabilities: np.ndarray) -> np.ndarray:
        """The category of the value, int64 (n,)."""
        probabilities = np.asarray(probabilities, np.float64)
        values = probabilities[..., self.n_classes]
        chances = probabilities[..., : self.n_classes]
        other = self.of.prediction if self.of else super().prediction
        # As labels are: 0.1 + 0.7 is not below the cut point 0.8.
        classes = self.encode(_rounded(values))
        return np.where(np.isnan(values), other(chances), classes)

    def predicted_from(self, predicted: Mapping, ops=np):
        """The probability of each category, and the value; (n, n_classes + 1).

        Example:
            >>> terms = {"a": (0, 1), "b": (0, 1, 3)}
            >>> total = CategoryOfSum(name="total", terms=terms, cut_points=(1, 4))
            >>> a, b = np.array([[0.5, 0.5]]), np.array([[0.2, 0.4, 0.4]])
            >>> total.predicted_from({"a": a, "b": b}).round(3).tolist()
            [[0.1, 0.7, 0.2, 2.1]]
        """
        sums, chances = self._distribution(predicted, ops)
        classes = self.encode(sums)
        columns = []
        for index in range(self.n_classes):
            chosen = np.flatnonzero(classes == index)
            of_class = ops.take(chances, chosen, axis=1)
            columns.append(ops.sum(of_class, axis=1, keepdims=True))
        columns.append(self.value(predicted, ops))
        return ops.concatenate(columns, axis=-1)

    def _distribution(self, predicted: Mapping, ops):
        """The possible sums (s,), ascending, and their probabilities (n, s)."""
        sums, chances = np.zeros(1), None
        for name, grades in self.terms.items():
            own = ops.array(predicted[name], dtype="float64")
            if chances is None:
                chances = ops.ones_like(own[:, :1])
            more = possible_sums([sums, grades])
            place = {total: index for index, total in enumerate(sums.tolist())}
            # A sum that cannot become another one by a grade takes the last column.
            padded = ops.concatenate([chances, 0.0 * chances[:, :1]], axis=-1)
            chances = 0.0
            for index, grade in enumerate(grades):
                before = _rounded(more - grade).tolist()
                taken = [place.get(total, len(sums)) for total in before]
                moved = ops.take(padded, np.array(taken), axis=1)
                chances = chances + own[:, index : index + 1] * moved
            sums = more
        return sums, chances


def common_sources(tasks: Sequence[Answer]) -> dict[str, tuple[str, ...]]:
    """The datasets that feed all tasks -> the label fields of all tasks.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> a = make_task(name="a", kind="regression", sources={"x": "f", "y": "g"})
        >>> b = make_task(name="b", kind="regression", sources={"x": "h"})
        >>> common_sources([a, b])
        {'x': ('f', 'h')}
    """
    fields = {
        dataset: [task.sources.get(dataset) for task in tasks]
        for dataset in tasks[0].sources
    }
    return {
        dataset: tuple(name for f in own for name in ([f] if isinstance(f, str) else f))
        for dataset, own in fields.items()
        if None not in own
    }


def possible_sums(parts: Sequence[Sequence[float]]) -> np.ndarray:
    """All sums of one number of each part, ascending, each once.

    Example:
        >>> possible_sums([(0, 1), (0, 1, 3)]).tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    sums = np.zeros(1)
    for part in parts:
        sums = np.unique(_rounded(np.add.outer(sums, np.asarray(part, np.float64))))
    return sums


def _rounded(values: np.ndarray) -> np.ndarray:
    # Without -0.0, which is another key than 0.0 in no dict, but another text.
    return np.round(values, _DIGITS) + 0.0


def divide(
    answers: Iterable[Answer],
) -> tuple[tuple[Answer, ...], tuple[Derived, ...]]:
    """The tasks among answers, and the derived answers, each in their order.

    Example:
        >>> total = SumOfTasks(name="total", terms={"a": (0, 1), "b": ()})
        >>> tasks, derived = divide([total])
        >>> tasks, [answer.name for answer in derived]
        ((), ['total'])
    """
    answers = tuple(answers)
    derived = tuple(answer for answer in answers if isinstance(answer, Derived))
    return tuple(a for a in answers if a not in derived), derived


def with_derived(
    predicted: Mapping[str, np.ndarray], answers: Sequence[Answer], ops=np
) -> dict:
    """The predictions of tasks, and those of the derived answers among `answers`.

    Args:
        predicted: task -> its `probabilities`.
        answers: tasks are left as they are.
        ops: numpy, or keras.ops in a graph.

    Example:
        >>> total = SumOfTasks(name="total", terms={"a": (0, 1), "b": ()})
        >>> chances = {"a": np.array([[0.5, 0.5]]), "b": np.array([[4.0]])}
        >>> with_derived(chances, [total])["total"].tolist()
        [[4.5]]
    """
    result = dict(predicted)
    for answer in answers:
        if isinstance(answer, Derived):
            result[answer.name] = answer.predicted_from(predicted, ops)
    return result


def comparable(tasks: Collection[str], answers: Iterable[Answer]) -> tuple[str, ...]:
    """The answers in which a model can be compared with others, by name.

    Args:
        tasks: names of the tasks that the model predicts.
        answers: all tasks and derived answers.
    Returns: its tasks, the answers derived from them, and those whose label one of its
        tasks has, see `Derived.of`; in the order of `answers`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> grade = make_task(name="grade", kind="regression")
        >>> total = SumOfTasks(name="total", terms={"a": (), "b": ()}, of=grade)
        >>> comparable(["a", "b"], [total]), comparable(["grade"], [grade, total])
        (('total',), ('grade', 'total'))
    """
    return tuple(one.name for one in answers if predicted_as(one, tasks) is not None)


def by_importance(answers: Iterable[Answer], first: str = "") -> tuple[Answer, ...]:
    """Answers in the order in which they are looked at.

    Args:
        first: name of the one that comes first, such as the task that selects.
    Returns: then derived answers, then tasks, last those that others are derived from.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> names = ("zone", "age", "death")
        >>> tasks = [make_task(name=name, kind="regression") for name in names]
        >>> total = SumOfTasks(name="total", terms={"zone": ()})
        >>> [answer.name for answer in by_importance([*tasks, total], "death")]
        ['death', 'total', 'age', 'zone']
    """
    tasks, derived = divide(answers)
    terms = {name for answer in derived for name in answer.terms}
    # The sort keeps the order of equals.
    return tuple(
        sorted(
            (*derived, *tasks),
            key=lambda answer: (answer.name != first, answer.name in terms),
        )
    )


def with_own_maps(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """The answers without those whose saliency map is that of an earlier one.

    A category and a sum of the same tasks have one, because a map explains the value.

    Example:
        >>> level = CategoryOfSum(name="level", terms={"a": ()}, cut_points=(5,))
        >>> total = SumOfTasks(name="total", terms={"a": ()})
        >>> [answer.name for answer in with_own_maps([level, total])]
        ['level']
    """
    answers = tuple(answers)
    first = {
        tuple(answer.terms.items()): answer.name
        for answer in reversed(divide(answers)[1])
    }
    return tuple(
        answer
        for answer in answers
        if not isinstance(answer, Derived)
        or first[tuple(answer.terms.items())] == answer.name
    )


def predicted_as(answer: Answer, tasks: Collection[str]) -> Answer | None:
    """What a model predicts that has the label of an answer.

    Args:
        answer: a task or a derived answer.
        tasks: names of the tasks that the model predicts.
    Returns: the answer itself; or the task whose label it has, if the model does not
        predict all tasks of a sum; None if the model predicts neither.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> grade = make_task(name="grade", kind="regression")
        >>> total = SumOfTasks(name="total", terms={"a": (), "b": ()}, of=grade)
        >>> predicted_as(total, ["a", "grade"]).name
        'grade'
    """
    if not isinstance(answer, Derived):
        return answer if answer.name in tasks else None
    if set(answer.terms) <= set(tasks):
        return answer
    return answer.of if answer.of is not None and answer.of.name in tasks else None
