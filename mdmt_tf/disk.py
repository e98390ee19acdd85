"""What the operating system refuses, in words: a full disk, a folder that is gone.

Such errors come from many libraries, each with a type and a text of its own.
"""

import errno
import os
import re
from collections.abc import Iterator

# What to do about it.
_REMEDIES = {
    errno.ENOSPC: "The disk is full: free some space, or choose another folder.",
    errno.EDQUOT: "Your quota is used up: free some space, or choose another folder.",
    errno.EFBIG: "The file would be larger than allowed: see `ulimit -f`.",
    errno.EROFS: "Nothing can be written there: choose another folder.",
    errno.EACCES: "You may not read or write there: choose another folder.",
    errno.EPERM: "You may not read or write there: choose another folder.",
    errno.ENOENT: "It is missing: removed, or its disk is no longer mounted?",
    errno.ENOTDIR: "Part of the path is a file, not a folder.",
    errno.EISDIR: "It is a folder where a file was expected.",
    errno.EEXIST: "A file of this name is there already.",
    errno.ENOTEMPTY: "Another process has made it in the meantime.",
    errno.ESTALE: "Its network file system has lost it: mount it again.",
    errno.EIO: "The disk or its connection fails: check it before you go on.",
    errno.ENOTCONN: "Its network file system is not connected: mount it again.",
    errno.ENXIO: "Its disk is no longer there.",
    errno.ENODEV: "Its disk is no longer there.",
    errno.EMFILE: "Too many files are open: raise `ulimit -n`.",
    errno.ENFILE: "Too many files are open on this machine.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "A symbolic link leads to itself.",
    errno.ETXTBSY: "Another process uses it.",
}
# Libraries in native code give the text alone, TensorFlow after its own kind of error.
_TEXTS = {os.strerror(number): number for number in _REMEDIES}
_PATH = re.compile(r"(/[^\s;:,'\"]+)")


def in_words(error: BaseException) -> str | None:
    """What the operating system has refused, where, and what to do.

    Args:
        error: any error; those that it follows from are looked at, too.
    Returns: sentences; None for an error of another kind.

    Example:
        >>> in_words(OSError(errno.ENOSPC, "No space left on device", "runs/a/x.csv"))
        'runs/a/x.csv: No space left on device. The disk is full: free some space, or \
choose another folder.'
        >>> in_words(ValueError("3"))
    """
    for one in _chain(error):
        number, place = _facts(one)
        if number is not None:
            where = f"{place}: " if place else ""
            return f"{where}{os.strerror(number)}. {_REMEDIES[number]}"
    return None


def number_of(error: BaseException) -> int | None:
    """The number of what the operating system has refused; None for other errors.

    Example:
        >>> number_of(OSError("write failed: No space left on device")) == errno.ENOSPC
        True
    """
    return next((n for n, _ in map(_facts, _chain(error)) if n is not None), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it follows from."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _facts(error: BaseException) -> tuple[int | None, str]:
    """Number of an error of the operating system, and the path it is about."""
    is_os = isinstance(error, OSError)
    if is_os and error.errno in _REMEDIES:
        return error.errno, _text_of(error.filename)
    # Errors of TensorFlow, HDF5 and the readers of images.
    if not is_os and not type(error).__module__.startswith(("tensorflow", "h5py")):
        return None, ""
    text = str(error)
    for phrase, number in _TEXTS.items():
        if phrase in text:
            found = _PATH.search(text)
            return number, found[1] if found else ""
    return None, ""


def _text_of(name) -> str:
    return "" if name is None else os.fsdecode(name)
