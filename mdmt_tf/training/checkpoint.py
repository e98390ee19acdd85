"""The state of a fit in one file, so that a resumed run gives the same result.

Keras' own `BackupAndRestore` loses the state of early stopping, so a resumed run would
give another result. The order of samples and their augmentation are functions of (seed,
epoch). The state therefore consists of every variable of the model (including the
random state of dropout) and of the optimizer, and the state of the callbacks.
"""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.storage import replacing


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Copies of the values of the variables."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def save_state(
    path: Path,
    model: keras.Model,
    progress: dict,
    best: Sequence[np.ndarray] | None = None,
) -> None:
    """Write the model, its optimizer, `progress` (plain values) and `best` atomically.

    All values of a type are in one row, because a dataset for each of some thousand
    variables took half of the time of a small epoch. A process that is killed while
    writing leaves the previous file unchanged.

    Args:
        best: values of the model's variables in the best epoch; None if there is none.
    """
    variables = _variables(model)
    names = [[v.path, list(v.shape)] for v in variables]
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        # Not as attributes, which hold at most 64 kB.
        for name, plain in (("progress", progress), ("variables", names)):
            file[name] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
        _write(file, "last", values_of(variables))
        if best is not None:
            _write(file, "best", best)


def load_state(path: Path, model: keras.Model) -> tuple[dict, list[np.ndarray] | None]:
    """Fill the model and its optimizer; returns `progress` and `best`.

    Raises: DataError when the file belongs to another model.
    """
    with h5py.File(path, "r") as file:
        variables = _variables(model)
        expected = [(_name(v.path), tuple(v.shape)) for v in variables]
        received = [(_name(n), tuple(shape)) for n, shape in _plain(file, "variables")]
        if expected != received:
            wrong = next(
                (
                    pair
                    for pair in zip(expected, received, strict=False)
                    if pair[0] != pair[1]
                ),
                (f"{len(expected)} variables", f"{len(received)}"),
            )
            raise DataError(
                f"{path}: the state of another model: expected {wrong[0]}, received "
                f"{wrong[1]}. Resume with the configuration that the run began with."
            )
        for variable, value in zip(
            variables, _read(file, "last", variables), strict=True
        ):
            variable.assign(value)
        best = _read(file, "best", model.variables) if "best" in file else None
        return _plain(file, "progress"), best


def _plain(file, name):
    return json.loads(file[name][()].tobytes())


def _write(file, group, values):
    """Values of each type one after another, in the order of the variables."""
    of_type: dict[str, list[np.ndarray]] = {}
    for value in values:
        of_type.setdefault(value.dtype.name, []).append(value.ravel())
    for name, parts in of_type.items():
        file[f"{group}/{name}"] = np.concatenate(parts)


def _read(file, group, variables) -> list[np.ndarray]:
    rows = {name: row[()] for name, row in file[group].items()}
    start = dict.fromkeys(rows, 0)
    values = []
    for variable in variables:
        name = keras.backend.standardize_dtype(variable.dtype)
        end = start[name] + math.prod(variable.shape)
        values.append(rows[name][start[name] : end].reshape(variable.shape))
        start[name] = end
    return values


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Variables in a fixed order, without metrics, which each epoch resets."""
    return [*model.variables, *model.optimizer.variables]


def _name(path: str) -> str:
    """A path without the numbers that Keras appends for a second model in a process."""
    return re.sub(r"_\d+(?=/|$)", "", path)
