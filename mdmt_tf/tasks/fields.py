"""Whether the fields of several labels are mixed up, as far as their names tell.

Labels that are read alike, such as those of a multilabel task, take each other's fields
without any other error: the order of the fields is all that tells them apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mdmt_tf.tasks.answer import Answer


def repeated_field(fields: Mapping[str, str]) -> str | None:
    """What is wrong where one field is that of two labels; None if nothing is.

    Args:
        fields: label -> its field.

    Example:
        >>> repeated_field({"edema": "a", "effusion": "a"})
        "'a' is the field of both edema and effusion"
    """
    labels: dict[str, str] = {}
    for label, field in fields.items():
        other = labels.setdefault(field, label)
        if other != label:
            return f"{field!r} is the field of both {other} and {label}"
    return None


def exchanged_field(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """A label that takes the field that another is named like, and what is wrong.

    Names are compared without case, blanks and punctuation. A field may be named
    otherwise than all labels, and the other label may take the same field.

    Args:
        fields: label -> its field.

    Example:
        >>> exchanged_field({"left lung": "Right_Lung", "right lung": "left_lung"})[1]
        "'Right_Lung' is the field of left lung, and has the name of right lung"
        >>> exchanged_field({"left": "opacity_1", "right": "opacity_2"}) is None
        True
    """
    for label, field in fields.items():
        alike = [one for one in fields if _plain(one) == _plain(field)]
        if alike and label not in alike and fields[alike[0]] != field:
            text = f"{field!r} is the field of {label}, and has the name of {alike[0]}"
            return label, text
    return None


def exchanged_tasks(tasks: Iterable[Answer], dataset: str) -> Iterator[tuple[str, str]]:
    """Tasks that take the field that another task is named like: (name, text).

    Args:
        tasks: those that are read otherwise cannot be mixed up without an error.
        dataset: name of the dataset.
    """
    for group in _read_alike(tasks, dataset):
        fields = {task.name: task.sources[dataset] for task in group}
        if found := exchanged_field(fields):
            yield found


def repeated_terms(tasks: Iterable[Answer], dataset: str) -> str | None:
    """What is wrong with a sum that counts the same label twice; None if nothing is.

    Args:
        tasks: those of the sum.
        dataset: name of the dataset.
    """
    for group in _read_alike(tasks, dataset):
        if text := repeated_field({task.name: task.sources[dataset] for task in group}):
            return text
    return None


def _read_alike(tasks: Iterable[Answer], dataset: str) -> list[Sequence[Answer]]:
    """The tasks with one field of a dataset, those together that read it alike."""
    groups: dict[tuple, list[Answer]] = {}
    for task in tasks:
        if isinstance(task.sources.get(dataset), str):
            facts = (task.kind, task.class_names, task.cut_points, task.descending)
            groups.setdefault(facts, []).append(task)
    return list(groups.values())


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold())) or text
