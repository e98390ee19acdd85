"""One line of progress: rewritten on a terminal, now and then a line in a file.

On a terminal the line is never longer than the window, so that rewriting it leaves
nothing behind; it disappears before anything else is written. In a file or a pipe there
are no letters that control a terminal: the line is written as a whole, and only if
nothing has been written for a while, so that a log shows that the process is at work.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from mdmt_tf.screen import size
from mdmt_tf.screen.times import duration

# Between two lines in a file, and between two states of the line on a terminal.
_EVERY, _REDRAWN = 60.0, 0.1
_ERASE = "\r\033[K"


class Line:
    """A line of progress on a stream.

    Args:
        write: receives texts.
        is_terminal: whether the line can be rewritten.
        every: seconds between two lines where it cannot.
        clock: seconds since any time.

    Example:
        >>> texts = []
        >>> line = Line(texts.append, is_terminal=True)
        >>> line.show("step 1 of 5")
        >>> line.write("warning\\n")
        >>> texts
        ['\\rstep 1 of 5\\x1b[K', '\\r\\x1b[K', 'warning\\n']
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        is_terminal: bool,
        every: float = _EVERY,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._put, self.is_terminal = write, is_terminal
        self._is_writing = False
        self._every, self._clock = every, clock
        self._is_shown, self._at = False, clock()
        # Signals and warnings of other threads come while a line is written.
        self._lock = threading.RLock()

    @classmethod
    def on(cls, stream: TextIO, **more) -> "Line":
        """A line on a stream, flushed after each text."""

        def write(text: str) -> None:
            stream.write(text)
            stream.flush()

        return cls(write, is_terminal=size.rewrites(stream), **more)

    def show(self, text: str, *, at_once: bool = False) -> None:
        """Show the progress, if it is due.

        Args:
            text: one line; what does not fit into the window is left out.
            at_once: whether to show it although another one was shown just before.
        """
        with self._alone():
            now = self._clock()
            if not self.is_terminal:
                if now - self._at >= self._every:
                    self._at = now
                    self._write(f"{text}\n")
                return
            if self._is_shown and not at_once and now - self._at < _REDRAWN:
                return
            self._at, self._is_shown = now, True
            # In the last column some terminals would begin a new line.
            self._write(f"\r{cut(text, size.width() - 1)}\033[K")
            _shown.add(self)

    def write(self, text: str) -> None:
        """Write a text in place of the line, which comes back with the next `show`."""
        with self._alone():
            self.erase()
            self._at = self._clock()
            self._write(text)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for other threads, but not for one that a full pipe holds."""
        is_mine = self._lock.acquire(timeout=1.0)
        try:
            yield
        finally:
            if is_mine:
                self._lock.release()

    def _write(self, text: str) -> None:
        # What writes may remove all lines first, but not the one that it writes.
        self._is_writing = True
        try:
            self._put(text)
        finally:
            self._is_writing = False

    def erase(self) -> None:
        """Remove the line from the terminal."""
        if self._is_writing:
            return
        with self._alone():
            if self._is_shown:
                self._is_shown = False
                self._write(_ERASE)
            _shown.discard(self)


# The lines that stand on the terminal now; at most one in each stream.
_shown: set[Line] = set()


def erase_all() -> None:
    """Remove all lines from the terminal, before something else is written to it."""
    for line in list(_shown):
        line.erase()


class Messages(logging.StreamHandler):
    """A handler of messages on standard error that removes lines of progress first."""

    def __init__(self):
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        erase_all()
        super().emit(record)


def cut(text: str, width: int) -> str:
    """The text with at most `width` letters, "…" for what is left out.

    Example:
        >>> cut("preparing aiforcovid", 11), cut("short", 11)
        ('preparing …', 'short')
    """
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"[:width]


class Count:
    """The text of a line that counts: name, bar, number, time left.

    In a narrow window the bar goes first, and then the end of the name.

    Args:
        name: what is done.
        what: what is counted.
        clock: seconds since any time.

    Example:
        >>> seconds = iter([0.0, 30.0])
        >>> count = Count("predicting", clock=seconds.__next__)
        >>> count.text(3, 9, 40)
        'predicting 3/9 images, 60 s left'
    """

    _BAR, _LEAST = 30, 8

    def __init__(
        self,
        name: str,
        what: str = "images",
        clock: Callable[[], float] = time.monotonic,
    ):
        self._name, self._what, self._clock = name, what, clock
        self._started = clock()

    def text(self, done: int, total: int, width: int) -> str:
        """The line after `done` of `total`, at most `width` letters."""
        counted = f"{done}/{total} {self._what}"
        if 0 < done < total:
            passed = self._clock() - self._started
            counted += f", {duration(passed / done * (total - done))} left"
        room = width - len(self._name) - len(counted) - 2
        if room >= self._LEAST:
            room = min(room, self._BAR)
            filled = round(room * done / max(total, 1))
            bar = "#" * filled + "." * (room - filled)
            return f"{self._name} {bar} {counted}"
        return f"{cut(self._name, width - len(counted) - 1)} {counted}"
