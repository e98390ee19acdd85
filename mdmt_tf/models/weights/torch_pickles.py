"""Unpickle what PyTorch writes about tensors, without running code.

A pickle can call any function. The unpickler knows the few names that tensors need, and
refuses all others. Instead of tensors it returns where their numbers are.
"""

import collections
import pickle
from typing import NamedTuple

from mdmt_tf.errors import brief

# PyTorch's name of a storage -> numpy's little-endian type of its elements.
ELEMENTS = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # numpy has no such type; see `torch_files`
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}

# A network of thousands of tensors has a pickle of some 100 kB.
_MAX_PICKLE = 1_000_000


class NotTensorsError(Exception):
    """The pickle refers to a name that this reader does not know."""


# The objects that a pickle can access. All are immutable, because a pickle may also set
# attributes and call `__setstate__`.


class Elements(NamedTuple):
    """A class of storages."""

    type: str


class Storage(NamedTuple):
    elements: str
    key: str
    size: int
    offset: int  # of a view into another storage


class Tensor(NamedTuple):
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class _RebuildTensor:
    """`torch._utils._rebuild_tensor_v2` and its older form `_rebuild_tensor`."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_gradient_and_hooks):
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without storage")
        return Tensor(storage, offset, tuple(shape), tuple(strides))


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
class Unpickler(pickle._Unpickler):
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
        if module == "torch" and name in ELEMENTS:
            return Elements(ELEMENTS[name])
        raise NotTensorsError(f"{brief(module)[1:-1]}.{brief(name)[1:-1]}")

    def persistent_load(self, identifier):
        kind, elements, key, _device, size, *view = identifier
        if kind != "storage" or not isinstance(elements, Elements):
            raise pickle.UnpicklingError("another object instead of a storage")
        offset = 0
        if view and view[0] is not None:
            _, offset, size = view[0]
        return Storage(elements.type, storage_name(key), size, offset)

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


def storage_name(key) -> str:
    """The name of a storage."""
    if not isinstance(key, (str, int)):
        raise pickle.UnpicklingError("a storage without a name")
    return str(key)
