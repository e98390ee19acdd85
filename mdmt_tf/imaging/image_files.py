"""Image files on disk: which of the files in folders are images."""

import dataclasses
import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from mdmt_tf import links
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import other_files

RADIOGRAPHS = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
VOLUMES = (".nii", ".nii.gz")

# An index of DICOM files, itself in DICOM.
INDEX = "DICOMDIR"
_SHOWN = 3  # suffixes in a message


class NoImagesError(DataError):
    """A folder that can be read, but holds no images of the kind that is wanted."""


def image_stem(name: str) -> str:
    """The name without the suffix of an image file; other dots are part of the name.

    Example:
        >>> image_stem("scan.v2.nii.gz"), image_stem("1.2.840.7")
        ('scan.v2', '1.2.840.7')
    """
    for suffix in (*RADIOGRAPHS, *VOLUMES):
        stem = name[: -len(suffix)]
        if stem and name.lower().endswith(suffix):
            return stem
    return name


def find_images(
    given: Iterable[str | os.PathLike],
    volumes: bool,
    *,
    confined: bool = False,
    by_content: bool = False,
) -> list[Path]:
    """The files that paths and patterns stand for.

    Args:
        given: files, whatever their names; folders, which stand for the images in them
            and in the folders below, hidden ones left out; or patterns such as
            "films/*.dcm" or "films/**/front.png".
        volumes: whether the images of folders are NIfTI files and DICOM series (the
            folder stands for the series in it, see `series_files.find_series`); else
            radiographs, that is DICOM (also without a suffix), PNG, JPEG, TIFF.
        confined: whether a symbolic link that leads out of a given folder is an error.
            A file or folder that is given by name may be a link.
        by_content: whether files of folders count by their content, whatever their
            names, as those do that are given by name. Those of a dataset do not: its
            images would be others than when it was prepared.
    Returns: each file or folder once, in the order of `given`, those of one folder or
        pattern sorted. Of paths that stand for one series, the first.
    Raises: DataError for a path that does not exist, a folder (NoImagesError) or a
        pattern without images, what cannot be read, parts of a series in several
            folders, and links as `confined` says.
    """
    found: dict[Path, None] = {}
    wanted = _Wanted(volumes, by_content)
    for path in map(on_disk, given):
        if path.is_dir():
            images = wanted.below([path], path)
            if confined:
                _check_links(images, path)
        elif path.exists():
            images = [path]
        elif glob.has_magic(str(path)):
            images = wanted.matches(path)
        else:
            raise DataError(f"{path}: no such file or folder.")
        found.update(dict.fromkeys(images))
    return _without_other_slices(list(found)) if volumes else list(found)


def on_disk(given: str | os.PathLike) -> Path:
    """A path in the Unicode form in which it exists, if it does."""
    forms = (unicodedata.normalize(form, os.fspath(given)) for form in ("NFC", "NFD"))
    others = (Path(form) for form in forms)
    path = Path(given)
    return path if path.exists() else next((p for p in others if p.exists()), path)


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """Which files of folders are images; the arguments are those of `find_images`."""

    volumes: bool
    by_content: bool

    def matches(self, pattern: Path) -> list[Path]:
        matches = [Path(match) for match in glob.glob(str(pattern), recursive=True)]
        if not matches:
            raise DataError(f"{pattern}: no file or folder matches.")
        files = [match for match in matches if not match.is_dir()]
        folders = [match for match in matches if match.is_dir()]
        if files:
            below = self._among(list(files_below(folders)))
        else:
            below = self.below(folders, pattern)
        return sorted({*files, *below})

    def below(self, folders: list[Path], given: Path) -> list[Path]:
        files = list(files_below(folders))
        images = sorted(self._among(files))
        if not images:
            received = _counted(files) if files else "an empty folder"
            raise NoImagesError(
                f"{given}: expected image files ({kinds_text(self.volumes)}) in it or "
                f"in folders below. Received: {received}."
            )
        return images

    def _among(self, files: list[Path]) -> set[Path]:
        images = {path for path in files if self._takes(path)}
        if self.volumes:
            from mdmt_tf.imaging.series_files import find_series  # slow to import

            folders = {path.parent for path in files if path not in images}
            images.update(find_series(sorted(folders)))
        return images

    def _takes(self, path: Path) -> bool:
        """Whether a file is an image of itself; a slice of a series is not."""
        if _is_image(path, self.volumes):
            return True
        return self.by_content and _is_content(path, self.volumes)


def kinds_text(volumes: bool) -> str:
    """The suffixes of images, and what else is taken."""
    suffixes = ", ".join(VOLUMES if volumes else RADIOGRAPHS)
    return f"{suffixes}{' or DICOM series' if volumes else ''}"


def _counted(files: Sequence[Path]) -> str:
    """How many files of which kinds, none of them an image."""
    suffixes = Counter(path.suffix.lower() or "no suffix" for path in files)
    kinds = [f"{count} {suffix}" for suffix, count in suffixes.most_common(_SHOWN)]
    more = ", ..." if len(suffixes) > _SHOWN else ""
    text = f"none among {len(files)} file{'s' if len(files) > 1 else ''}"
    text += f" ({', '.join(kinds)}{more})"
    if others := sorted({*suffixes} & {*other_files.UNREAD_VOLUMES}):
        text += f". Convert {', '.join(others)} to .nii.gz"
    return text


def _check_links(images: Iterable[Path], folder: Path) -> None:
    for path in images:
        if out := links.first_out(path, folder):
            raise DataError(
                f"{links.reason(out, folder)} Or name the file itself, or a pattern in "
                "quotes, instead of the folder."
            )


def _without_other_slices(found: list[Path]) -> list[Path]:
    """Without paths to a series of which the folder, or a file, comes before."""
    # Files of DICOM have been requested by name.
    others = [path for path in found if not path.name.lower().endswith(VOLUMES)]
    if len(others) < 2 or all(path.is_dir() for path in others):
        return found
    from mdmt_tf.imaging.series_files import without_other_slices  # slow to import

    return without_other_slices(found)


def files_below(folders: Iterable[Path]) -> Iterator[Path]:
    """All files below folders. Archives contain some like .DS_Store and ._P_1.dcm."""
    for folder in folders:
        for place, below, names in os.walk(folder, onerror=_refuse):
            below[:] = [name for name in below if not name.startswith(".")]
            for name in names:
                if not name.startswith("."):
                    yield Path(place) / name


def _is_content(path: Path, volumes: bool) -> bool:
    """Whether a file has the content of what is read, whatever its name."""
    from mdmt_tf.imaging import dicom, raster  # slow to import

    if path.name == INDEX or not path.is_file():
        return False
    start = start_of(path)
    if volumes:
        is_pair = path.name.lower().endswith(other_files.UNREAD_VOLUMES)
        return other_files.is_nifti(start) and not is_pair
    return dicom.is_dicom(start) or raster.is_raster(start)


def _is_image(path: Path, volumes: bool) -> bool:
    name = path.name.lower()
    if volumes or name.endswith((*RADIOGRAPHS, *VOLUMES)):
        return name.endswith(VOLUMES if volumes else RADIOGRAPHS)
    if path.name == INDEX:
        return False
    # Scanners name DICOM files by number.
    return start_of(path, 132)[128:] == b"DICM"


def start_of(path: Path, count: int = other_files.START) -> bytes:
    """The first bytes of a file of a folder."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise DataError(
        f"{error.filename}: cannot be read: {error.strerror}. Make it readable, or "
        "remove it from the folder."
    ) from error
