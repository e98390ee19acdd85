"""Folders that commands make, atomic writing of files, JSON, digests and locks."""

import contextlib
import dataclasses
import datetime
import errno
import fcntl
import hashlib
import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mdmt_tf import disk
from mdmt_tf.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

_MEGABYTE = 1 << 20
_POLL_SECONDS = 0.1
# File systems, mostly of networks, that have no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclasses.dataclass(frozen=True)
class Made:
    """A kind of folder that a command makes, and a file that each of them has."""

    kind: str
    file: str
    command: str


RUN = Made("a run", "config.yaml", "train")
BENCHMARK = Made("a benchmark", "benchmark.yaml", "benchmark")


def require_folder(path: str | os.PathLike, *kinds: Made) -> None:
    """Make sure that a folder is one of these kinds.

    Raises: DataError that says what the path is instead.

    Example:
        >>> require_folder("runs/nothing", RUN)
        Traceback (most recent call last):
            ...
        mdmt_tf.errors.DataError: runs/nothing: no such folder. Expected one that ...
    """
    folder = Path(path)
    if any((folder / made.file).is_file() for made in kinds):
        return
    if folder.is_dir():
        kind, file = (
            " or ".join(getattr(made, name) for made in kinds)
            for name in ("kind", "file")
        )
        problem = f"not the folder of {kind}: it has no {file}"
    else:
        problem = "not a folder" if folder.exists() else "no such folder"
    makers = " or ".join(f"`python -m mdmt_tf.{made.command}`" for made in kinds)
    raise DataError(f"{path}: {problem}. Expected one that {makers} made.")


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike,
    suffix: str = ".partial",
    *,
    durable: bool = False,
    keep: Path | None = None,
) -> Iterator[Path]:
    """A path to write to; it replaces `path` when the block ends without an error.

    A process that is killed in the block leaves `path` unchanged.

    Args:
        path: the final file; errors of the operating system name it.
        suffix: suffix of the temporary file, which is in the same folder. Some writers
            choose the format by it.
        durable: whether the file is on the disk, not only in memory, before it replaces
            `path`. Otherwise a loss of power may leave an empty file. Takes some 10 ms.
        keep: the new name of the file that is replaced; None: it is removed. A process
            that is killed in between leaves `keep` and no `path`.

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
        if durable:
            sync(partial)
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(partial, path)
        if durable:
            sync(path.parent)
    except OSError as error:
        number = disk.number_of(error)
        if number is None or error.filename not in (None, os.fspath(partial)):
            raise
        # Writing to an open file gives no name, and the temporary one means nothing.
        raise OSError(number, os.strerror(number), os.fspath(path)) from error
    finally:
        # The error of a folder that is gone is that of the block.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def check_space(path: str | os.PathLike, size: int) -> None:
    """Make sure that a file of so many bytes can be written, before it is begun.

    For writers in native code that cannot stop in the middle of a file: HDF5 ends the
    process when it cannot close one.

    Raises: OSError with the path of the file for a full disk, a used-up quota, or a
        limit of the size of files.
    """
    try:
        with tempfile.TemporaryFile(dir=Path(path).parent) as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def sync(path: str | os.PathLike) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_all(folder: str | os.PathLike) -> None:
    """Wait until all files of a folder, and of the folders in it, are on the disk."""
    for name, _, files in os.walk(folder):
        for file in files:
            sync(os.path.join(name, file))
        sync(name)


def write_bytes(
    path: str | os.PathLike, content: bytes, *, durable: bool = False
) -> None:
    """Write a file whole or not at all; `durable` as for `replacing`."""
    with replacing(path, durable=durable) as partial:
        partial.write_bytes(content)


def write_text(path: str | os.PathLike, text: str, *, durable: bool = False) -> None:
    """Write a UTF-8 file whole or not at all; line ends are not changed."""
    write_bytes(path, text.encode("utf-8"), durable=durable)


def write_json(path: str | os.PathLike, values: dict, *, durable: bool = False) -> None:
    """Write JSON whole or not at all; NaN, which JSON does not have, becomes null."""
    text = json.dumps(without_nan(values), indent=2, allow_nan=False)
    write_text(path, text + "\n", durable=durable)


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

    The file may be removed while it is locked: who waits for it locks the next one.
    Where the file system has no locks, a warning says so.

    Raises: BlockingIOError while another process holds the lock.
    """
    while True:
        file = open(path, "a")  # noqa: SIM115 - the caller closes it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(file, path):
                return file
        except BlockingIOError:
            file.close()
            raise
        except OSError as error:
            if error.errno in _NO_LOCKS:
                logger.warning(
                    "%s: the file system has no locks (%s). Do not start a second "
                    "process there.",
                    path,
                    error.strerror,
                )
                return file
            file.close()
            raise
        # Removed by the process that held it before.
        file.close()


def _is_there(file, path) -> bool:
    """Whether an open file still has its name."""
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(file.fileno()))


@contextlib.contextmanager
def locked(
    path: str | os.PathLike,
    busy: str,
    *,
    wait: float = 0.0,
    waiting: Callable[[], object] = lambda: None,
    remove: bool = False,
) -> Iterator[None]:
    """Hold a lock in the block.

    Args:
        path: of the lock, a file in an existing folder.
        busy: the text of the error: who holds it, and what to do.
        wait: seconds to wait for another process that holds it.
        waiting: called once if there is such a process.
        remove: whether to remove the file in the end.
    Raises: ConfigError when another process holds the lock for longer.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "lock"
        >>> with locked(path, "busy", remove=True):
        ...     path.exists()
        True
        >>> path.exists()
        False
    """
    end, is_told = time.monotonic() + wait, False
    while True:
        try:
            held = lock(path)
            break
        except BlockingIOError:
            if not is_told:
                waiting()
            is_told = True
            if time.monotonic() >= end:
                raise ConfigError(busy) from None
            time.sleep(_POLL_SECONDS)
    with held:
        try:
            yield
        finally:
            if remove:
                # Before it is unlocked, so that no other process has it.
                with contextlib.suppress(OSError):
                    Path(path).unlink(missing_ok=True)


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")
