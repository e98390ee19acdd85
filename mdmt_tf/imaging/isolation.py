"""Call functions that decode files in other processes, which may crash.

Decoders are native code. For a damaged file one may end the process, or take more
memory than there is. Here this ends a process that does nothing else, and the file is
named. The processes are started when they are needed and kept for the next files.
"""

import atexit
import contextlib
import os
import pickle
import queue
import resource
import signal
import struct
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mdmt_tf.errors import DataError, DataNote, DataWarning, collected_warnings
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.memory_files import open_scratch

# A kill by memory may be the fault of another file, which was decoded meanwhile.
_ATTEMPTS = 2
_SHOWN = 300  # characters of what a decoder wrote before it crashed
_WORKER = (
    "import mdmt_tf; mdmt_tf.leave_current_folder(); "
    "from mdmt_tf.imaging import isolation; isolation.serve()"
)
_LENGTH = struct.Struct("<Q")


def isolated(name: str, function: Callable, *arguments) -> Any:
    """The result of `function(*arguments)`, called in another process.

    Its `DataWarning` are given here, too. Limits and working folder are those of this
    process. At most one call per thread of the caller runs at a time.

    Args:
        name: the file, for messages.
        function: of a module; it and the arguments are pickled, and the result.
    Raises: DataError, as the function; or when the process crashes, or has too little
        memory. Other exceptions of the function are raised, too.

    Example:
        >>> isolated("a.png", len, b"abc")
        3
        >>> isolated("a.png", os.abort)
        Traceback (most recent call last):
            ...
        mdmt_tf.errors.DataError: a.png: the decoder crashed (SIGABRT). The file is ...
    """
    request = pickle.dumps((name, _place(), limits.current(), function, arguments))
    reason = ""
    for _ in range(_ATTEMPTS):
        worker = _workers.take()
        try:
            answer = worker.ask(request)
        except _CrashError as error:
            reason = str(error)
            continue
        except BaseException:  # interrupted: it may still answer
            worker.stop()
            raise
        _workers.give_back(worker)
        result, error, details, doubts = answer
        for text, kind, fact in doubts:
            if fact is None:
                warnings.warn(DataWarning(text, kind), stacklevel=2)
            else:
                DataNote(text, kind, fact)
        if isinstance(error, DataError):
            raise error
        if error is not None:  # a fault of the program: where it was
            raise error from RuntimeError(details)
        return result
    raise DataError(
        f"{name}: the decoder crashed ({reason}). The file is damaged, or needs more "
        "memory than there is: leave it out, or save it in another format"
    )


@contextlib.contextmanager
def at_most(extra: int) -> Iterator[None]:
    """Let a function that is called by `isolated` take so many bytes more, no more.

    Beyond them, it gets a MemoryError.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # a system that does not tell; its own limits hold
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + extra
    limits_now = [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([most, *limits_now]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def trim() -> None:
    """End all processes that wait but one, or `keep`; each holds some 100 MB."""
    _workers.stop(kept=_kept)


def keep(count: int) -> None:
    """Let `trim` leave this many processes, for a program that is asked often.

    To start one takes a second.
    """
    global _kept
    _kept = count


_kept = 1


class _CrashError(Exception):
    """The process has ended without an answer."""


class _Worker:
    """A process, with a pipe to it and one from it."""

    def __init__(self):
        there, self._to = os.pipe()
        self._from, here = os.pipe()
        # Open as long as the process lives.
        self._said = open_scratch()
        paths = [path for path in sys.path if path]  # "" is the current folder
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WORKER, str(there), str(here)],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=(there, here),
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
        finally:
            os.close(there)
            os.close(here)
        self._from, self._to = os.fdopen(self._from, "rb"), os.fdopen(self._to, "wb")

    def ask(self, request: bytes) -> tuple:
        try:
            _send(self._to, request)
            return pickle.loads(_receive(self._from))
        except (OSError, EOFError) as error:
            status = self._process.wait()
            reason = _reason(status, self._last_words())
            self.stop()
            raise _CrashError(reason) from error

    def stop(self) -> None:
        for end in (self._to, self._from):
            with contextlib.suppress(OSError):
                end.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _last_words(self) -> str:
        self._said.seek(0)
        text = self._said.read()[-10_000:].decode(errors="replace")
        return " ".join(text.split())[-_SHOWN:]


class _Workers:
    """The processes that wait."""

    def __init__(self):
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()

    def take(self) -> _Worker:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _Worker()

    def give_back(self, worker: _Worker) -> None:
        self._idle.put(worker)

    def stop(self, kept: int = 0) -> None:
        with contextlib.suppress(queue.Empty):
            while self._idle.qsize() > kept:
                self._idle.get_nowait().stop()


def _after_fork() -> None:
    """The processes answer the parent, not its children."""
    global _workers
    _workers = _Workers()


_workers = _Workers()
atexit.register(lambda: _workers.stop())
os.register_at_fork(after_in_child=_after_fork)


def _place() -> str | None:
    """The working folder, to which paths are relative; None if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _reason(status: int, words: str) -> str:
    """Why a process has ended, such as "SIGSEGV"."""
    if status < 0:
        try:
            reason = signal.Signals(-status).name
        except ValueError:
            reason = f"signal {-status}"
    else:
        reason = f"exit status {status}"
    return f"{reason}: {words}" if words else reason


def _send(stream: BinaryIO, data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: BinaryIO) -> bytearray:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, length: int) -> bytearray:
    data = bytearray(length)
    left = memoryview(data)
    while left:
        count = stream.readinto(left)
        if not count:
            raise EOFError
        left = left[count:]
    return data


def serve() -> None:
    """Answer requests until the pipe ends; the code of the other process."""
    # The process that asks is interrupted, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory ends, this process is to go first
        Path("/proc/self/oom_score_adj").write_text("900")
    requests, answers = (
        os.fdopen(int(number), mode)
        for number, mode in zip(sys.argv[1:], ("rb", "wb"), strict=True)
    )
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _send(answers, _answer(_receive(requests)))


def _answer(request: bytearray) -> bytes:
    """The pickled result, error and warnings of a request."""
    name, place, current, function, arguments = pickle.loads(request)
    if place is not None and place != _place():
        os.chdir(place)
    limits.use(current)
    result = error = None
    details = ""
    with warnings.catch_warnings(), collected_warnings() as found:
        warnings.simplefilter("ignore")
        try:
            result = function(*arguments)
        except MemoryError:
            error = DataError(f"{name}: needs more memory than there is")
        except Exception as raised:
            error, details = raised, traceback.format_exc()
        except BaseException as raised:  # a panic of native code
            error = DataError(
                f"{name}: cannot be read: {type(raised).__name__}: {raised}"
            )
    doubts = [(str(one), one.kind, getattr(one, "fact", None)) for one in found]
    try:
        return pickle.dumps((result, error, details, doubts), protocol=5)
    except Exception as raised:
        error = RuntimeError(f"{name}: cannot be sent to another process: {raised}")
        return pickle.dumps((None, error, details, doubts))
