"""Atomic writing of files, JSON, digests and locks."""

import contextlib
import datetime
import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

_MEGABYTE = 1 << 20


@contextlib.contextmanager
def replacing(path: str | os.PathLike, suffix: str = ".partial") -> Iterator[Path]:
    """A path to write to; it replaces `path` when the block ends without an error.

    A process that is killed in the block leaves `path` unchanged.

    Args:
        path: the final file.
        suffix: suffix of the temporary file, which is in the same folder. Some writers
            choose the format by it.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with replacing(target) as partial:
        ...     _ = partial.write_text("1 2 3")
        >>> target.read_text()
        '1 2 3'
    """
    path = Path(path)
    # The name contains the process, so that two writers of a file do not interfere.
    partial = path.with_name(f".{path.name}.{os.getpid()}{suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 file whole or not at all; line ends are not changed."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike, values: dict) -> None:
    """Write JSON whole or not at all; NaN, which JSON does not have, becomes null."""
    text = json.dumps(without_nan(values), indent=2, allow_nan=False)
    write_text(path, text + "\n")


def without_nan(value):
    """The same plain values, with None for every number that is not finite.

    Example:
        >>> without_nan({"auc": float("nan"), "n": [1, 2]})
        {'auc': None, 'n': [1, 2]}
    """
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def digest_of(values: object) -> str:
    """SHA-256 of plain values, independent of the order of their keys.

    Example:
        >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_MEGABYTE):
            digest.update(block)
    return digest.hexdigest()


def lock(path: str | os.PathLike):
    """An open file that is locked until it is closed, however the process ends.

    Raises: BlockingIOError while another process holds the lock.
    """
    file = open(path, "a")  # noqa: SIM115 - the caller closes it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")
