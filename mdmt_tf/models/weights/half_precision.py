"""Weights of a backbone in half precision, in one file with the facts of their origin.

The file is in the safetensors format, which holds arrays and text, and no code:

<layer>/<variable>   kernels in float16; biases and all vectors of normalisation in
                     float32, because a variance may be smaller than float16's smallest
                     number or larger than its largest
heads/...            likewise, the heads of tasks if the file has them, see `heads`
metadata "mdmt_tf"   JSON: `format`, `backbone`, `sha256` of the arrays, and the facts
                     that the writer gives

Reading and writing need no TensorFlow.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights import safetensors_files
from mdmt_tf.storage import write_bytes

if TYPE_CHECKING:
    import keras

SUFFIX = ".safetensors"
# With this begin the names of the arrays of heads, see `heads`.
HEADS = "heads/"
_FORMAT = 1
_KEY = "mdmt_tf"


def arrays_of(model: "keras.Model") -> dict[str, np.ndarray]:
    """The weights of a backbone as they are stored.

    Args:
        model: from `build_backbone`, with one set of statistics.
    Returns: {"<layer>/<variable>": array}, of kernels in float16, of vectors in
        float32.
    Raises: DataError: a weight is not finite, or beyond the range of float16.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> arrays = arrays_of(build_backbone("shufflenet_v2_x0_5", (64, 64, 3)))
        >>> arrays["conv1.0/kernel"].dtype, arrays["conv1.1/moving_variance"].dtype
        (dtype('float16'), dtype('float32'))
    """
    return halved(_variables(model), model.name)


def halved(variables: Mapping, of: str) -> dict[str, np.ndarray]:
    """Arrays or variables as they are stored: kernels in float16, vectors in float32.

    Args:
        variables: name -> values.
        of: the model, for messages.
    Raises: DataError: a weight is not finite, or beyond the range of float16.

    Example:
        >>> halved({"kernel": np.ones((2, 2))}, "tiny")["kernel"].dtype.name
        'float16'
    """
    arrays = {}
    for name, variable in variables.items():
        values = np.asarray(variable, np.float32)
        # Infinite where a number is too large, which is refused below.
        with np.errstate(over="ignore"):
            stored = values.astype(np.float16 if values.ndim > 1 else np.float32)
        if not np.isfinite(stored).all():
            raise DataError(
                f"{name} of {of}: expected finite weights below "
                f"{np.finfo(np.float16).max:g}. The largest is "
                f"{np.abs(values).max():g}: the training has diverged."
            )
        arrays[name] = stored
    return arrays


def fill(model: "keras.Model", arrays: Mapping[str, np.ndarray]) -> None:
    """Give a backbone the weights of `arrays_of` of the same backbone; heads are left.

    Raises: ValueError: names or shapes differ; the model is unchanged.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> one, other = (
        ...     build_backbone("shufflenet_v2_x0_5", (64, 64, 3), seed=seed)
        ...     for seed in (1, 2)
        ... )
        >>> fill(other, arrays_of(one))
        >>> digest_of(arrays_of(other)) == digest_of(arrays_of(one))
        True
    """
    variables, (arrays, _) = _variables(model), split_off(arrays)
    problems = [f"missing: {name}" for name in variables if name not in arrays]
    problems += [
        f"not in the model: {name}" for name in arrays if name not in variables
    ]
    problems += [
        f"shape of {name}: expected {tuple(variable.shape)}, received "
        f"{arrays[name].shape}"
        for name, variable in variables.items()
        if name in arrays and arrays[name].shape != tuple(variable.shape)
    ]
    if problems:
        raise ValueError("\n  ".join(["", *sorted(problems)]))
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(np.float32))


def split_off(arrays: Mapping[str, np.ndarray]) -> tuple[dict, dict]:
    """The arrays of the backbone, and those of heads.

    Example:
        >>> split_off({"conv1/kernel": 1, "heads/age/output/bias": 2})
        ({'conv1/kernel': 1}, {'heads/age/output/bias': 2})
    """
    heads = {name: a for name, a in arrays.items() if name.startswith(HEADS)}
    return {name: a for name, a in arrays.items() if name not in heads}, heads


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of arrays with their names, types and shapes.

    The order of the arrays does not matter.

    Example:
        >>> one, other = np.ones(2, np.float16), np.zeros((1, 3), np.float32)
        >>> digest_of({"a": one, "b": other}) == digest_of({"b": other, "a": one})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write(
    path: str | os.PathLike, arrays: Mapping[str, np.ndarray], facts: Mapping
) -> None:
    """Write the file whole or not at all.

    Args:
        path: it ends in `.safetensors`.
        arrays: of `arrays_of`.
        facts: plain values for JSON, with the name of the `backbone`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tiny.safetensors"
        >>> write(path, {"norm/gamma": np.ones(4)}, {"backbone": "tiny"})
        >>> sorted(read_facts(path))
        ['backbone', 'format', 'sha256']
    """
    from safetensors.numpy import save

    facts = {"format": _FORMAT, **facts, "sha256": digest_of(arrays)}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # One entry: the order of several is not always the same.
    write_bytes(path, save(arrays, {_KEY: json.dumps(facts)}))


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and the facts of a file, after a check of their SHA-256.

    Raises: DataError: the file is missing, damaged or not of this form.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tiny.safetensors"
        >>> write(path, {"norm/gamma": np.ones(4)}, {"backbone": "tiny", "seed": 3})
        >>> arrays, facts = read(path)
        >>> arrays["norm/gamma"].tolist(), facts["seed"]
        ([1.0, 1.0, 1.0, 1.0], 3)
    """
    with _Opened(path) as file:
        facts = file.facts()
        names = file.stream.offset_keys()
        try:
            arrays = {name: file.stream.get_tensor(name) for name in names}
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{path}: has arrays that this package does not write ({error})."
            ) from error
    if digest_of(arrays) != facts["sha256"]:
        raise DataError(
            f"{path}: its arrays are not those that were written: expected the sha256 "
            f"{facts['sha256'][:12]}, received {digest_of(arrays)[:12]}. The file was "
            "changed or damaged."
        )
    return arrays, facts


def read_facts(path: str | os.PathLike) -> dict:
    """The facts of a file alone; the arrays are neither read nor checked.

    Raises: DataError: the file is missing, damaged or not of this form.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tiny.safetensors"
        >>> write(path, {"norm/gamma": np.ones(4)}, {"backbone": "tiny"})
        >>> read_facts(path)["backbone"]
        'tiny'
    """
    with _Opened(path) as file:
        return file.facts()


class _Opened:
    """A file that is open, with errors that name it."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def __enter__(self) -> "_Opened":
        from safetensors import SafetensorError, safe_open

        safetensors_files.read_header(self.path)
        try:
            self._context = safe_open(str(self.path), framework="numpy")
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"{self.path}: not a safetensors file, or a damaged one ({error})."
            ) from error
        self.stream = self._context.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._context.__exit__(*error)

    def facts(self) -> dict:
        try:
            facts = json.loads((self.stream.metadata() or {})[_KEY])
            known = facts["format"] == _FORMAT and facts["backbone"] and facts["sha256"]
            known = known and isinstance(facts["sha256"], str)
        except (KeyError, TypeError, ValueError, RecursionError):
            known = False
        if not known:
            raise DataError(
                f"{self.path}: expected weights that this package has written, with "
                f"the metadata {_KEY!r} of format {_FORMAT}. Received others, or those "
                "of a newer version."
            )
        return facts


def _variables(model):
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.weights
    }
