"""Symbolic links that lead out of a folder of data, whose targets are never read.

A folder of data may come from somebody else. A link in it to another place would bring
files of this machine into messages, prepared datasets and reports.
"""

import os
from pathlib import Path

from mdmt_tf.errors import DataError

# How a row with such an image is rejected.
KIND = "link out of the folder"


def leads_out(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Whether links on the way to a file or folder lead out of a folder of data.

    The folder itself may be a link. A path that names another place itself, because it
    is absolute or has `..`, may go there; then its own folder is the one that links
    must not leave.

    Args:
        path: a file or folder, which need not exist.
        folder: the folder of data.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     data = Path(place, "data")
        ...     data.mkdir()
        ...     (data / "a.png").symlink_to("/etc/hostname")
        ...     (data / "b.png").symlink_to("c.png")
        ...     leads_out(data / "a.png", data), leads_out(data / "b.png", data)
        (True, False)
    """
    named, base = os.path.abspath(path), os.path.abspath(folder)
    if not _is_in(named, base):
        base = os.path.dirname(named)
    return not _is_in(os.path.realpath(path), os.path.realpath(base))


def first_out(path: Path, folder: str | os.PathLike) -> Path | None:
    """The path if it `leads_out` of a folder of data, or else such a file in it.

    A folder of slices is one image, each file of which may be a link.
    """
    if leads_out(path, folder):
        return path
    if not path.is_dir():
        return None
    with os.scandir(path) as entries:
        linked = sorted(entry.path for entry in entries if entry.is_symlink())
    return next((Path(own) for own in linked if leads_out(own, folder)), None)


def reason(path: str | os.PathLike, folder: str | os.PathLike) -> str:
    """What is wrong with a link that leads out of a folder, and what to do."""
    return (
        f"{path} is, or lies behind, a symbolic link that leads out of {folder}. Links "
        "to other places are not followed. Copy the file into the folder."
    )


def check(path: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Raise DataError for a file or folder that `leads_out` of a folder of data."""
    if leads_out(path, folder):
        raise DataError(reason(path, folder))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
