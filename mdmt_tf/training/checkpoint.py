"""The state of a fit in one file, so that a resumed run gives the same result.

Keras' own `BackupAndRestore` loses the state of early stopping, so a resumed run would
give another result. The order of samples and their augmentation are functions of (seed,
epoch). The state therefore consists of every variable of the model (including the
random state of dropout) and of the optimizer, and the state of the callbacks.

The last two states are kept. Each has a checksum, so that one that is torn or altered
is noticed, and the one before is used.

    last.h5           512 bytes: b"mdmt_tf state", SHA-256 of the rest; the rest is HDF5
    last.previous.h5  the one before
"""

import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from mdmt_tf.errors import DataError, MdmtError
from mdmt_tf.storage import replacing

# HDF5 leaves a block of this size to its user.
_HEAD = 512
_MARK = b"mdmt_tf state, sha256 of the bytes after 512: "
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MEGABYTE = 1 << 20
# What h5py raises for a file that is damaged.
_DAMAGED = (OSError, KeyError, ValueError, RuntimeError)


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

    The state that was there becomes the previous one. All values of a type are in one
    row, because a dataset for each of some thousand variables took half of the time of
    a small epoch. A process that is killed while writing leaves a whole state.

    Args:
        path: of the newest state.
        best: values of the model's variables in the best epoch; None if there is none.
    Raises: MdmtError for values that are not finite; nothing is written then.
    """
    variables = _variables(model)
    names = [[v.path, list(v.shape)] for v in variables]
    values = values_of(variables)
    for variable, value in zip(variables, values, strict=True):
        if not _is_finite(value):
            raise MdmtError(
                f"{path}: {variable.path} is no longer finite, so this state is not "
                "saved. Lower training.learning_rate, or use training.precision = "
                "float32."
            )
    # In memory, because HDF5 ends the process when it cannot close a file.
    with io.BytesIO() as memory:
        with h5py.File(memory, "w", userblock_size=_HEAD) as file:
            # Not as attributes, which hold at most 64 kB.
            for name, plain in (("progress", progress), ("variables", names)):
                file[name] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
            _write(file, "last", values)
            if best is not None:
                _write(file, "best", best)
        digest = _digest(memory)
        memory.seek(0)
        memory.write(_head(digest))
        with replacing(path, durable=True, keep=previous_of(path)) as partial:
            partial.write_bytes(memory.getbuffer())


def previous_of(path: Path) -> Path:
    """The path of the state before that of `path`.

    Example:
        >>> previous_of(Path("checkpoints/last.h5")).name
        'last.previous.h5'
    """
    return path.with_stem(f"{path.stem}.previous")


def drop_states(path: Path, keep_newest: bool) -> None:
    """Remove the states of training that has ended; they are larger than the weights.

    Args:
        path: of the newest state.
        keep_newest: keep that one, for more epochs.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "last.h5"
        >>> for state in (path, previous_of(path)):
        ...     state.touch()
        >>> drop_states(path, keep_newest=True)
        >>> [state.name for state in path.parent.iterdir()]
        ['last.h5']
    """
    for state in (previous_of(path), *(() if keep_newest else (path,))):
        state.unlink(missing_ok=True)


def newest_state(
    path: Path, write: Callable[[str], object] = lambda text: None
) -> Path | None:
    """The newest whole state: that of `path`, or the one before; None if there is none.

    A damaged one is put aside as `<name>.damaged`, so that it never replaces a whole
    one.

    Args:
        path: of the newest state.
        write: receives a line for each state that is damaged, and what is used instead.
    """
    before, lines, found = previous_of(path), [], None
    for candidate in (path, before):
        reason = damage_of(candidate)
        if reason is None:
            found = candidate
            break
        if candidate.exists():
            candidate.replace(candidate.with_suffix(".h5.damaged"))
            lines.append(f"{candidate} is damaged: {reason}.")
    if found is None and lines:
        lines.append("No state is left: training begins again with the first epoch.")
    elif found == before:
        lines.append(f"The state before is used: {before}.")
    if lines:
        write("".join(f"{line}\n" for line in lines))
    return found


def damage_of(path: Path) -> str | None:
    """What is wrong with a file of `save_state`; None if it is whole.

    Raises: OSError when the file is there and must not or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            # Those of earlier versions have no checksum.
            if not head.startswith(_HDF5):
                if len(head) < _HEAD or not head.startswith(_MARK):
                    return "it does not begin like a state"
                if head != _head(_digest(file)):
                    return "its checksum is that of other content"
    except FileNotFoundError:
        return "missing"
    try:
        read_progress(path)
        with h5py.File(path, "r") as file:
            # An earlier version could save a state with NaN.
            if not all(_is_finite(row[()]) for row in file["last"].values()):
                return "it holds numbers that are not finite"
    except _DAMAGED as error:
        return f"it cannot be read ({error})"
    return None


def read_progress(path: Path) -> dict:
    """The `progress` of a state."""
    with h5py.File(path, "r") as file:
        return _plain(file, "progress")


def _head(digest: bytes) -> bytes:
    return (_MARK + digest).ljust(_HEAD, b"\n")


def _digest(file) -> bytes:
    """SHA-256 of an open file after its head, as hexadecimal digits."""
    file.seek(_HEAD)
    digest = hashlib.sha256()
    while block := file.read(_MEGABYTE):
        digest.update(block)
    return digest.hexdigest().encode()


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
        last = _read(file, "last", variables)
        best = _read(file, "best", model.variables) if "best" in file else None
        progress = _plain(file, "progress")
    for variable, value in zip(variables, last, strict=True):
        variable.assign(value)
    return progress, best


def _is_finite(values: np.ndarray) -> bool:
    """Whether an array has finite numbers only, read once and without a copy."""
    return bool(np.isfinite(np.sum(values)))


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
