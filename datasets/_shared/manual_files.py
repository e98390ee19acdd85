"""The files of a dataset that the user has obtained by hand."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf.datasets._shared.tables import RowError
from mdmt_tf.errors import DataError

# Written by the generator of phantoms, at the root of what it made.
SYNTHETIC_FILE = "SYNTHETIC.json"

_SUFFIXES = frozenset(
    {".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii"}
)
_COMPRESSED_VOLUME = ".nii.gz"


def find_root(
    manual_dir: str | os.PathLike, folder: str, marks: Sequence[str]
) -> Path | None:
    """The folder that holds a dataset: `manual_dir` itself or `folder` within it.

    Args:
        manual_dir: what the user has given.
        folder: name of the dataset's folder as distributed; upper or lower case.
        marks: files and folders of which a dataset has at least one.
    Returns: the root, or None where there is none.
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


def synthetic_details(root: Path) -> dict | None:
    """What made the data below `root` if no patient did, else None.

    The file that says so lies in the root of the dataset or beside the dataset.
    """
    for folder in (root, root.parent):
        path = folder / SYNTHETIC_FILE
        if path.is_file():
            try:
                details = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{path}: expected a JSON object that says how the data were "
                    f"made. Received: {error}"
                ) from error
            return details if isinstance(details, dict) else {"synthetic": details}
    return None


def image_stem(name: str) -> str:
    """The name without the suffix of an image file; other dots belong to the name."""
    if name.lower().endswith(_COMPRESSED_VOLUME):
        return name[: -len(_COMPRESSED_VOLUME)]
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in _SUFFIXES else name


class Images:
    """The image files of some folders, found by names with or without suffix.

    Attributes:
        root: what messages and lists give the files relative to.
    """

    def __init__(self, root: Path, folders: Iterable[str]):
        self.root = root
        self._by_stem: dict[str, list[Path]] = {}
        self._requested: set[Path] = set()
        for folder in folders:
            for path in sorted((root / folder).iterdir()):
                # .DS_Store, ._P_1.dcm and the like come with archives
                if path.is_file() and not path.name.startswith("."):
                    stem = image_stem(path.name).casefold()
                    self._by_stem.setdefault(stem, []).append(path)

    def find_all(self, name: str) -> list[Path]:
        """The files called `name`, or else those with that name but for the suffix."""
        paths = self._by_stem.get(image_stem(name).casefold(), [])
        exact = [path for path in paths if path.name.casefold() == name.casefold()]
        paths = exact or paths
        self._requested.update(paths)
        return paths

    def find(self, name: str) -> Path:
        """The one file that `find_all` finds.

        Raises:
            RowError: no such file, or several.
        """
        paths = self.find_all(name)
        if not paths:
            raise RowError("image missing", f"there is no file for {name!r}")
        if len(paths) > 1:
            found = ", ".join(self.relative(path) for path in paths)
            raise RowError("several images", f"{name!r} may be {found}")
        return paths[0]

    def relative(self, path: Path) -> str:
        """The path as lists and messages give it."""
        return path.relative_to(self.root).as_posix()

    def not_requested(self) -> list[Path]:
        """The files that no call of `find` has named."""
        return sorted(
            path
            for paths in self._by_stem.values()
            for path in paths
            if path not in self._requested
        )
