"""What decoders write to standard error, taken into messages that name the file.

libjpeg, libpng, libtiff and decoders in Rust report damage by a line on standard error,
without the file's name, and may return half a picture. A process has one standard error
but decodes images in several threads. It is therefore led into a temporary file while
any of them decodes. A decoder during whose work the file grew runs once more, alone, so
that the lines are its own. Decoders of good files write nothing and run once.
"""

import contextlib
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from mdmt_tf.imaging.memory_files import open_scratch

Result = TypeVar("Result")

_STDERR = 2
# Times, addresses and numbers of threads, which differ from run to run.
_VARYING = re.compile(rb"0x[0-9a-f]+|\d+")

_this_thread = threading.local()


def listen(decode: Callable[[], Result]) -> tuple[Result, list[str]]:
    """Call a native decoder.

    Args:
        decode: called without arguments; twice, if anything is written to standard
            error meanwhile.
    Returns: its result, and the lines that it wrote to standard error. Lines of others
        are passed on.
    """
    if getattr(_this_thread, "is_listening", False):
        return decode(), []
    _this_thread.is_listening = True
    try:
        return _taken.listen(decode)
    finally:
        _this_thread.is_listening = False


@contextlib.contextmanager
def quiet_loggers() -> Iterator[None]:
    """Drop what pydicom and nibabel log in this thread.

    They log, partly with a traceback, what they raise, too, and do not name the file.
    """
    before = getattr(_this_thread, "is_quiet", False)
    _this_thread.is_quiet = True
    try:
        yield
    finally:
        _this_thread.is_quiet = before


class _Taken:
    """Standard error of the process, while decoders run."""

    def __init__(self):
        self._changed = threading.Condition()
        self._running = 0
        self._is_alone = False
        # Decoders that wait for running alone, or shall.
        self._waiting = 0
        self._file = None
        self._kept = None
        # Text of which it is not known whose it is, and lines of decoders.
        self._pending = b""
        self._known: set[bytes] = set()

    def listen(self, decode: Callable[[], Result]) -> tuple[Result, list[str]]:
        self._enter()
        start = self._size()
        try:
            result = decode()
        finally:
            has_text = self._size() != start
            self._leave(has_text)
            if has_text and sys.exc_info()[0] is not None:
                # The exception says what is wrong; this finds the lines to drop.
                with contextlib.suppress(BaseException):
                    self._listen_alone(decode)
        return self._listen_alone(decode) if has_text else (result, [])

    def _listen_alone(self, decode):
        self._enter_alone()
        start = self._size()
        try:
            result = decode()
        finally:
            text = self._text(start)
            self._known.update(map(_constant, text.splitlines()))
            self._leave()
        lines = text.decode(errors="replace").splitlines()
        return result, [line for line in lines if line.strip()]

    def _enter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._waiting)
            self._start()

    def _enter_alone(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._running)
            self._waiting -= 1
            self._is_alone = True
            self._start()

    def _start(self) -> None:
        self._running += 1
        if self._running > 1:
            return
        try:
            if self._file is None:
                # Open as long as the process lives.
                self._file = open_scratch()
            _flush()
            self._kept = os.dup(_STDERR)
            os.dup2(self._file.fileno(), _STDERR)
        except OSError:  # a process without standard error, a full disk
            self._kept = None

    def _leave(self, shall_run_alone: bool = False) -> None:
        with self._changed:
            self._waiting += shall_run_alone
            self._running -= 1
            if not self._running:
                self._is_alone = False
                self._stop()
            self._changed.notify_all()

    def _stop(self) -> None:
        if self._kept is None:
            return
        _flush()
        self.give_back()
        self._pending += self._text(0)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        os.ftruncate(self._file.fileno(), 0)
        # While some shall run alone, it is not known which lines are theirs.
        if self._pending and not self._waiting:
            for line in self._pending.splitlines(keepends=True):
                if _constant(line) not in self._known:
                    with contextlib.suppress(OSError):
                        os.write(_STDERR, line)
            self._pending = b""
            self._known.clear()

    def give_back(self) -> None:
        """Let standard error be what it was."""
        if self._kept is not None:
            os.dup2(self._kept, _STDERR)
            os.close(self._kept)
            self._kept = None

    def _size(self) -> int:
        return 0 if self._kept is None else os.fstat(self._file.fileno()).st_size

    def _text(self, start: int) -> bytes:
        if self._file is None:
            return b""
        file = self._file.fileno()
        return os.pread(file, os.fstat(file).st_size - start, start)


def _constant(line: bytes) -> bytes:
    return _VARYING.sub(b"#", line.strip())


def _flush() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()


def _is_wanted(record: logging.LogRecord) -> bool:
    return not getattr(_this_thread, "is_quiet", False)


def _after_fork() -> None:
    """A child process has one thread, and none of those that decode."""
    global _taken
    _taken.give_back()
    _taken = _Taken()


_taken = _Taken()
os.register_at_fork(after_in_child=_after_fork)
# The filter of a logger does not hold for the loggers below it.
for _name in ("pydicom", "pydicom.pixels.decoders.base", "nibabel.global"):
    logging.getLogger(_name).addFilter(_is_wanted)
