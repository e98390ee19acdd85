"""What a request asks about: a radiograph is a file, a volume may be many files."""

import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.isolation import isolated
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
    """

    name: str
    path: Path
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def named(self, text: str) -> str:
        """A text about `path` as one about the file of the client."""
        text = re.sub(rf"{re.escape(str(self.path))}(?!\d)", lambda _: self.name, text)
        for link, name in self.names.items():
            text = text.replace(f"{self.name}/{link}", name).replace(link, name)
        return text


def items_of(uploads: Sequence[Upload], are_volumes: bool) -> list[Item]:
    """The items of a request, in the order of their first files; see `remove_links`.

    The slices of a DICOM series are one item, with the name of their folder if it holds
    nothing else, or of their first file.
    """
    if not are_volumes:
        return [Item(upload.name, upload.path) for upload in uploads]
    slices = [upload for upload in uploads if is_dicom_file(upload.path)]
    together = _by_series(slices)
    items = []
    for upload in uploads:
        if upload not in slices:
            items.append(Item(upload.name, upload.path))
            continue
        group = next(group for group in together if upload in group)
        if group[0] is upload:
            items.append(_linked(group, _name(group, slices)))
    return items


def remove_links(items: Sequence[Item]) -> None:
    """Remove the folders of links."""
    for item in items:
        if item.names:
            shutil.rmtree(item.path, ignore_errors=True)


def _by_series(slices: Sequence[Upload]) -> list[list[Upload]]:
    """The files of each series, those of other folders apart."""
    groups: dict[tuple[str, str], list[Upload]] = {}
    for folder, own in _by_folder(slices):
        try:
            # A header may be damaged. What is wrong is said where the slices are read.
            found = isolated("DICOM", read_slices, [one.path for one in own])
            series = {one.path: one.series for one in found}
        except DataError:
            series = {}
        for upload in own:
            key = (folder, series.get(upload.path, ""))
            groups.setdefault(key, []).append(upload)
    return list(groups.values())


def _by_folder(uploads: Sequence[Upload]) -> Iterator[tuple[str, list[Upload]]]:
    folders: dict[str, list[Upload]] = {}
    for upload in uploads:
        folders.setdefault(_folder(upload), []).append(upload)
    yield from folders.items()


def _folder(upload: Upload) -> str:
    return str(PurePosixPath(upload.name).parent)


def _name(group: Sequence[Upload], slices: Sequence[Upload]) -> str:
    folder = _folder(group[0])
    in_folder = [upload for upload in slices if _folder(upload) == folder]
    is_whole = folder != "." and len(in_folder) == len(group)
    return folder if is_whole else group[0].name


def _linked(group: Sequence[Upload], name: str) -> Item:
    """A folder of links to files in memory: it holds neither pixels nor names."""
    there = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="mdmt_tf-", dir=there))
    names = {f"slice-{n:05d}-of-series": one.name for n, one in enumerate(group)}
    for link, upload in zip(names, group, strict=True):
        (folder / link).symlink_to(upload.path)
    return Item(name, folder, names)
