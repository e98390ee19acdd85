"""The kinds of tasks and of derived answers, one class each, and their tables."""

from collections.abc import Mapping

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.tasks.answer import Answer, Property, label_is_known
from mdmt_tf.tasks.base import Task
from mdmt_tf.tasks.binary import Binary
from mdmt_tf.tasks.categorical import Categorical
from mdmt_tf.tasks.derived import CategoryOfSum, Derived, SumOfTasks
from mdmt_tf.tasks.multilabel import Multilabel
from mdmt_tf.tasks.ordinal import Ordinal
from mdmt_tf.tasks.regression import Regression

# Name in the configuration -> class.
KINDS = {
    kind.kind: kind for kind in (Categorical, Binary, Ordinal, Regression, Multilabel)
}

# The kinds of the answers that follow from those of tasks.
_DERIVED = {kind.kind: kind for kind in (SumOfTasks, CategoryOfSum)}

__all__ = [
    "KINDS",
    "Answer",
    "Derived",
    "Property",
    "Task",
    "label_is_known",
    "make_task",
    "one_against_others",
]


def make_task(*, kind: str, name: str, **facts) -> Answer:
    """A task of one of the kinds, or a derived answer.

    Args:
        kind: name in `KINDS`, or that of a derived answer.
        name: name of the task.
        facts: other attributes, see `Task`. Lists count as tuples, so that
            `make_task(**task.to_plain())` is `task` again.
    Raises: ConfigError for an unknown kind.

    Example:
        >>> severity = make_task(kind="ordinal", name="severity", cut_points=(5, 9))
        >>> severity.class_names
        ('<5', '5 to <9', '>=9')
    """
    kinds = KINDS | _DERIVED
    if kind not in kinds:
        raise ConfigError(
            f"tasks.{name}.kind = {kind!r}: is not a kind of task."
            f"{nearest(kind, KINDS)} Known: {', '.join(KINDS)}."
        )
    made = kinds[kind]
    return made(name=name, **{key: _fixed(fact) for key, fact in facts.items()})


def one_against_others() -> Answer:
    """An answer of two classes, for the metrics of one class against all others.

    Example:
        >>> one_against_others().class_names
        ('other', 'one')
    """
    return Binary(name="one", classes=("other", "one"))


def _fixed(fact):
    """The same with tuples in the place of lists, as tasks have them."""
    if isinstance(fact, list):
        return tuple(fact)
    if isinstance(fact, Mapping):
        return {key: _fixed(value) for key, value in fact.items()}
    return fact
