"""Ctrl-C and SIGTERM while a model is trained.

The first signal is a request: the step that runs is finished, and whoever trains looks
at `requested`. A second one ends the process at once, even in the middle of a long
computation of TensorFlow, while Python itself runs no handler. So the signals are read
by a thread, from a pipe that the interpreter writes to.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

STATUS = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A cluster sends SIGTERM to each process of a job, and so may the process that started
# this one. Together they are one request.
_SAME_SECONDS = 1.0


class Interruption:
    """In its block, the first signal sets `requested`, and a second one exits.

    A signal that the process ignores stays ignored. Only in the main thread; elsewhere
    signals are left as they are.

    Args:
        write: receives a line at the first signal.

    Example:
        >>> lines = []
        >>> with Interruption(lines.append) as interruption:
        ...     os.kill(os.getpid(), signal.SIGINT)
        ...     _ = interruption.wait(5.0)
        >>> interruption.requested, len(lines)
        (True, 1)
    """

    def __init__(self, write: Callable[[str], object] = lambda text: None):
        self._write = write
        self._event = threading.Event()
        self._before: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for a signal; whether there was one."""
        return self._event.wait(seconds)

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._fd_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:
                self._before[number] = handler
                signal.signal(number, lambda *_: None)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        if not hasattr(self, "_thread"):
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        # 0 is the number of no signal.
        os.write(self._writer, b"\0")
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _watch(self) -> None:
        first = 0.0
        while numbers := os.read(self._reader, 64):
            for number in numbers:
                if number == 0:
                    return
                if number not in self._before:
                    continue
                if not self.requested:
                    first = time.monotonic()
                    self._event.set()
                    self._write(
                        "interrupted: this step is finished and the state written "
                        "(again: leave at once)\n"
                    )
                elif number == signal.SIGTERM and (
                    time.monotonic() - first < _SAME_SECONDS
                ):
                    continue
                else:
                    self._leave()

    @staticmethod
    def _leave() -> None:
        """Files are replaced whole, so this damages none."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(STATUS)
