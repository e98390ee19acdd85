"""Whether the answers of several models mean the same, and so do their heads."""

from collections.abc import Collection, Mapping, Sequence

from mdmt_tf.tasks.answer import Answer
from mdmt_tf.tasks.base import Task
from mdmt_tf.tasks.derived import Derived
from mdmt_tf.tasks.units import are_same


def are_alike(some: Sequence[Answer], others: Sequence[Answer]) -> bool:
    """Whether answers mean the same, in order.

    They have the same names, kinds, classes and cut points; derived ones have the same
    parts. Both are learned from true labels, or both from permuted ones.

    Models that were exported by earlier versions do not state cut points or units.
    Those are compared where both have some.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> def grade(*cut_points):
        ...     facts = {"classes": ("low", "high"), "cut_points": cut_points}
        ...     return [make_task(name="grade", kind="ordinal", **facts)]
        >>> are_alike(grade(5), grade(5)), are_alike(grade(5), grade(9))
        (True, False)
    """
    return len(some) == len(others) and all(map(_is_alike, some, others))


def _is_alike(one: Answer, other: Answer) -> bool:
    facts = [
        (a.name, a.kind, a.class_names, _terms(a), _is_permuted(a))
        for a in (one, other)
    ]
    cuts = [(a.cut_points, a.descending) for a in (one, other)]
    is_known = one.cut_points and other.cut_points
    return (
        facts[0] == facts[1]
        and (not is_known or cuts[0] == cuts[1])
        and (not (one.unit and other.unit) or are_same(one.unit, other.unit))
    )


def _terms(answer: Answer) -> dict[str, tuple[float, ...]]:
    """The parts of a sum; the order of a sum does not matter."""
    return dict(answer.terms) if isinstance(answer, Derived) else {}


def answers_text(answers: Sequence[Answer]) -> str:
    """What `are_alike` compares, in words.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> facts = {"classes": ("low", "high"), "cut_points": (5,)}
        >>> answers_text([make_task(name="grade", kind="ordinal", **facts)])
        'grade (ordinal: low, high; cut points 5)'
    """
    parts = []
    for answer in answers:
        unit = f", in {answer.unit}" if answer.unit else ""
        permuted = ", permuted labels" if _is_permuted(answer) else ""
        parts.append(_answer_text(answer) + unit + permuted)
    return "; ".join(parts)


def descriptions(answers: Sequence[Answer], taught: Collection[str]) -> dict[str, dict]:
    """What a user of the trained model needs to know of each answer, by its name.

    Arguments as for `meaningless`, whose text is under `labels`.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> descriptions([age], [])["age"]["labels"]
        'nothing has trained its head; the answers mean nothing'
    """
    reasons = meaningless(answers, taught)
    return {
        own.name: own.description()
        | ({"labels": reasons[own.name]} if own.name in reasons else {})
        for own in answers
    }


def meaningless(answers: Sequence[Answer], taught: Collection[str]) -> dict[str, str]:
    """Why answers mean nothing; without those that mean something.

    Args:
        answers: of one model.
        taught: names of its tasks whose head has learned something.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> a = make_task(name="a", kind="regression", permute=True)
        >>> b = make_task(name="b", kind="regression")
        >>> total = make_task(name="total", kind="sum", terms={"a": (), "b": ()})
        >>> meaningless([b, total], ["b"])
        {}
        >>> meaningless([a, b, total], ["a", "b"])["total"]
        'the training labels of a were permuted; the answers mean nothing'
    """
    return why_meaningless(
        {answer.name: list(_terms(answer)) for answer in answers},
        permuted=[answer.name for answer in answers if _is_permuted(answer)],
        untrained=[
            answer.name
            for answer in answers
            if not _terms(answer) and answer.name not in taught
        ],
    )


def why_meaningless(
    terms: Mapping[str, Sequence[str]],
    permuted: Collection[str],
    untrained: Collection[str],
) -> dict[str, str]:
    """As `meaningless`, of names.

    Args:
        terms: answer -> the tasks that it follows from; of a task, none.
        permuted, untrained: tasks with permuted labels, and with a random head.

    Example:
        >>> why_meaningless({"a": [], "b": [], "sum": ["a", "b"]}, ["a"], ["b"])["sum"]
        'the training labels of a were permuted, nothing has trained the head of b; ...'
    """
    found = {}
    for name, parts in terms.items():
        tasks = parts or [name]
        scrambled = [own for own in tasks if own in permuted]
        headless = [own for own in tasks if own in untrained and own not in permuted]
        reasons = []
        if scrambled:
            of = f" of {', '.join(scrambled)}" if parts else ""
            reasons.append(f"the training labels{of} were permuted")
        if headless:
            head = f"the head of {', '.join(headless)}" if parts else "its head"
            reasons.append(f"nothing has trained {head}")
        if reasons:
            found[name] = f"{', '.join(reasons)}; the answers mean nothing"
    return found


def _is_permuted(answer: Answer) -> bool:
    return isinstance(answer, Task) and answer.permute


def _answer_text(answer: Answer) -> str:
    classes = f": {', '.join(answer.class_names)}" if answer.class_names else ""
    cuts = _numbers_text(answer.cut_points)
    cuts = f"; cut points {cuts}" if cuts else ""
    descending = ", descending" if answer.descending else ""
    terms = " + ".join(
        f"{name} ({_numbers_text(grades)})" if grades else name
        for name, grades in _terms(answer).items()
    )
    terms = f"; {terms}" if terms else ""
    return f"{answer.name} ({answer.kind}{classes}{cuts}{descending}{terms})"


def _numbers_text(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def head_text(task: Task) -> str:
    """What the outputs of a head mean; equal for heads that can start from each other.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> facts = {"kind": "regression", "standardize": False}
        >>> head_text(make_task(name="age", **facts))
        'age (regression), not standardised'
    """
    is_plain = task.is_standardized and not task.standardize
    return _answer_text(task) + (", not standardised" if is_plain else "")
