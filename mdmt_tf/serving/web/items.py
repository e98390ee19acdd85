"""What a request asks about: a radiograph is a file, a volume may be many files."""

import collections
import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.isolation import isolated
from mdmt_tf.imaging.series_files import divided_series, parts_text
from mdmt_tf.imaging.series_headers import is_dicom_file, read_slices
from mdmt_tf.serving.web.uploads import Upload

# A folder in memory.
_SHARED_MEMORY = Path("/dev/shm")


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One thing that a model answers.

    Attributes:
        name: as in the answer.
        path: the file, or a folder of links to the slices of a series.
        names: name of a link -> name of its file.
        error: why it can have no answer, whatever is in its files.
    """

    name: str
    path: Path
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    error: str = ""

    def named(self, text: str) -> str:
        """A text about `path` as one about the file of the client."""
        for link, name in self.names.items():
            text = text.replace(f"{self.path}/{link}", name)
            text = text.replace(link, PurePosixPath(name).name)
        text = re.sub(rf"{re.escape(str(self.path))}(?!\d)", lambda _: self.name, text)
        return text


def items_of(uploads: Sequence[Upload], are_volumes: bool) -> list[Item]:
    """The items of a request, in the order of their first files; see `remove_links`.

    Of volumes, they are those of `find_images`: the DICOM files of a folder are slices
    of one volume, which has the name of the folder, unless each is a volume. Files
    without a folder are one volume for each series, with the name of its first file.
    Folders of parts of one volume have an error, as there.
    """
    if not are_volumes:
        return [Item(upload.name, upload.path) for upload in uploads]
    slices = [upload for upload in uploads if is_dicom_file(upload.path)]
    folders: dict[str, list[Upload]] = {}
    for upload in slices:
        folders.setdefault(_folder(upload), []).append(upload)
    items = {
        upload: Item(upload.name, upload.path)
        for upload in uploads
        if upload not in slices
    }
    for folder, own in folders.items():
        for name, group in _volumes(folder, own):
            items[group[0]] = _linked(group, name)
    return _without_parts([items[upload] for upload in uploads if upload in items])


def _without_parts(items: Sequence[Item]) -> list[Item]:
    """The items, with an error at those that are one volume only together."""
    folders = {item.path: item for item in items if item.names}
    errors = {}
    if len(folders) > 1:
        for parts in isolated("DICOM", divided_series, list(folders)):
            for one in parts:
                others = [folders[other].name for other in parts if other != one]
                errors[one] = f"{folders[one].name}: {parts_text(others)}"
    return [
        dataclasses.replace(item, error=errors.get(item.path, "")) for item in items
    ]


def name_notes(items: Sequence[Item]) -> dict[str, str]:
    """Name -> a note, of the names that several items have.

    Example:
        >>> two = [Item("x.png", Path("/a")), Item("x.png", Path("/b"))]
        >>> name_notes([*two, Item("y.png", Path("/c"))])
        {'x.png': '2 files are called x.png; the answers are in the order sent'}
    """
    counts = collections.Counter(item.name for item in items)
    return {
        name: f"{count} files are called {name}; the answers are in the order sent"
        for name, count in counts.items()
        if count > 1
    }


def remove_links(items: Sequence[Item]) -> None:
    """Remove the folders of links."""
    for item in items:
        if item.names:
            shutil.rmtree(item.path, ignore_errors=True)


def _folder(upload: Upload) -> str:
    folder = str(PurePosixPath(upload.name).parent)
    return "" if folder == "." else folder


def _volumes(folder: str, own: Sequence[Upload]) -> Iterator[tuple[str, list[Upload]]]:
    """The volumes of the DICOM files of one folder: their names and files."""
    series = _series_of(own)
    frames = [series.get(upload.path, []) for upload in own]
    if folder and not all(len(of_file) > 1 for of_file in frames):
        yield folder, list(own)
        return
    groups: dict[str, list[Upload]] = {}
    for upload, of_file in zip(own, frames, strict=True):
        # A file without a slice is alone, and its error is that of `read_series`.
        key = of_file[0] if of_file else str(upload.path)
        groups.setdefault(key, []).append(upload)
    for group in groups.values():
        yield group[0].name, group


def _series_of(uploads: Sequence[Upload]) -> dict[Path, list[tuple[str, ...]]]:
    """The series of each slice in each file; nothing if a header cannot be read."""
    try:
        found = isolated("DICOM", read_slices, [one.path for one in uploads])
    except DataError:
        return {}
    series: dict[Path, list[tuple[str, ...]]] = {}
    for one in found:
        series.setdefault(one.path, []).append(one.series)
    return series


def _linked(group: Sequence[Upload], name: str) -> Item:
    """A folder of links to files in memory: it holds neither pixels nor names."""
    there = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="mdmt_tf-", dir=there))
    # In the order in which the names would be found in a folder.
    group = sorted(group, key=lambda upload: upload.name)
    names = {f"slice-{n:05d}-of-series": one.name for n, one in enumerate(group)}
    for link, upload in zip(names, group, strict=True):
        (folder / link).symlink_to(upload.path)
    return Item(name, folder, names)
