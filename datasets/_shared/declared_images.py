"""The images of a declared dataset: by name in folders, or by path."""

import os
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from mdmt_tf import links
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import NoImagesError, find_images, image_stem
from mdmt_tf.imaging.series_files import SeriesFolders
from mdmt_tf.names import Names, folded, plain_id


class DeclaredImages:
    """Image files by name or path, with or without suffix, in any case.

    Attributes:
        root: folder of the declaration, to which paths in messages are relative.
    """

    def __init__(self, root: Path, folders: Sequence[str] | None, volumes: bool):
        """Look for the files.

        Args:
            root: folder of the declaration.
            folders: folders of the images, relative to `root`; those below them count.
                None: names are paths relative to `root`.
            volumes: whether the images are volumes.
        Raises: DataError for a folder that is missing or has no images.
        """
        self.root = root
        self._folders = [root / folder for folder in folders or ()]
        self._requested: set[Path] = set()
        self._named: dict[Hashable, Path] = {}
        self._series = SeriesFolders() if volumes else None
        self._listed: dict[Path, Names[Path]] = {}
        for folder in self._folders:
            if not folder.is_dir():
                is_file = folder.is_file()
                reason = "It is a file." if is_file else "There is no such folder."
                raise DataError(
                    f"{folder}: expected a folder of images, dataset.images. {reason} "
                    "Paths are relative to the folder of the YAML file, or to "
                    "--manual-dir."
                )
        try:
            self.files = find_images(self._folders, volumes) if self._folders else []
        except NoImagesError as error:
            kind = "volumes: NIfTI files or folders of DICOM slices"
            other = "a name such as lungs_256, or size: PIXELS"
            if not volumes:
                kind, other = "images: DICOM, PNG, JPEG, TIFF", "shape: [40, 256, 256]"
            raise DataError(
                f"{error} `preprocess` is for {kind}. For the others it has {other}."
            ) from error
        self._known = frozenset(self.files)
        self._names = Names((self._below_folder(path), path) for path in self.files)

    def _below_folder(self, path: Path) -> str:
        folder = next(f for f in self._folders if path.is_relative_to(f))
        return path.relative_to(folder).as_posix()

    def find(self, name: str) -> Path:
        """The file of a cell.

        Raises: RowError: there is no such file, or several.
        """
        found = self.matches(name)
        if not found:
            raise self._missing(name.replace("\\", "/"))
        if len(found) > 1:
            names = ", ".join(self.relative(path) for path in found)
            raise RowError(
                "several images", f"{name!r} may be {names}; write the path in the cell"
            )
        # The folder of a slice is in the list of images.
        self._requested |= {found[0], found[0].parent}
        self._check_target(found[0])
        self._check_twice(found[0])
        return found[0]

    def _check_target(self, path: Path) -> None:
        """Raise for a link out of `root` and out of the folder of images.

        That folder itself may be a link: the declaration names it.
        """
        folders = [folder for folder in self._folders if _is_below(path, folder)]
        for folder in (self.root, *folders):
            if (out := links.first_out(path, folder)) is None:
                return
        raise RowError(links.KIND, links.reason(self.relative(out), folder))

    def _check_twice(self, path: Path) -> None:
        """Raise for another name of a file or series, which would be another image."""
        try:
            facts = path.stat()
        except OSError:
            return  # a link to nothing; reading it fails
        keys = {(facts.st_dev, facts.st_ino): "is a link to the file of"}
        if self._series and (series := self._series.key_of(path)):
            keys[series] = "is of the same series as"
        for key, relation in keys.items():
            other = self._named.setdefault(key, path)
            if other != path:
                raise RowError(
                    "image twice",
                    f"{self.relative(path)} {relation} {self.relative(other)}; name "
                    "one of them in the table",
                )

    def key_of(self, name: str) -> str:
        """The same text for all spellings of an image; also if there is no file."""
        found = self.matches(name)
        if len(found) == 1:
            return self.id_of(found[0])
        return folded(image_stem(name.replace("\\", "/")))

    def matches(self, name: str) -> list[Path]:
        """The files of a name; several if it does not tell which."""
        name = name.replace("\\", "/")
        # In one spelling: a/../b.png is b.png. "/" and "." name no file.
        names = [os.path.normpath(n) for n in dict.fromkeys((name, plain_id(name)))]
        names = [n for n in names if _names_something(n)]
        found = (f(n) for f in (self._find, self._below) for n in names)
        return next(filter(None, found), [])

    def _below(self, name: str) -> list[Path]:
        """The images in a folder of this name, such as the one series of a patient."""
        places = [f / name for f in self._folders if _is_below(f / name, f)]
        places = [place for place in places if _is(Path.is_dir, place)]
        if not places:
            return []
        return [path for path in self.files if any(map(path.is_relative_to, places))]

    def _find(self, name: str) -> list[Path]:
        if not self._folders:
            path = self.root / name
            # A path to another place, absolute or with .., even if it exists.
            return self._by_path(path) if _is_below(path, self.root) else []
        for folder in self._folders:
            path = folder / name
            # A path to another place is no image of the folder, even if it exists.
            if not _is_below(path, folder) or path in self._known:
                continue
            if _is(Path.is_file, path):
                # A slice of a series; or a file with the suffix of no image.
                return [path.parent if self._is_volume(path.parent) else path]
        return self._names.find(name)

    def _is_volume(self, folder: Path) -> bool:
        """Whether a folder is the image that any slice in it stands for."""
        return folder in self._known and self._series.is_one(folder)

    def _by_path(self, path: Path) -> list[Path]:
        if path.parent not in self._listed:
            there = path.parent.iterdir() if _is(Path.is_dir, path.parent) else ()
            others = [other for other in sorted(there) if other.name[0] != "."]
            self._listed[path.parent] = Names((other.name, other) for other in others)
        return self._listed[path.parent].find(path.name)

    def _missing(self, name: str) -> RowError:
        hint = self._several(name) or self._names.nearest(name)
        if not self._folders and not _is_below(self.root / name, self.root):
            hint = (
                f" Paths must lead to files below {self.root}. For others, name their "
                "folder in dataset.images."
            )
        return RowError("image missing", f"there is no file for {name!r}.{hint}")

    def _several(self, name: str) -> str:
        """What a name is that stands for images, but is of none; "" for others."""
        found = self._names.in_folder(name)
        what = f"{name} is a folder of"
        if not found:
            found = self._names.beginning_with(name)
            what = f"{name} is the beginning of the names of"
            if len(found) < 2:
                return ""
        count = f"{len(found)} image{'s' * (len(found) > 1)}"
        names = f"{found[0]}{', ...' * (len(found) > 1)}"
        return (
            f" {what} {count} ({names}); the first table needs one row for each image."
        )

    def id_of(self, path: Path) -> str:
        """The path below the folder of images, in one spelling."""
        folder = self._folders[0] if len(self._folders) == 1 else self.root
        return unicodedata.normalize("NFC", _relative(path, folder))

    def relative(self, path: Path) -> str:
        """The path relative to `root`, for lists and messages."""
        return _relative(path, self.root)

    def files_of(self, path: Path) -> list[Path]:
        """The files of an image: of a volume, all slices of its series."""
        if self._series:
            return self._series.files_of(path)
        return [path] if path.is_file() else []

    def not_requested(self) -> list[Path]:
        """The files that no call of `find` has returned."""
        return sorted(self._known - self._requested)


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder))


def _is(test: Callable[[Path], bool], path: Path) -> bool:
    """Whether a file or folder exists; a long text is no path of any."""
    try:
        return test(path)
    except OSError:
        return False


def _relative(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return Path(os.path.relpath(path, folder)).as_posix()


def _names_something(name: str) -> bool:
    """Whether a path has a part that is no dot."""
    return any(part not in ("", ".", "..") for part in name.split("/"))
