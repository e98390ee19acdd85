"""Errors that the user can correct, as opposed to bugs.

Every message states what was expected, what was received, where (file, row, key) and
what to do. The command lines print it without a traceback and exit with status 2.
"""

import difflib
from collections.abc import Collection
from typing import Any


class MdmtError(Exception):
    """Base of all errors that a user can correct without reading the source."""


class ConfigError(MdmtError):
    """A configuration that cannot be run; the message lists every problem found."""


class DataError(MdmtError):
    """A file, row or dataset that is missing, unreadable or contradicts itself."""


class LeakageError(DataError):
    """A patient in two splits."""


# Longer words are no slips of the pen, and comparing them takes long.
_LONGEST_WORD = 200


def nearest(word: str, known: Collection[str]) -> str:
    """ " Did you mean ...?" for the nearest name, or the empty string."""
    if len(word) > _LONGEST_WORD:
        return ""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


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
