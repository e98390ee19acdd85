"""The heads of tasks in files of weights, from which heads of the same tasks can start.

A run keeps them with its backbone, and a file of `half_precision` may have them, too:

heads/<task>/<layer>/<variable>    arrays; layer: hidden1, hidden2 or output

What their outputs mean is in `tasks.json` of the run in whose folder the file is, or in
the facts of a file of `half_precision`. A file that was taken out of its run does not
say it. Whether a model starts from them is `model.start_heads`. No TensorFlow.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.weights import half_precision, hdf5_files
from mdmt_tf.models.weights.finite import check_finite
from mdmt_tf.models.weights.half_precision import HEADS
from mdmt_tf.tasks import Task, make_task
from mdmt_tf.tasks.alike import head_text

if TYPE_CHECKING:
    import keras


def arrays_of(model: "keras.Model", tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """The weights of the heads of a model.

    Args:
        model: of `build_model`.
        tasks: names of its tasks.
    Returns: {"heads/<task>/<layer>/<variable>": float32 array}.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> from mdmt_tf.models.multitask import build_model
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> backbone = build_backbone("shufflenet_v2_x0_5", (64, 64, 3))
        >>> sorted(arrays_of(build_model(backbone, [age], "linear"), ["age"]))
        ['heads/age/output/bias', 'heads/age/output/kernel']
    """
    return {
        name: np.asarray(variable, np.float32)
        for name, variable in _variables(model, tasks).items()
    }


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Add heads to a `.weights.h5` file of their backbone.

    Args:
        path: the file; loading the backbone from it is not affected.
        arrays: of `arrays_of`.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> write(path, {"heads/age/output/bias": np.zeros(1)})
        >>> read(path)
        {'heads/age/output/bias': array([0.])}
    """
    import h5py

    with h5py.File(path, "a") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def read(path: Path) -> dict[str, np.ndarray]:
    """The heads in a file of weights of either form; {} if it has none.

    Raises: DataError when the file is damaged.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> read(path)
        {}
    """
    if path.suffix == half_precision.SUFFIX:
        return half_precision.split_off(half_precision.read(path)[0])[1]
    import h5py

    hdf5_files.check(path)
    found = {}

    def keep(name, node):
        if isinstance(node, h5py.Dataset):
            found[f"{HEADS}{name}"] = node[()]

    try:
        with h5py.File(path, "r") as file:
            if HEADS.rstrip("/") in file:
                file[HEADS.rstrip("/")].visititems(keep)
    except OSError as error:
        raise DataError(f"{path}: not a file of weights ({error}).") from error
    return found


def tasks_of(path: Path) -> dict[str, Task]:
    """The tasks whose heads are in a file of weights; {} if it does not know them.

    Raises: DataError when the file, or `tasks.json` of its run, is damaged.

    Example:
        >>> tasks_of(Path("copied.weights.h5"))
        {}
    """
    where, found = path, {}
    if path.suffix == half_precision.SUFFIX:
        settings = half_precision.read_facts(path).get("settings", {})
        found = settings.get("tasks", {})
    elif path.parent.name == "checkpoints":
        where = path.parent.parent / "tasks.json"
        try:
            listed = json.loads(where.read_text(encoding="utf-8"))
            found = {facts["name"]: facts for facts in listed}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(f"{where}: expected the tasks of a run.") from error
    try:
        return {name: _task(name, facts) for name, facts in found.items()}
    except (ConfigError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{where}: expected the tasks of a run ({error}).") from error


def _task(name: str, facts: Mapping) -> Task:
    """A task as far as its head depends on it."""
    known = ("kind", "classes", "cut_points", "descending")
    # Earlier versions standardised no label, and had no word for it.
    plain = {"standardize": False} | {
        key: facts[key] for key in (*known, "standardize") if key in facts
    }
    return make_task(name=name, **plain)


def fill(
    model: "keras.Model", tasks: Sequence[Task], path: Path | str | Mapping
) -> list[str]:
    """Give heads the weights of the heads of the same tasks in a file.

    Args:
        model: of `build_model`.
        tasks: its tasks; those that the file does not have keep their weights.
        path: the file of weights.
    Returns: names of the tasks that the file has.
    Raises:
        ConfigError: several files, whose heads are not averaged.
        DataError: the file has the head of none of the tasks, or one of another form,
            kind or classes. A file that does not know its tasks has its form alone.

    Example:
        >>> import h5py, tempfile
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> from mdmt_tf.models.multitask import build_model
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(name="age", kind="regression")
        >>> backbone = build_backbone("shufflenet_v2_x0_5", (64, 64, 3))
        >>> model = build_model(backbone, [age], "linear")
        >>> path = Path(tempfile.mkdtemp()) / "backbone.weights.h5"
        >>> h5py.File(path, "w").close()
        >>> write(path, arrays_of(model, ["age"]))
        >>> fill(model, [age], path)
        ['age']
    """
    if isinstance(path, Mapping):
        raise ConfigError(
            "model.start_heads = true: heads start from one file. Received the average "
            f"of {len(path)} files. Set model.start_heads=false."
        )
    path = Path(path)
    arrays = read(path)
    there = sorted({name.split("/")[1] for name in arrays})
    names = [task.name for task in tasks]
    common = [name for name in names if name in there]
    if not common:
        raise DataError(
            f"{path}: has heads of {', '.join(there) or 'no task'}, and this model has "
            f"{', '.join(names)}. Give the tasks the same names, or set "
            "model.start_heads=false."
        )
    _check_meaning(path, [task for task in tasks if task.name in common])
    variables = _variables(model, common)
    own = {
        name: array for name, array in arrays.items() if name.split("/")[1] in common
    }
    for name in sorted({*variables, *own}):
        expected = tuple(variables[name].shape) if name in variables else "none"
        received = own[name].shape if name in own else "none"
        if expected != received:
            raise DataError(
                f"{path}: its head of the task {name.split('/')[1]!r} has another form:"
                f" expected the shape {expected} of {name}, received {received}. Use "
                "the same model.heads and classes as the run that made the file, or "
                "set model.start_heads=false."
            )
    check_finite(path, own)
    for name, variable in variables.items():
        variable.assign(own[name].astype(np.float32))
    return common


def _check_meaning(path: Path, tasks: Sequence[Task]) -> None:
    """Whether the heads in a file are of the same kinds and classes as these tasks."""
    known = tasks_of(path)
    for task in tasks:
        if task.name in known and head_text(known[task.name]) != head_text(task):
            raise DataError(
                f"{path}: its head of the task {task.name!r} means something else: "
                f"expected that of {head_text(task)}, received that of "
                f"{head_text(known[task.name])}. Use the same kind, classes and "
                "cut_points as the run that made the file, or set "
                "model.start_heads=false."
            )


def _variables(model, tasks):
    """{"heads/<task>/<layer>/<variable>": variable}, in the order of the layers."""
    found = {}
    for layer in model.layers:
        # A name of a task has no dot; the last layer of its head has this name.
        task, _, part = layer.name.partition(".")
        for variable in layer.weights if task in tasks else ():
            found[f"{HEADS}{task}/{part or 'output'}/{variable.name}"] = variable
    return found
