"""Files in folders that look like images, but are none that a model takes."""

import glob
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf.errors import DataWarning
from mdmt_tf.imaging import dicom, image_files, other_files
from mdmt_tf.imaging.series_files import SeriesFolders
from mdmt_tf.imaging.series_headers import is_dicom_file

_SHOWN = 5  # suffixes in a message


def left_out(
    given: Iterable[str | os.PathLike], images: Sequence[Path], volumes: bool
) -> list[Path]:
    """The files in the given folders that look like images and are not taken.

    By suffix or content; tables and texts do not count.

    Args:
        given, volumes: as of `image_files.find_images`.
        images: its result.
    """
    taken, series = set(images), SeriesFolders()
    keys = {series.key_of(path) for path in images} - {None} if volumes else set()

    def is_slice(path: Path) -> bool:
        """Of a volume that is taken, or of a folder that is an error."""
        is_there = path.parent in taken or series.key_of(path) in keys
        return is_there and is_dicom_file(path)

    files = set(image_files.files_below(_folders(given))) - taken
    return sorted(
        path
        for path in files
        if _is_like_image(path) and not (volumes and is_slice(path))
    )


def warn_left_out(
    given: Iterable[str | os.PathLike], images: Sequence[Path], volumes: bool
) -> str:
    """Warn of `left_out`.

    Returns: how many there are, in a few words; "" without such files.
    """
    if not (files := left_out(given, images, volumes)):
        return ""
    counts = Counter(_suffix(path) for path in files)
    kinds = ", ".join(f"{count} {name}" for name, count in counts.most_common(_SHOWN))
    more = ", ..." if len(counts) > _SHOWN else ""
    are = "file looks like an image, but is"
    if len(files) > 1:
        are = "files look like images, but are"
    listed = f"left out: {kinds}{more}"
    warnings.warn(
        DataWarning(
            f"{len(files)} {are} {listed}, such as {files[0]}. Expected "
            f"{image_files.kinds_text(volumes)}. Convert them, or name one to see what "
            "is wrong with it",
            "files left out",
        ),
        stacklevel=2,
    )
    return f"{len(files)} file{'s' if len(files) > 1 else ''} {listed}"


def _folders(given: Iterable[str | os.PathLike]) -> list[Path]:
    paths = []
    for path in map(image_files.on_disk, given):
        is_pattern = not path.exists() and glob.has_magic(str(path))
        paths += glob.glob(str(path), recursive=True) if is_pattern else [path]
    return [path for path in map(Path, paths) if path.is_dir()]


def _is_like_image(path: Path) -> bool:
    if path.name == image_files.INDEX or not path.is_file():
        return False
    if path.name.lower().endswith(_SUFFIXES):
        return True
    start = image_files.start_of(path)
    return dicom.is_dicom(start) or other_files.is_of_image(start)


_SUFFIXES = (
    *(*image_files.RADIOGRAPHS, *image_files.VOLUMES, *other_files.UNREAD_VOLUMES),
    *other_files.UNREAD_PICTURES,
    *(".dcm.gz", ".zip"),
)


def _suffix(path: Path) -> str:
    """Such as .nii.gz or .bmp."""
    packed = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else ""
    return f"{packed}{path.suffix}".lower() or "without suffix"
