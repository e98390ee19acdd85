"""The heads of tasks in files of weights, from which heads of the same tasks can start.

A run keeps them with its backbone, and a file of `half_precision` may have them, too:

heads/<task>/<layer>/<variable>    arrays; layer: hidden1, hidden2 or output

Whether a model starts from them is `model.start_heads`. No TensorFlow.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.weights import half_precision, hdf5_files
from mdmt_tf.models.weights.finite import check_finite
from mdmt_tf.models.weights.half_precision import HEADS

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


def fill(
    model: "keras.Model", tasks: Sequence[str], path: Path | str | Mapping
) -> list[str]:
    """Give heads the weights of the heads of the same tasks in a file.

    Args:
        model: of `build_model`.
        tasks: names of its tasks; those that the file does not have keep their weights.
        path: the file of weights.
    Returns: names of the tasks that the file has.
    Raises:
        ConfigError: several files, whose heads are not averaged.
        DataError: the file has the head of none of the tasks, or one of another form.

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
        >>> fill(model, ["age"], path)
        ['age']
    """
    if isinstance(path, Mapping):
        raise ConfigError(
            "model.start_heads = true: heads start from one file. Received the average "
            f"of {len(path)} files. Set model.start_heads=false."
        )
    arrays = read(Path(path))
    there = sorted({name.split("/")[1] for name in arrays})
    common = [task for task in tasks if task in there]
    if not common:
        raise DataError(
            f"{path}: has heads of {', '.join(there) or 'no task'}, and this model has "
            f"{', '.join(tasks)}. Give the tasks the same names, or set "
            "model.start_heads=false."
        )
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


def _variables(model, tasks):
    """{"heads/<task>/<layer>/<variable>": variable}, in the order of the layers."""
    found = {}
    for layer in model.layers:
        # A name of a task has no dot; the last layer of its head has this name.
        task, _, part = layer.name.partition(".")
        for variable in layer.weights if task in tasks else ():
            found[f"{HEADS}{task}/{part or 'output'}/{variable.name}"] = variable
    return found
