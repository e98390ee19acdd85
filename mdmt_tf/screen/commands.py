"""Commands to run next, as the user writes them and quoted for the shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

_PYTHON = "python -m mdmt_tf."


def command(name: str, *words: object) -> str:
    """One of our commands, to be copied into a shell.

    It begins as the command that this process was started with, and finds the same
    installation: `mdmt-tf` if that was used, else the interpreter with its folder if
    the shell does not find it.

    Args:
        name: of the command, such as "train".
        words: its arguments; each is quoted if it has to be.

    Example:
        >>> command("train", "--resume", "runs/the first")
        "... -m mdmt_tf.train --resume 'runs/the first'"
    """
    return " ".join([f"{_start()}{name}", *(shlex.quote(str(word)) for word in words)])


def portable(name: str, *words: object) -> str:
    """As `command`, for a file that is read elsewhere: without folders of this machine.

    Example:
        >>> portable("train", "--config", "my ward.yaml")
        "python -m mdmt_tf.train --config 'my ward.yaml'"
    """
    return " ".join([f"{_PYTHON}{name}", *(shlex.quote(str(word)) for word in words)])


def tool(name: str, module: str, *words: object) -> str:
    """A command of another package of this installation.

    Args:
        name: of its script.
        module: that `python -m` runs, where the shell does not find the script.
        words: its arguments.
    """
    found = shutil.which(name)
    if found is None or Path(found).parent != Path(sys.executable).parent:
        name = f"{_python()} -m {module}"
    return " ".join([name, *(shlex.quote(str(word)) for word in words)])


def as_called(text: str) -> str:
    """A text with its commands as the user writes them, such as `mdmt-tf <command>`."""
    return text.replace(_PYTHON, below())


def below() -> str:
    """The text before the name of a command, as this process was started."""
    called = Path(sys.argv[0])
    if called.stem == "mdmt-tf":
        return "mdmt-tf "
    if called.name == "__main__.py" and called.parent.name == "mdmt_tf":
        return "python -m mdmt_tf "
    return _PYTHON


def _start() -> str:
    """As `below`, with the folder of what the shell would not find."""
    called = Path(sys.argv[0])
    if called.stem == "mdmt-tf":
        on_path = shutil.which("mdmt-tf")
        is_found = on_path is not None and Path(on_path).resolve() == called.resolve()
        return "mdmt-tf " if is_found else f"{shlex.quote(str(called))} "
    return below().replace("python", _python(), 1)


def _python() -> str:
    """The interpreter of this process, as short as the shell finds it."""
    own = Path(sys.executable)
    for name in ("python", own.name):
        found = shutil.which(name)
        if found is not None and Path(found).absolute() == own.with_name(name):
            return name
    # Of a virtual environment, or of one that is not activated.
    short = own.with_name("python")
    path = short if short.exists() else own
    inside = os.path.relpath(path)
    if inside.startswith(".."):
        return shlex.quote(str(path))
    return shlex.quote(inside if os.sep in inside else os.path.join(".", inside))
