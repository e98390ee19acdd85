"""The files of a dataset that the user has obtained by hand."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf import links
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import DataError
from mdmt_tf.names import Names, folded

# The phantom generator writes this file to the root of its folder.
SYNTHETIC_FILE = "SYNTHETIC.json"


def find_root(
    manual_dir: str | os.PathLike, folder: str, marks: Sequence[str]
) -> Path | None:
    """The folder that holds a dataset: `manual_dir` itself, or `folder` inside it.

    Args:
        manual_dir: folder that the user gave.
        folder: name of the dataset's folder as distributed, in any case.
        marks: files and folders; a dataset has at least one of them.
    Returns: the root, or None if there is no dataset.
    """
    manual_dir = Path(os.fspath(manual_dir))
    if not manual_dir.is_dir():
        return None
    within = sorted(
        path
        for path in manual_dir.iterdir()
        if path.name.casefold() == folder.casefold() and path.is_dir()
    )
    for root in (manual_dir, *within):
        if any((root / mark).exists() for mark in marks):
            return root
    return None


def synthetic_details(root: Path, files: Iterable[Path] = ()) -> dict | None:
    """The details of synthetic data; None for real data.

    The file that marks synthetic data is in the dataset's root or its parent folder, or
    in the folder of one of its files, or in a folder above that, within the root.

    Args:
        root: folder of the dataset.
        files: its files, where they may be of several origins.
    """
    for folder in _folders_of_marks(root, files):
        path = folder / SYNTHETIC_FILE
        if path.is_file():
            links.check(path, folder)
            try:
                details = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{path}: expected a JSON object that says how the data were "
                    f"generated. Received: {error}"
                ) from error
            return details if isinstance(details, dict) else {"synthetic": details}
    return None


def _folders_of_marks(root: Path, files: Iterable[Path]) -> list[Path]:
    found = dict.fromkeys((root, root.parent))
    for folder in dict.fromkeys(path.parent for path in files):
        above = folder.parents if root in folder.parents else (folder.parent,)
        for one in (folder, *above):
            if one == root:
                break
            found[one] = None
    return list(found)


def optional_file(folder: Path, name: str) -> Path:
    """A file of a folder, in whatever case its name is; it may be missing."""
    path = folder / name
    if not path.exists() and path.parent.is_dir():
        for other in sorted(path.parent.iterdir()):
            if folded(other.name) == folded(path.name):
                path = other
                break
    links.check(path, folder)
    return path


def files_in(folders: Iterable[Path]) -> list[Path]:
    """The files of some folders, not of those below them."""
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        # Archives contain files such as .DS_Store and ._P_1.dcm.
        if path.is_file() and not path.name.startswith(".")
    ]


class ImageFiles:
    """The image files of some folders, found by name with or without suffix.

    Attributes:
        root: folder to which the paths in messages and lists are relative.
        files: the files.
    """

    def __init__(self, root: Path, folders: Iterable[str]):
        self.root = root
        folders = [root / folder for folder in folders]
        for folder in folders:
            links.check(folder, root)
        self.files = files_in(folders)
        self._names = Names(
            ((self.relative(path), path) for path in self.files), folders_count=False
        )
        self._requested: set[Path] = set()

    def matches(self, name: str) -> list[Path]:
        """The files called `name`, see `Names`; several if it does not tell which."""
        return self._names.find(name)

    def find_all(self, name: str) -> list[Path]:
        """Likewise; they count as requested."""
        paths = self.matches(name)
        self._requested.update(paths)
        return paths

    def find_spellings(self, name: str) -> list[Path]:
        """The files of all spellings of a name; they count as requested."""
        paths = self._names.find_spellings(name)
        self._requested.update(paths)
        return paths

    def find(self, name: str) -> Path:
        """The one file that `find_all` finds.

        Raises:
            RowError: there is no such file, or several, or it is a link to another
                place.
        """
        paths = self.find_all(name)
        if not paths:
            detail = f"there is no file for {name!r}"
            if slip := self._names.slip(name):
                detail = f"{detail}.{slip}"
            raise RowError("image missing", detail)
        if len(paths) > 1:
            found = ", ".join(self.relative(path) for path in paths)
            raise RowError("several images", f"{name!r} may be {found}")
        if links.leads_out(paths[0], self.root):
            detail = links.reason(self.relative(paths[0]), self.root)
            raise RowError(links.KIND, detail)
        return paths[0]

    def nearest(self, name: str) -> str:
        """ " Did you mean ...?" for a name of no file."""
        return self._names.nearest(name)

    def relative(self, path: Path) -> str:
        """The path relative to `root`, for lists and messages."""
        return path.relative_to(self.root).as_posix()

    def not_requested(self) -> list[Path]:
        """The files that no call of `find` or `find_all` has returned."""
        return sorted(path for path in self.files if path not in self._requested)
