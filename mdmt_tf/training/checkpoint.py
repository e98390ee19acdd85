"""The state of a fit in one file, so that an interrupted run goes on to the same end.

Keras' own `BackupAndRestore` loses the state of early stopping, and a resumed run then
ends elsewhere. The order of samples and their augmentation are functions of (seed,
epoch), so what is left to keep is: every variable of the model (dropout's random state
is one) and the optimizer, and what the callbacks remember.
"""

import json
import os
import re
from pathlib import Path

import h5py
import keras

from mdmt_tf.errors import DataError


def save_state(path: Path, model: keras.Model, progress: dict) -> None:
    """Write the model, its optimizer and `progress` (plain values) atomically.

    A process killed while writing leaves the previous file as it was.
    """
    partial = path.with_name(path.name + ".partial")
    with h5py.File(partial, "w") as file:
        file.attrs["progress"] = json.dumps(progress)
        for index, variable in enumerate(_variables(model)):
            item = file.create_dataset(
                str(index), data=keras.ops.convert_to_numpy(variable)
            )
            item.attrs["path"] = variable.path
    os.replace(partial, path)


def load_state(path: Path, model: keras.Model) -> dict:
    """Fill the model and its optimizer; returns `progress`.

    Raises: DataError when the file is of another model.
    """
    with h5py.File(path, "r") as file:
        variables = _variables(model)
        expected = [(_name(v.path), tuple(v.shape)) for v in variables]
        items = [file[str(index)] for index in range(len(file))]
        received = [(_name(item.attrs["path"]), item.shape) for item in items]
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
        for variable, item in zip(variables, items, strict=True):
            variable.assign(item[()])
        return json.loads(file.attrs["progress"])


def _variables(model: keras.Model) -> list[keras.Variable]:
    """In a fixed order. Metrics are not among them: they begin anew each epoch."""
    return [*model.variables, *model.optimizer.variables]


def _name(path: str) -> str:
    """Without the numbers that Keras appends when a process builds a second model."""
    return re.sub(r"_\d+(?=/|$)", "", path)
