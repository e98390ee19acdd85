"""Errors that the user can correct, as opposed to bugs.

Every message states what was expected, what was received, where (file, row, key) and
what to do. The command lines print it without a traceback and exit with status 2.
"""

import contextlib
import contextvars
import difflib
from collections.abc import Iterable, Iterator
from typing import Any

# Longer words are no slips of the pen, and comparing them takes long.
_LONGEST_WORD = 200


class MdmtError(Exception):
    """Base of all errors that a user can correct without reading the source."""


class ConfigError(MdmtError):
    """A configuration that cannot be run; the message lists every problem found."""


class DataError(MdmtError):
    """A file, row or dataset that is missing, unreadable or contradicts itself."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM, after which the work can go on; the message says how."""


class LeakageError(DataError):
    """A patient or a picture in two splits, or in danger of it."""


class DataWarning(UserWarning):
    """Data that are doubtful, but taken.

    `warnings.warn(text, DataWarning)`, or with a kind
    `warnings.warn(DataWarning(text, kind="not in HU"))`. The text begins with the file,
    as that of a `DataError`.

    Attributes:
        kind: short description of the doubt, the same for all such data, for counting.
    """

    def __init__(self, text: str, kind: str = "doubtful data"):
        super().__init__(text)
        self.kind = kind
        # Here and not in a hook of `warnings`, whose filters are of all threads.
        if (found := _collected.get()) is not None:
            found.append(self)


class DataNote(DataWarning):
    """A fact about data that is a doubt where it is another for most of the others.

    It is made, and not given to `warnings.warn`: nobody sees it alone. Who collects
    warnings compares it.

    Attributes:
        kind: of the doubt, if it is one.
        fact: what is compared.
    """

    def __init__(self, text: str, kind: str, fact: str):
        super().__init__(text, kind)
        self.fact = fact


_collected: contextvars.ContextVar[list[DataWarning] | None] = contextvars.ContextVar(
    "collected", default=None
)


@contextlib.contextmanager
def collected_warnings() -> Iterator[list[DataWarning]]:
    """Collect each `DataWarning` of this thread, also those that no filter shows.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(), collected_warnings() as found:
        ...     warnings.simplefilter("ignore")
        ...     warnings.warn("a.nii: nothing below 0", DataWarning)
        >>> [(str(warning), warning.kind) for warning in found]
        [('a.nii: nothing below 0', 'doubtful data')]
    """
    found: list[DataWarning] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def is_collected() -> bool:
    """Whether the warnings of this thread are collected, and need not be shown."""
    return _collected.get() is not None


def closest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The name that is nearest to a word in any case; None if none is near.

    Args:
        word: the word.
        known: the names.
        cutoff: from 0 to 1: how alike the two must be.

    Example:
        >>> closest("PID", ["pid", "site"]), closest("age", ["pid", "site"])
        ('pid', None)
    """
    if len(word) > _LONGEST_WORD:
        return None
    spellings: dict[str, list[str]] = {}
    for name in known:
        spellings.setdefault(name.casefold(), []).append(name)
    for key in difflib.get_close_matches(word.casefold(), spellings, 1, cutoff):
        # Of names that differ in case only, the one with most letters as in the word.
        return difflib.get_close_matches(word, spellings[key], 1, 0)[0]
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """ " Did you mean ...?" for the name that `closest` finds, or the empty string."""
    name = closest(word, known)
    return "" if name is None else f" Did you mean {name!r}?"


def brief(value: Any, most: int = 200) -> str:
    """A value as Python writes it, cut in the middle where it is long.

    Example:
        >>> brief("a" * 50, most=20)
        "'aaaaaaa ... aaaaaa'"
    """
    text = repr(value)
    if len(text) <= most:
        return text
    end = (most - 5) // 2
    return f"{text[: most - 5 - end]} ... {text[-end:]}"
