"""Read safetensors files from anywhere: the header is checked before the arrays.

The format: eight bytes with the length of the header, the header in JSON, the numbers.
The header gives, for each array, its type, shape, and first and last byte.
Source: https://github.com/huggingface/safetensors#format
"""

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, brief
from mdmt_tf.imaging import limits

# Name of a type -> numpy's; bfloat16 is the upper half of a float32.
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "<?",
}
_METADATA = "__metadata__"
# The largest networks have some thousand arrays, of 100 bytes each in the header.
_MAX_HEADER = 2_000_000
_MAX_RANK = 16


@dataclasses.dataclass(frozen=True)
class Entry:
    """Where an array is in the file, and what it is.

    Attributes:
        type: of the format, such as F32.
        shape: of the array.
        begin, end: bytes after the header.
    """

    type: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: str | os.PathLike) -> dict[str, Entry]:
    """The arrays of a file by name; the numbers are not read.

    Raises: DataError: the file is missing, too large, truncated or damaged, has arrays
        of a type that numpy does not have, or two of one name or in one place.

    Example:
        >>> import tempfile
        >>> from safetensors.numpy import save_file
        >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
        >>> save_file({"bias": np.zeros(3, np.float32)}, path)
        >>> read_header(path)
        {'bias': Entry(type='F32', shape=(3,), begin=0, end=12)}
    """
    return _read_header(Path(path))[0]


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a file by name; bfloat16 as float32.

    Raises: DataError, as `read_header`.

    Example:
        >>> import tempfile
        >>> from safetensors.numpy import save_file
        >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
        >>> save_file({"bias": np.arange(3)}, path)
        >>> read_arrays(path)
        {'bias': array([0, 1, 2])}
    """
    path = Path(path)
    entries, start = _read_header(path)
    arrays = {}
    try:
        with path.open("rb") as file:
            for name, entry in entries.items():
                file.seek(start + entry.begin)
                content = file.read(entry.end - entry.begin)
                array = np.frombuffer(content, _TYPES[entry.type])
                array = array.reshape(entry.shape)
                if entry.type == "BF16":
                    array = (array.astype(np.uint32) << 16).view(np.float32)
                arrays[name] = array
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}.") from error
    return arrays


def _read_header(path: Path) -> tuple[dict[str, Entry], int]:
    """The entries, and the position of the first number."""
    size = limits.check_file_size(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise ValueError(
                    f"a header of {length} bytes in a file of {size}; expected at most "
                    f"{_MAX_HEADER}"
                )
            described = json.loads(
                file.read(length).decode("utf-8"), object_pairs_hook=_without_repeats
            )
        entries = _entries(described, size - 8 - length)
    # The parser of JSON recurses, and refuses numbers of thousands of digits.
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: not a safetensors file, or a damaged one ({error})."
        ) from error
    return entries, 8 + length


def _without_repeats(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{brief(twice)} is there twice")
    return found


def _entries(described, size: int) -> dict[str, Entry]:
    if not isinstance(described, dict):
        raise ValueError("the header is no mapping")
    entries = {
        name: _entry(name, value, size)
        for name, value in described.items()
        if name != _METADATA
    }
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].begin):
        if entry.begin < end:
            raise ValueError(f"{brief(name)} overlaps another array")
        end = max(end, entry.end)
    return entries


def _entry(name: str, value, size: int) -> Entry:
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= {
        *value
    }:
        raise ValueError(f"{brief(name)} has no type, shape or place")
    kind, shape, place = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(
            f"{brief(name)} is of the type {brief(kind)}, which numpy does not have. "
            "Convert it to F32 or F16"
        )
    if not (isinstance(shape, list) and isinstance(place, list) and len(place) == 2):
        raise ValueError(f"{brief(name)} has no shape or place")
    if len(shape) > _MAX_RANK or not all(
        type(number) is int and 0 <= number < 2**48 for number in [*shape, *place]
    ):
        raise ValueError(f"{brief(name)} has the shape {brief(shape)}")
    begin, end = place
    needed = math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
    if end - begin != needed or end > size:
        raise ValueError(
            f"{brief(name)} of shape {shape} needs {needed} bytes; it has those from "
            f"{begin} to {end} of {size}"
        )
    return Entry(kind, tuple(shape), begin, end)
