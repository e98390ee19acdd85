"""A command line as a process: exit status, signals, messages."""

import contextlib
import importlib.util
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from mdmt_tf import disk
from mdmt_tf.console.tensorflow_notes import silence_import
from mdmt_tf.errors import DataWarning, MdmtError, is_collected
from mdmt_tf.screen import line
from mdmt_tf.screen.commands import as_called

logger = logging.getLogger("mdmt_tf.console")


def run(main: Callable[[Sequence[str] | None], int | None]) -> None:
    """Run a command line and exit the process.

    The exit status is 0 or the result of `main`. It is 2 for an error that the user can
    correct, which prints only the message, and in a checkout that is not installed.
    What the operating system refuses, such as writing to a full disk, is such an error,
    too. It is 130 when interrupted, by Ctrl-C or SIGTERM. Any other error is a bug and
    prints its traceback.
    """
    if importlib.util.find_spec("mdmt_tf.configs") is None:
        checkout = Path(__file__).resolve().parents[2]
        words = [sys.executable, "-m", "pip", "install", "-e", str(checkout)]
        print(
            "error: this checkout of mdmt_tf is not installed. Run: "
            f"{shlex.join(words)}",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.stderr = _own(sys.stderr)
    # TensorFlow reads this when it is loaded. Its notes would hide our messages.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    silence_import()
    handler = line.Messages()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    # tensorflow-datasets warns of its own deprecations through absl.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # It says that it makes a list of fonts, once.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    # As clusters end a job: temporary files are removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    warnings.showwarning = _shown_by(warnings.showwarning)
    # They do not name the file, and what matters is raised or warned of by us.
    warnings.filterwarnings("ignore", module="pydicom")
    try:
        status = main(None)
        sys.stdout.flush()
    except MdmtError as error:
        _print(f"error: {as_called(str(error))}")
        status = 2
    except KeyboardInterrupt as error:
        _print(as_called(str(error)) or "interrupted")
        status = 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has ended; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        text = disk.in_words(error)
        if text is None:
            raise
        _print(f"error: {text}")
        status = 2
    sys.exit(status)


def _print(text: str) -> None:
    line.erase_all()
    print(text, file=sys.stderr)


def _interrupt(number, frame) -> None:
    # A second one would interrupt what cleans up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _own(stream: TextIO) -> TextIO:
    """Standard error with a descriptor of its own.

    `imaging.decoder_messages` leads descriptor 2, which decoders write to, elsewhere
    while they run; the progress bar and messages of other threads do not go with it.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stream.fileno() == 2:
            return open(
                os.dup(2),
                "w",
                buffering=1,
                encoding=stream.encoding,
                errors="backslashreplace",
            )
    return stream


def _shown_by(others: Callable[..., object]) -> Callable[..., object]:
    """A hook of `warnings` that logs each `DataWarning`; `others` shows the rest.

    A command looks at the same data several times, as for each fold. A text is logged
    once; Python itself forgets what it has shown whenever a filter changes.
    """
    logged: set[str] = set()

    def show(message, category, *where, **more):
        if not issubclass(category, DataWarning):
            others(message, category, *where, **more)
        elif not is_collected() and (text := str(message)) not in logged:
            logged.add(text)
            logger.warning("%s", text)

    return show
