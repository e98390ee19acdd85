"""Errors that the user can correct, as opposed to bugs.

Every message states what was expected, what was received, where (file, row, key) and
what to do. The command lines print it without a traceback and exit with status 2.
"""

import difflib
from collections.abc import Collection


class MdmtError(Exception):
    """Base of all errors that a user can correct without reading the source."""


class ConfigError(MdmtError):
    """A configuration that cannot be run; the message lists every problem found."""


class DataError(MdmtError):
    """A file, row or dataset that is missing, unreadable or contradicts itself."""


class LeakageError(DataError):
    """A patient in two splits."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM, after which the work can go on; the message says how."""


def nearest(word: str, known: Collection[str]) -> str:
    """ " Did you mean ...?" for the nearest name, or the empty string."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
