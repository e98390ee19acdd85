"""Units of the numbers that answers are learned from, as datasets state them.

A dataset may state the unit of a label field, such as the days of a stay. Numbers of
different units must not meet in one answer: a model cannot learn them together, and an
error in years is none in months. A unit that is not stated is compared with nothing.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from mdmt_tf.errors import DataError
from mdmt_tf.tasks.answer import Answer
from mdmt_tf.tasks.derived import Derived, divide
from mdmt_tf.tasks.labels import label_fields

# Dataset -> label field -> its unit; without fields that state none.
Units = Mapping[str, Mapping[str, str]]

# Spellings of one unit. Others are the same if only letter case or blanks differ.
_SPELLINGS = (
    "years year yrs yr y a",
    "months month mo",
    "weeks week wk w",
    "days day d",
    "hours hour hrs hr h",
    "minutes minute min",
    "seconds second sec s",
    "points point score",
    "percent % pct prozent",
    "ml cc cm3 cm^3 cm³",
    "mcg µg μg ug",
)
_FIRST = {text: line.split()[0] for line in _SPELLINGS for text in line.split()}


def are_same(one: str, other: str) -> bool:
    """Whether two texts are the same unit.

    Example:
        >>> are_same("years", "Year"), are_same("years", "months")
        (True, False)
    """
    return _plain(one) == _plain(other)


def _plain(unit: str) -> str:
    text = "".join(unit.casefold().split())
    return _FIRST.get(text, text)


def with_units(answers: Sequence[Answer], units: Units) -> tuple[Answer, ...]:
    """The answers with the unit that their label fields state.

    Args:
        answers: tasks and derived answers. A unit that one has already, as a task of a
            finished run, is compared, too. That of a sum is that of its numbers.
        units: of the datasets that feed them; others do not matter.
    Raises: DataError where an answer would have labels of two units.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age", sources={"ward": "years"})
        >>> with_units([age], {"ward": {"years": "years"}})[0].unit
        'years'
    """
    tasks, derived = divide(answers)
    found: dict[str, Answer] = {}
    for answer in (*tasks, *derived):
        stated = {"the run": answer.unit}
        for dataset, field in _fields(answer):
            where = f"{field} of dataset {dataset!r}"
            stated[where] = units.get(dataset, {}).get(field)
        for name in getattr(answer, "terms", ()):
            # Classes that are added up stand for numbers of their own.
            if name in found and found[name].grades == ():
                stated[f"the task {name}"] = found[name].unit
        unit = _common(answer, {where: own for where, own in stated.items() if own})
        found[answer.name] = dataclasses.replace(answer, unit=unit)
    return tuple(found[answer.name] for answer in answers)


def _fields(answer: Answer) -> Iterator[tuple[str, str]]:
    """Each dataset that feeds an answer with its label fields, one at a time."""
    for dataset, source in answer.sources.items():
        # Several fields of a derived answer are those of its tasks.
        if not isinstance(answer, Derived) or isinstance(source, str):
            for field in label_fields(answer, dataset):
                yield dataset, field


def _common(answer: Answer, stated: Mapping[str, str]) -> str | None:
    """The first of the units, if all are the same."""
    if not stated:
        return None
    first = next(iter(stated.values()))
    if not all(are_same(first, unit) for unit in stated.values()):
        each = "; ".join(f"{where}: {unit}" for where, unit in stated.items())
        raise DataError(
            f"{answer.name}: expected labels of one unit. Received: {each}. Give "
            "the labels of another unit to a task of their own, or leave them out. Or "
            "convert them in the table, state the new `unit` in the file that declares "
            "the dataset, and prepare it again (--overwrite)."
        )
    return first


def not_stated(answer: Answer, units: Units) -> list[str]:
    """The datasets, of those in `units`, without the unit of an answer that has one.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> sources = {"ward": "age", "clinic": "age"}
        >>> age = make_task(kind="regression", name="age", sources=sources)
        >>> (age,) = with_units([age], {"ward": {"age": "years"}})
        >>> not_stated(age, {"ward": {"age": "years"}, "clinic": {}})
        ['clinic']
    """
    if answer.unit is None:
        return []
    unknown = (
        dataset
        for dataset, field in _fields(answer)
        if dataset in units and not units[dataset].get(field)
    )
    return list(dict.fromkeys(unknown))
