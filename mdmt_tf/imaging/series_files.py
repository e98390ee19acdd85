"""Which DICOM files are slices of which series.

A folder stands for the one series in it. A file stands for its series in its folder, or
for the volume of its frames.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from mdmt_tf import links
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.series_headers import (
    IDENTITY,
    Slice,
    dicom_files,
    read_slices,
)
from mdmt_tf.imaging.series_stack import stacked

_SHOWN = 3  # series or folders in a message


def find_series(folders: Iterable[str | os.PathLike]) -> list[Path]:
    """The volumes that the DICOM files directly in some folders make.

    Returns: a folder, if its files have places in the patient; the files, if each is a
        series of several frames; nothing for a folder without such files. A folder of
        several series, or with unreadable files, is returned too; `read_series` says
        what is wrong with it.
    Raises: DataError when a folder cannot be listed, or when folders have parts of one
        volume.
    """
    found, read = [], {}
    for folder in map(Path, folders):
        try:
            read[folder] = series_in(folder)
        except DataError:
            found.append(folder)
            continue
        found += _volumes(folder, read[folder])
    for parts in _divided(read):
        raise DataError(f"{parts[0]}: {parts_text(parts[1:])}")
    return found


def divided_series(folders: Iterable[Path]) -> list[list[Path]]:
    """The folders that have parts of one volume: a list for each such volume.

    Copies of a series, and its phases, are no parts. Folders that cannot be read are
    left out.
    """
    read = {}
    for folder in folders:
        with contextlib.suppress(DataError):
            read[folder] = series_in(folder)
    return _divided(read)


def parts_text(others: Sequence[str | os.PathLike]) -> str:
    """What is wrong with a folder that has a part of a volume.

    Args:
        others: the folders of the other parts.
    """
    names = ", ".join(map(os.fspath, others[:_SHOWN]))
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return (
        "expected all slices of a series in one folder. Received: slices of one volume "
        f"here and in {names}{more}. Move them to one folder"
    )


def _divided(read: Mapping[Path, Sequence[Sequence[Slice]]]) -> list[list[Path]]:
    homes: dict[tuple[str, ...], list[Path]] = {}
    for folder, by_series in read.items():
        if len(by_series) == 1:
            homes.setdefault(by_series[0][0].series, []).append(folder)
    uid = IDENTITY.index("SeriesInstanceUID")
    return [
        parts
        for series, parts in homes.items()
        if len(parts) > 1
        and series[uid]
        and _is_volume([one for folder in parts for one in read[folder][0]])
    ]


def _is_volume(slices: Sequence[Slice]) -> bool:
    try:
        stacked(slices)
    except DataError:
        return False  # such as copies, or phases
    return True


def _volumes(folder: Path, by_series: Sequence[Sequence[Slice]]) -> list[Path]:
    if not any(one.is_placed for group in by_series for one in group):
        return []
    if len(by_series) > 1 and all(
        len({one.path for one in group}) == 1 < len(group) for group in by_series
    ):
        return sorted(group[0].path for group in by_series)
    return [folder]


class SeriesFolders:
    """Which volume each DICOM file in a folder belongs to; a folder is read once."""

    def __init__(self):
        self._volumes: dict[Path, dict[Path, tuple[str, ...]]] = {}

    def key_of(self, path: Path) -> Hashable | None:
        """The same for all paths that stand for one volume; None for other files."""
        if path.is_dir():
            return path
        own = self._in(path.parent).get(path)
        if own is None:
            return None
        return path.parent if self.is_one(path.parent) else (path.parent, own)

    def is_one(self, folder: Path) -> bool:
        """Whether a folder stands for each slice in it, as far as its files tell."""
        return len({*self._in(folder).values()}) < 2

    def files_of(self, path: Path) -> list[Path]:
        """The files that a volume is made of; nothing for a link to nothing."""
        if path.is_dir():
            return [file for file in sorted(path.iterdir()) if file.is_file()]
        if not path.is_file():
            return []
        if self.key_of(path) is None:
            return [path]
        volumes = self._in(path.parent)
        return [file for file, own in volumes.items() if own == volumes[path]]

    def _in(self, folder: Path) -> dict[Path, tuple[str, ...]]:
        """File -> its series, and its own name if its frames are a volume."""
        if folder not in self._volumes:
            try:
                slices = read_slices(dicom_files(folder))
            except DataError:
                slices = []
            counts = Counter(one.path for one in slices)
            self._volumes[folder] = {
                one.path: (*one.series, *[one.path.name] * (counts[one.path] > 1))
                for one in slices
            }
        return self._volumes[folder]


def without_other_slices(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that stand for the same series as an earlier one.

    Args:
        paths: files, DICOM or not, and folders of a series.
    """
    kept, seen, series = [], set(), SeriesFolders()
    for path in paths:
        key = series.key_of(path) or path
        if key not in seen:
            kept.append(path)
        seen.add(key)
    return kept


def slices_of(path: Path) -> list[Slice]:
    """The slices that a folder or a file stands for.

    Raises: DataError, without the name, for several series or none, and for headers
        that cannot be read.
    """
    if path.is_dir():
        by_series = series_in(path)
        if not by_series:
            raise DataError(
                f"expected the slices of a DICOM series in the folder. Received: "
                f"{len(list(path.iterdir()))} files and folders, none of them a DICOM "
                "image. Name the folder that holds the slices"
            )
        if len(by_series) > 1:
            raise DataError(_several(by_series))
        return by_series[0]
    own = read_slices([path])
    if not own:
        raise DataError(
            "expected slices of a CT or MR. Received: a DICOM file without an image"
        )
    if len(own) > 1:
        return own
    files = dicom_files(path.parent)
    if not path.is_symlink():
        for file in files:
            links.check(file, path.parent)
    slices = read_slices(files)
    return [one for one in slices if one.series == own[0].series]


def series_in(folder: Path) -> list[list[Slice]]:
    """The slices of each series in a folder.

    Raises: DataError for a folder or headers that cannot be read.
    """
    return _by_series(read_slices(dicom_files(folder)))


def _by_series(slices: Iterable[Slice]) -> list[list[Slice]]:
    groups: dict[tuple[str, ...], list[Slice]] = {}
    for one in slices:
        groups.setdefault(one.series, []).append(one)
    return list(groups.values())


def _several(by_series: Sequence[Sequence[Slice]]) -> str:
    ids = zip(*(group[0].series for group in by_series), strict=True)
    unlike = [k for k, found in zip(IDENTITY, ids, strict=True) if len({*found}) > 1]
    note = ""
    if "SeriesInstanceUID" not in unlike:
        note = f" that have one SeriesInstanceUID, but differ in {', '.join(unlike)}"
    listed = "; ".join(
        f"{group[0].modality or 'unknown modality'}, {len(group)} "
        f"slice{'s' if len(group) > 1 else ''}, such as {group[0].path.name}"
        for group in by_series[:_SHOWN]
    )
    more = f"; and {len(by_series) - _SHOWN} more" if len(by_series) > _SHOWN else ""
    return (
        f"expected the slices of one series. Received: {len(by_series)} series{note} "
        f"({listed}{more}). Move each to a folder of its own, or name one file of the "
        "series to use"
    )
