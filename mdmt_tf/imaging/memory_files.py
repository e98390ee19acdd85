"""Files that exist in memory only, with a path that other processes can open.

Nothing of them reaches a disk, and they are gone when the process ends, also when it is
killed.
"""

import os
import tempfile
from pathlib import Path
from typing import BinaryIO


def open_memory_file(name: str = "mdmt_tf") -> BinaryIO:
    """An empty file to write and read.

    Args:
        name: for the list of open files of the system; it need not be unique.
    Raises: OSError when there is no memory, or no descriptor.
    """
    return os.fdopen(os.memfd_create(name), "w+b", buffering=0)


def path_of(file: BinaryIO) -> Path:
    """A path under which this process and its children can open the file.

    It holds until the file is closed. After that it may be the path of another one.

    Example:
        >>> with open_memory_file() as file:
        ...     _ = file.write(b"abc")
        ...     path_of(file).read_bytes()
        b'abc'
    """
    return Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def open_scratch() -> BinaryIO:
    """A file for what must not be kept: in memory, or else a deleted one on disk."""
    try:
        return open_memory_file()
    except OSError:  # a kernel without them
        return tempfile.TemporaryFile(buffering=0)
