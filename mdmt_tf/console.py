"""Exit statuses, parsers, progress and tables of the command lines."""

import argparse
import contextlib
import importlib.util
import itertools
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mdmt_tf import disk
from mdmt_tf.errors import DataWarning, MdmtError, is_collected, nearest

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

logger = logging.getLogger(__name__)

DEFAULT_CONFIG = "phantom"

# Beginnings of TensorFlow's lines without consequence.
_START_UP_NOTES = (
    "I0000",
    "WARNING: All log messages before",
    "To enable the following instructions",
)


def run(main: Callable[[Sequence[str] | None], int | None]) -> None:
    """Run a command line and exit the process.

    The exit status is 0 or the result of `main`. It is 2 for an error that the user can
    correct, which prints only the message, and in a checkout that is not installed.
    What the operating system refuses, such as writing to a full disk, is such an error,
    too. It is 130 when interrupted, by Ctrl-C or SIGTERM. Any other error is a bug and
    prints its traceback.
    """
    if importlib.util.find_spec("mdmt_tf.configs") is None:
        checkout = Path(__file__).resolve().parents[1]
        print(
            "error: this checkout of mdmt_tf is not installed. Run: "
            f"{sys.executable} -m pip install -e {checkout}",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.stderr = _own(sys.stderr)
    # TensorFlow reads this when it is loaded. Its notes would hide our messages.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    # tensorflow-datasets warns of its own deprecations through absl.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # As clusters end a job: temporary files are removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    warnings.showwarning = _shown_by(warnings.showwarning)
    # They do not name the file, and what matters is raised or warned of by us.
    warnings.filterwarnings("ignore", module="pydicom")
    try:
        status = main(None)
        sys.stdout.flush()
    except MdmtError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt as error:
        print(as_called(str(error)) or "interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has ended; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        text = disk.in_words(error)
        if text is None:
            raise
        print(f"error: {text}", file=sys.stderr)
        status = 2
    sys.exit(status)


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
    """A hook of `warnings` that logs each `DataWarning`; `others` shows the rest."""

    def show(message, category, *where, **more):
        if not issubclass(category, DataWarning):
            others(message, category, *where, **more)
        elif not is_collected():
            logger.warning("%s", message)

    return show


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without its start-up notes.

    The notes are a dozen lines on standard error that no setting silences. Warnings and
    errors are passed on, except that a machine has no GPU.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            notes.seek(0)
            for line in notes:
                note = line.startswith(_START_UP_NOTES)
                no_gpu = "cuInit" in line and not has_gpu()
                if line.strip() and not note and not no_gpu:
                    sys.stderr.write(line)


def has_gpu() -> bool:
    """Whether this machine has a GPU by NVIDIA, without loading TensorFlow."""
    return os.path.exists("/dev/nvidiactl")


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests corrections."""

    takes_settings = False

    def parse_intermixed_args(self, args=None, namespace=None):
        if self.takes_settings:
            self._refuse_flags(sys.argv[1:] if args is None else list(args))
        return super().parse_intermixed_args(args, namespace)

    def _refuse_flags(self, words: list[str]) -> None:
        """Explain how to write a setting that is given as an option, `--epochs 3`."""
        for word, following in itertools.pairwise([*words, "-"]):
            name, equals, value = word.partition("=")
            known = self._option_string_actions
            if any(option.startswith(name) for option in known) or name[:2] != "--":
                continue
            # Loads the schema, so it is imported only when needed.
            from mdmt_tf.config import slips

            key = slips.write_instead(name.strip("-").replace("-", "_"))
            if key is None:
                self.error(f"{name}: unknown option. `--help` lists the options.")
            if not equals:
                value = "VALUE" if following.startswith("-") else following
            self.error(f"{name}: settings are written without --: {key}={value}")

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            text = f"{value!r}: expected one of {', '.join(known)}."
            raise argparse.ArgumentError(action, text + nearest(value, known))


def parser(command: str, description: str) -> Parser:
    """An argument parser for one of our commands.

    Args:
        command: its name; "" for the command that contains all others.
        description: text with commands as `python -m mdmt_tf.<command>`. They are shown
            as the user writes them.
    """
    below = _below()
    program = f"{below}{command}" if command else below.rstrip(" .")
    return Parser(
        prog=program,
        description=as_called(description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def as_called(text: str) -> str:
    """A text with its commands as the user writes them, such as `mdmt-tf <command>`."""
    return text.replace("python -m mdmt_tf.", _below())


def _below() -> str:
    """The text before the name of a command, as this process was started."""
    called = Path(sys.argv[0])
    if called.stem == "mdmt-tf":
        return "mdmt-tf "
    if called.name == "__main__.py" and called.parent.name == "mdmt_tf":
        return "python -m mdmt_tf "
    return "python -m mdmt_tf."


def add_config_arguments(
    arguments: Parser, default: str | None = DEFAULT_CONFIG
) -> None:
    """Add `--config NAME|PATH` and any number of `key.path=value`.

    Args:
        default: the configuration without `--config`; None: `--config` is required.
    """
    arguments.takes_settings = True
    text = as_called(
        "a name that `python -m mdmt_tf.config list` shows, or the path of a YAML file"
    )
    arguments.add_argument(
        "--config",
        default=default,
        required=default is None,
        metavar="NAME|PATH",
        help=f"{text} (default: {default})" if default else text,
    )
    arguments.add_argument(
        "overrides",
        nargs="*",
        metavar="key.path=value",
        help=as_called(
            "settings that replace those of the file, e.g. training.epochs=3; "
            "`python -m mdmt_tf.config keys` explains all of them"
        ),
    )


def add_limit_argument(arguments: Parser) -> None:
    """Add `--limit NAME=NUMBER`, for commands that read originals; see `use_limits`."""
    arguments.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="how large files may be: max_pixels of an image, max_voxels of a volume, "
        "max_bytes of a file, max_ratio of its packing, max_table_bytes and max_cells "
        "of a table (docs/reference/data.md); may be repeated",
    )


def use_limits(options: argparse.Namespace) -> None:
    """Let the limits of the command line hold; ConfigError for others than numbers."""
    from mdmt_tf.imaging import limits

    limits.use(limits.parse(options.limit))


def write(text: str) -> None:
    """Print a text at once, without a line break."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(table: "Table") -> None:
    """Print a `rich` table without highlighting its numbers and names."""
    from rich.console import Console

    Console(highlight=False).print(table)


def words(text: str) -> list[str]:
    """An argument that lists words: "a,b" is ["a", "b"]."""
    return [word for word in text.split(",") if word]


def positive(text: str) -> int:
    """An argument that is an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def png_file(text: str) -> Path:
    """An argument that names a PNG file to write, in an existing folder."""
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"expected a file .png in an existing folder, received {text}"
        )
    return path


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, with the first warnings above it.

    Yields: a function to call with (images done, all images).
    """
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("images,"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
    )
    handler = _Above(console)
    with (
        progress.Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar,
        _messages_to(handler),
    ):
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
    if handler.left_out:
        console.print(f"... and {handler.left_out} more such messages")


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
    """Print the first messages above a progress bar and count the others."""

    LIMIT = 10

    def __init__(self, console: "Console"):
        super().__init__(logging.WARNING)
        self._console = console
        self._printed = self.left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if self._printed == self.LIMIT:
            self.left_out += 1
            return
        self._printed += 1
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        self._console.print(text, markup=False, soft_wrap=True)
