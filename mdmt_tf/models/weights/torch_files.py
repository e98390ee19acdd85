"""Read tensors from PyTorch files, without PyTorch and without running code in them.

`torch.save` writes pickles, and a pickle can call any function. `torch_pickles` knows
the few names that tensors need and refuses files with any other name, so that reading a
file from the internet can only create arrays.

Source: the two formats of torch.serialization: the archive since version 1.6 (a ZIP
with data.pkl and one file per storage), and the older stream (five pickles, then the
storages).
"""

import math
import os
import pickle
import struct
import zipfile
from typing import Any

import numpy as np

from mdmt_tf.errors import DataError, brief
from mdmt_tf.imaging import limits
from mdmt_tf.models.weights.torch_pickles import (
    ELEMENTS,
    Elements,
    NotTensorsError,
    Storage,
    Tensor,
    Unpickler,
    storage_name,
)

# The first number of a stream.
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_PROTOCOL = 1001

_MAX_DEPTH = 100
# Tensors that share a storage are copied.
_MOST_COPIES = 4


def read_torch_file(path: str | os.PathLike) -> Any:
    """Read a file of `torch.save`: containers, numbers, strings, tensors as arrays.

    Args:
        path: a `.pth` or `.pt` file in either of PyTorch's formats.
    Returns: usually a dict from parameter name to numpy array; bfloat16 as float32.
    Raises: DataError: the file is missing or damaged, or holds other objects than
        tensors, containers, numbers and strings. Such objects are not run.

    Example:
        >>> import tempfile
        >>> empty = os.path.join(tempfile.mkdtemp(), "empty.pth")
        >>> open(empty, "w").close()
        >>> read_torch_file(empty)
        Traceback (most recent call last):
            ...
        mdmt_tf.errors.DataError: ...
    """
    size = limits.check_file_size(path)
    try:
        with open(path, "rb") as stream:
            if zipfile.is_zipfile(stream):
                stored, storages = _read_archive(stream)
            else:
                stream.seek(0)  # `is_zipfile` has moved it
                stored, storages = _read_stream(stream)
            _check_copies(stored, size)
            return _with_arrays(stored, storages)
    except NotTensorsError as error:
        raise DataError(
            f"{path}: contains {error}, which is no tensor and was not run. Expected "
            "tensors, containers, numbers and strings, as `torch.save` writes for "
            "`model.state_dict()`."
        ) from error
    except (OSError, MemoryError, *_DAMAGE) as error:
        raise DataError(
            f"{path}: not a file of tensors from `torch.save`, or a damaged one "
            f"({type(error).__name__}: {error})."
        ) from error


# Exceptions of unpickling random bytes, and of the checks below.
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    AssertionError,
    RecursionError,
    struct.error,
    NotImplementedError,
)


def _read_archive(stream):
    """The pickle of a ZIP, and the bytes of each storage."""
    archive = zipfile.ZipFile(stream)
    names = archive.namelist()
    pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError(f"a ZIP with {len(pickles)} files data.pkl instead of one")
    whole = os.fstat(stream.fileno()).st_size
    if sum(member.file_size for member in archive.infolist()) > whole:
        # PyTorch does not compress, and a few bytes could expand to gigabytes.
        raise ValueError("its members are larger than the file: compressed, or damaged")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in names:
        order = archive.read(f"{folder}byteorder")
        if order != b"little":
            raise NotImplementedError(f"byte order {brief(order)}")
    with archive.open(pickles[0]) as data:
        stored = Unpickler(data).load()
    storages = {}
    for key in {tensor.storage.key for tensor in _tensors(stored)}:
        member = archive.getinfo(f"{folder}data/{key}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed")
        storages[key] = archive.read(member)
    return stored, storages


def _read_stream(stream):
    """The pickle of the stream format, and the bytes of each storage."""
    if Unpickler(stream).load() != _STREAM_MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    protocol = Unpickler(stream).load()
    if protocol != _STREAM_PROTOCOL:
        raise ValueError(f"another protocol than {_STREAM_PROTOCOL}")
    system = Unpickler(stream).load()
    if not system["little_endian"]:
        raise NotImplementedError("big-endian numbers")
    stored = Unpickler(stream).load()
    keys = Unpickler(stream).load()
    widths = {
        tensor.storage.key: np.dtype(tensor.storage.elements).itemsize
        for tensor in _tensors(stored)
    }
    storages = {}
    for key in map(storage_name, keys):
        size = int.from_bytes(_read(stream, 8), "little")
        if key not in widths:
            raise ValueError(f"storage {key} belongs to no tensor")
        storages[key] = _read(stream, size * widths[key])
    return stored, storages


def _read(stream, size):
    missing = size - (os.fstat(stream.fileno()).st_size - stream.tell())
    if missing > 0:
        raise EOFError(f"{missing} bytes are missing")
    return stream.read(size)


def _tensors(stored) -> list[Tensor]:
    """All tensors in nested containers, each container once.

    Raises: ValueError for a container inside itself, or nested too deep.
    """
    found: list[Tensor] = []
    seen: set[int] = set()

    def visit(value, above: frozenset[int]) -> None:
        if isinstance(value, Tensor):
            found.append(value)
            return
        if not isinstance(value, (dict, list, tuple)):
            return
        if id(value) in above:
            raise ValueError("a list or dict that contains itself")
        if len(above) == _MAX_DEPTH:
            raise ValueError(f"more than {_MAX_DEPTH} lists or dicts inside each other")
        if id(value) in seen:
            return
        seen.add(id(value))
        for item in value.values() if isinstance(value, dict) else value:
            visit(item, above | {id(value)})

    visit(stored, frozenset())
    return found


def _check_copies(stored, size: int) -> None:
    """Raise ValueError where the tensors together are much larger than the file."""
    total = sum(
        math.prod(map(_length, tensor.shape))
        * np.dtype(tensor.storage.elements).itemsize
        for tensor in _tensors(stored)
    )
    if total > max(limits.SMALL, _MOST_COPIES * size):
        raise ValueError(
            f"tensors of {total} bytes in a file of {size}: they repeat each other"
        )


def _length(value) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a tensor with an impossible shape")
    return value


def _with_arrays(stored, storages, made=None):
    """The containers with arrays for tensors; what is shared is made once."""
    made = {} if made is None else made
    if isinstance(stored, Tensor):
        return _array(stored, storages[stored.storage.key])
    if isinstance(stored, (Storage, Elements)):
        raise NotTensorsError("a storage without a tensor")
    if isinstance(stored, (dict, list, tuple)):
        if id(stored) not in made:
            if isinstance(stored, dict):
                new = {k: _with_arrays(v, storages, made) for k, v in stored.items()}
            else:
                new = type(stored)(_with_arrays(v, storages, made) for v in stored)
            made[id(stored)] = new
        return made[id(stored)]
    if stored is None or isinstance(stored, (bool, int, float, str, bytes)):
        return stored
    raise NotTensorsError(f"a {type(stored).__name__.lstrip('_')}")


def _array(tensor, content):
    numbers = (*tensor.shape, *tensor.strides, tensor.offset, tensor.storage.offset)
    if not all(type(n) is int and n >= 0 for n in numbers) or (
        len(tensor.shape) != len(tensor.strides)
    ):
        raise ValueError("a tensor with impossible strides or offset")
    elements = np.frombuffer(content, tensor.storage.elements)
    elements = elements[tensor.storage.offset :][: tensor.storage.size]
    # The strides come from the file. They must not reach outside the storage, and a
    # tensor must not have more numbers than its storage.
    count = math.prod(tensor.shape)
    last = tensor.offset + sum(
        (length - 1) * stride
        for length, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if count > len(elements) or (count and last >= len(elements)):
        raise ValueError(
            f"a tensor of shape {tensor.shape} reaches beyond its storage of "
            f"{len(elements)} numbers"
        )
    view = np.lib.stride_tricks.as_strided(
        elements[tensor.offset :],
        tensor.shape,
        [stride * elements.itemsize for stride in tensor.strides],
        writeable=False,
    )
    return _as_numbers(view, tensor.storage.elements)


def _as_numbers(view, elements):
    if elements == ELEMENTS["BFloat16Storage"]:
        # bfloat16 is the upper half of a float32.
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view.copy()
