"""Random access to the records of TFRecord files.

A record consists of length (uint64), checksum of the length (uint32), data, and
checksum of the data (uint32), all little-endian. Reading only the headers, one after
another, gives the position of each record.
"""

import os
import struct
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError

_HEADER = struct.Struct("<QI")
_FOOTER_SIZE = struct.calcsize("<I")


class Records:
    """The records of several files as one sequence of bytes objects.

    Attributes:
        length: int64 (n,), number of bytes of data in each record.
    """

    def __init__(self, paths: Sequence[str | os.PathLike]):
        """Find the records, reading 16 bytes of each.

        Args:
            paths: uncompressed TFRecord files, in order.
        Raises: DataError: a file is missing or ends within a record.
        """
        self.paths = tuple(Path(path) for path in paths)
        self._descriptors: list[int] = []
        weakref.finalize(self, _close, self._descriptors)
        found = []
        for number, path in enumerate(self.paths):
            try:
                self._descriptors.append(os.open(path, os.O_RDONLY))
            except OSError as error:
                raise DataError(
                    f"{path}: cannot be read ({error.strerror}). Prepare the dataset "
                    "again."
                ) from error
            found.append(_scan(self._descriptors[number], path, number))
        table = np.concatenate(found) if found else np.empty((0, 3), np.int64)
        self._file, self._offset, self.length = table.T

    def __len__(self) -> int:
        return len(self._offset)

    def read(self, rows: Sequence[int]) -> list[bytes]:
        """The data of some records, in the order of `rows`; thread-safe."""
        return [
            os.pread(self._descriptors[file], length, offset)
            for file, offset, length in zip(
                self._file[rows].tolist(),
                self._offset[rows].tolist(),
                self.length[rows].tolist(),
                strict=True,
            )
        ]


def _scan(descriptor: int, path: Path, number: int) -> np.ndarray:
    """int64 (n, 3): file, offset and length of the data."""
    size, position, found = os.fstat(descriptor).st_size, 0, []
    while position < size:
        header = os.pread(descriptor, _HEADER.size, position)
        start = position + _HEADER.size
        length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else size
        end = start + length
        footer = os.pread(descriptor, _FOOTER_SIZE, end) if end < size else b""
        if len(footer) != _FOOTER_SIZE:
            raise DataError(
                f"{path}: record {len(found)} at byte {position} goes beyond the end "
                f"of the file ({size} bytes). The file is incomplete or not a TFRecord "
                "file: copy or prepare the dataset again."
            )
        found.append((number, start, length))
        position = end + _FOOTER_SIZE
    return np.array(found, np.int64).reshape(-1, 3)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
