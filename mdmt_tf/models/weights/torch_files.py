"""Read tensors from PyTorch files, without PyTorch and without running code in them.

`torch.save` writes pickles, and a pickle can call any function. This reader knows the
few names that tensors need and refuses files with any other name, so that reading a
file from the internet can only create arrays.

Source: the two formats of torch.serialization: the archive since version 1.6 (a ZIP
with data.pkl and one file per storage), and the older stream (five pickles, then the
storages).
"""

import collections
import math
import os
import pickle
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

from mdmt_tf.errors import DataError, brief
from mdmt_tf.imaging import limits

# The first number of a stream.
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_PROTOCOL = 1001

# PyTorch's name of a storage -> numpy's little-endian type of its elements.
_ELEMENTS = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # numpy has no such type; see `_as_numbers`
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}

# A network of thousands of tensors has a pickle of some 100 kB.
_MAX_PICKLE = 1_000_000
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
    except _NotTensorsError as error:
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


class _NotTensorsError(Exception):
    """The pickle refers to a name that this reader does not know."""


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


# The objects that a pickle can access. All are immutable, because a pickle may also set
# attributes and call `__setstate__`.


class _Elements(NamedTuple):
    """A class of storages."""

    type: str


class _Storage(NamedTuple):
    elements: str
    key: str
    size: int
    offset: int  # of a view into another storage


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


class _RebuildTensor:
    """`torch._utils._rebuild_tensor_v2` and its older form `_rebuild_tensor`."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_gradient_and_hooks):
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without storage")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _RebuildParameter:
    """`torch._utils._rebuild_parameter`: a trainable tensor."""

    __slots__ = ()

    def __call__(self, tensor, *_gradient_and_hooks):
        return tensor


class _MakeDict:
    """`collections.OrderedDict`, of which PyTorch makes empty ones and fills them."""

    __slots__ = ()

    def __call__(self, *content):
        if content:
            raise pickle.UnpicklingError("a dict that is made of other objects")
        return collections.OrderedDict()


class _Limited:
    """The part of a stream that a pickle may be read from."""

    def __init__(self, stream, most: int = _MAX_PICKLE):
        self._stream, self._left = stream, most

    def read(self, count: int) -> bytes:
        self._take(count)
        return self._stream.read(count)

    def readline(self) -> bytes:
        line = self._stream.readline(self._left)
        self._take(len(line))
        return line

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError(f"a pickle of more than {_MAX_PICKLE} bytes")


# The unpickler in Python: the one in C allocates gigabytes for a damaged memo index.
# Speed does not matter, as these pickles are short.
class _Unpickler(pickle._Unpickler):
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream):
        super().__init__(_Limited(stream))

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return _MakeDict()
        if module == "torch._utils" and name in (
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
        ):
            return _RebuildTensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _RebuildParameter()
        if module == "torch" and name in _ELEMENTS:
            return _Elements(_ELEMENTS[name])
        raise _NotTensorsError(f"{brief(module)[1:-1]}.{brief(name)[1:-1]}")

    def persistent_load(self, identifier):
        kind, elements, key, _device, size, *view = identifier
        if kind != "storage" or not isinstance(elements, _Elements):
            raise pickle.UnpicklingError("another object instead of a storage")
        offset = 0
        if view and view[0] is not None:
            _, offset, size = view[0]
        return _Storage(elements.type, _key(key), size, offset)

    # To hash or to compare nested tuples can take for ever, so keys are simple, and
    # there are no sets.

    def load_dict(self):
        items = self.pop_mark()
        self.append(dict(_pairs(items)))

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].update(_pairs([key, value]))

    def load_setitems(self):
        items = self.pop_mark()
        self.stack[-1].update(_pairs(items))

    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    for _code in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        del dispatch[_code[0]]
    # It would allocate what the pickle announces.
    del dispatch[pickle.BYTEARRAY8[0]]


def _pairs(items: list) -> list[tuple]:
    pairs = list(zip(items[::2], items[1::2], strict=True))
    if not all(key is None or isinstance(key, (str, int, float)) for key, _ in pairs):
        raise pickle.UnpicklingError("a key that is neither text nor number")
    return pairs


def _key(key) -> str:
    """The name of a storage."""
    if not isinstance(key, (str, int)):
        raise pickle.UnpicklingError("a storage without a name")
    return str(key)


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
        stored = _Unpickler(data).load()
    storages = {}
    for key in {tensor.storage.key for tensor in _tensors(stored)}:
        member = archive.getinfo(f"{folder}data/{key}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed")
        storages[key] = archive.read(member)
    return stored, storages


def _read_stream(stream):
    """The pickle of the stream format, and the bytes of each storage."""
    if _Unpickler(stream).load() != _STREAM_MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    protocol = _Unpickler(stream).load()
    if protocol != _STREAM_PROTOCOL:
        raise ValueError(f"another protocol than {_STREAM_PROTOCOL}")
    system = _Unpickler(stream).load()
    if not system["little_endian"]:
        raise NotImplementedError("big-endian numbers")
    stored = _Unpickler(stream).load()
    keys = _Unpickler(stream).load()
    widths = {
        tensor.storage.key: np.dtype(tensor.storage.elements).itemsize
        for tensor in _tensors(stored)
    }
    storages = {}
    for key in map(_key, keys):
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


def _tensors(stored) -> list[_Tensor]:
    """All tensors in nested containers, each container once.

    Raises: ValueError for a container inside itself, or nested too deep.
    """
    found: list[_Tensor] = []
    seen: set[int] = set()

    def visit(value, above: frozenset[int]) -> None:
        if isinstance(value, _Tensor):
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
    if isinstance(stored, _Tensor):
        return _array(stored, storages[stored.storage.key])
    if isinstance(stored, (_Storage, _Elements)):
        raise _NotTensorsError("a storage without a tensor")
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
    raise _NotTensorsError(f"a {type(stored).__name__.lstrip('_')}")


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
    if elements == _ELEMENTS["BFloat16Storage"]:
        # bfloat16 is the upper half of a float32.
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view.copy()
