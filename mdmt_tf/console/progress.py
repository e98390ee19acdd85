"""Progress of a command: one line on standard error, warnings above it."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator

from mdmt_tf.screen import size
from mdmt_tf.screen.line import Count, Line


@contextlib.contextmanager
def progress_bar(
    description: str, what: str = "images"
) -> Iterator[Callable[[int, int], None]]:
    """A line on standard error that counts, with the first warnings above it.

    Where standard error is no terminal, it is a new line each minute.

    Args:
        description: what is done.
        what: what is counted.
    Yields: a function to call with (number done, number of all).
    """
    line = Line.on(sys.stderr)
    count = Count(description, what)
    handler = _Above(line)

    def update(done: int, total: int) -> None:
        line.show(count.text(done, total, size.width() - 1))

    with _messages_to(handler):
        try:
            yield update
        finally:
            line.erase()
    if handler.left_out:
        line.write(f"... and {handler.left_out} more such messages\n")


@contextlib.contextmanager
def working(description: str) -> Iterator[None]:
    """A line on a terminal while something is done that cannot be counted."""
    line = Line.on(sys.stderr)
    if line.is_terminal:
        line.show(description)
    try:
        yield
    finally:
        line.erase()


# Our own messages replace those of these loggers, on configs and on damaged files.
_NOISY = ("absl", "pydicom")


@contextlib.contextmanager
def _messages_to(handler: logging.Handler) -> Iterator[None]:
    """Send messages of this package to `handler` alone, and drop those of others."""
    own = logging.getLogger("mdmt_tf")
    noisy = [logging.getLogger(name) for name in _NOISY]
    kept = own.propagate, [log.level for log in noisy]
    own.addHandler(handler)
    own.propagate = False
    for log in noisy:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            yield
    finally:
        own.removeHandler(handler)
        own.propagate = kept[0]
        for log, level in zip(noisy, kept[1], strict=True):
            log.setLevel(level)


class _Above(logging.Handler):
    """Print the first messages above the line and count the others."""

    LIMIT = 10

    def __init__(self, line: Line):
        super().__init__(logging.WARNING)
        self._line = line
        self._printed = self.left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if self._printed == self.LIMIT:
            self.left_out += 1
            return
        self._printed += 1
        self._line.write(f"{record.levelname.lower()}: {record.getMessage()}\n")
