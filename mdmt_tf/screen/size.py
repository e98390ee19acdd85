"""Width of what is printed, and whether a line of it can be rewritten."""

import os
from typing import TextIO

# Of a file, and of a terminal that does not say how wide it is.
WIDTH = 80


def width() -> int:
    """Letters in a line: `COLUMNS`, or those of the terminal, or 80.

    The rule is that of `rich`, so tables of both have the same width. The terminal is
    that of the first of the three standard streams that is one: a table for `| cat` is
    as wide as the window that it appears in.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    for number in (0, 1, 2):
        try:
            found = os.get_terminal_size(number).columns
        except OSError:
            continue
        return found or WIDTH
    return WIDTH


def rewrites(stream: TextIO) -> bool:
    """Whether a line of a stream can be rewritten: a terminal that is not dumb."""
    if os.environ.get("TERM", "") in ("dumb", "unknown"):
        return False
    return stream.isatty()
