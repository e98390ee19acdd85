"""What a file that declares a dataset says of the tasks of a run."""

from collections.abc import Mapping
from typing import Any

from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError
from mdmt_tf.tasks import Answer

# A label field of a dataset, or several for a label that is a vector.
Field = str | tuple[str, ...]


def read_tasks(path: str, known: Mapping[str, Answer]) -> tuple[str, dict[str, Field]]:
    """Name of the declared dataset, and the label fields that its tasks name.

    Raises: ConfigError for a task that is another one than that of the run.
    """
    from mdmt_tf import config as configuration

    declaration = configuration.load_declaration(path)
    name = declaration.name
    values, _ = files.read(path)
    declared = {}
    for task, section in _mapping(values.get("tasks")).items():
        field = _mapping(_mapping(section).get("from")).get(name)
        if field is not None:
            several = isinstance(field, list)
            declared[task] = tuple(map(str, field)) if several else str(field)
            if task in known:
                label = None if several else declaration.labels.get(str(field))
                by_name = bool(label and label.class_names)
                _check_same(path, known[task], section, by_name)
    return name, declared


def _check_same(
    path: str, task: Answer, section: Mapping[str, Any], by_name: bool
) -> None:
    """Compare what a file says about a task with the task of the run.

    Args:
        by_name: whether the labels are names of classes. Numbers, and the elements of a
            vector, find their class by its place.
    """
    in_order = sorted if by_name else list
    expected = {
        "kind": task.kind,
        "classes": list(task.class_names),
        "cut_points": list(task.cut_points),
        "descending": task.descending,
    }
    for key, own in expected.items():
        stated = section.get(key)
        same = stated is None or stated == own
        if key == "classes" and isinstance(stated, list):
            same = in_order(map(str, stated)) == in_order(own)
        if not same:
            raise ConfigError(
                f"{path}: tasks.{task.name}.{key} = {stated}: expected {own}, as in "
                f"the run, which is evaluated with its own tasks. Leave {key} out if "
                f"the labels fit, or give the field, --labels {task.name}=FIELD."
            )


def _mapping(value: Any) -> dict:
    return value if isinstance(value, dict) else {}
