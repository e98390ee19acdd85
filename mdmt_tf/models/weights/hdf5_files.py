"""Check a `.weights.h5` file before its arrays are read.

A file of a kilobyte can announce arrays of terabytes, and can refer to other files on
the machine.
"""

import os
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, brief
from mdmt_tf.imaging import limits

SUFFIX = ".weights.h5"
_MAX_OBJECTS = 100_000


def check(path: str | os.PathLike) -> None:
    """Look at all arrays of a file, without reading them.

    Raises: DataError: the file is missing, damaged or too large; it has links to other
        files, arrays that are no numbers, or arrays far larger than the file.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tiny.weights.h5"
        >>> with h5py.File(path, "w") as file:
        ...     _ = file.create_dataset("kernel", data=np.zeros(3))
        >>> check(path)
    """
    import h5py

    path = Path(path)
    size = limits.check_file_size(path)
    try:
        with h5py.File(path, "r") as file:
            total = _bytes_below(file, h5py)
    except DataError as error:
        raise DataError(f"{path}: {error}. Expected arrays of weights.") from error
    # h5py passes on many kinds of errors about damaged files.
    except Exception as error:
        raise DataError(
            f"{path}: not a file of weights, or a damaged one ({error})."
        ) from error
    limits.check_unpacked(os.fspath(path), total, size, "arrays")


def _bytes_below(file, h5py) -> int:
    """Bytes of all arrays; a group is looked at once, however many links it has."""
    total, count = 0, 0
    waiting, seen = [file], {_address(file, h5py)}
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            full = brief(f"{group.name.rstrip('/')}/{name}")
            count += 1
            if count > _MAX_OBJECTS:
                raise DataError(f"more than {_MAX_OBJECTS} arrays and groups")
            if isinstance(link, h5py.ExternalLink):
                raise DataError(f"{full} refers to another file")
            if isinstance(link, h5py.SoftLink):
                raise DataError(f"{full} is a link")
            node = group[name]
            if isinstance(node, h5py.Dataset):
                total += _bytes_of(node, full)
            elif _address(node, h5py) not in seen:
                seen.add(_address(node, h5py))
                waiting.append(node)
    return total


def _bytes_of(array, name: str) -> int:
    if array.external or array.is_virtual:
        raise DataError(f"{name} refers to another file")
    if array.dtype.kind not in "biufSU":
        raise DataError(f"{name} is of the type {array.dtype}")
    return int(np.prod(array.shape, dtype=object)) * array.dtype.itemsize


def _address(group, h5py) -> int:
    return h5py.h5o.get_info(group.id).addr
