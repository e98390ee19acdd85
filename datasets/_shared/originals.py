"""What a prepared dataset was made from, and what has changed since.

<prepared dataset>/originals.csv    one row per image file: file, size in bytes, time of
                                    change in nanoseconds, SHA-256 (empty: not decoded)

The metadata have the digests of the tables and of the list of images.
"""

import concurrent.futures
import csv
import dataclasses
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mdmt_tf import storage

logger = logging.getLogger(__name__)

FILE_NAME = "originals.csv"
_COLUMNS = ["file", "size", "modified", "sha256"]
_THREADS = 4


@dataclasses.dataclass(frozen=True)
class ImageFact:
    """What is known of one image file.

    Attributes:
        size: bytes.
        modified: time of its last change, nanoseconds.
        sha256: of its bytes; "" if they were not read.
    """

    size: int
    modified: int
    sha256: str = ""


class Originals:
    """The files that a dataset is prepared from, as they are now.

    Attributes:
        tables: file, relative to the root -> SHA-256.
        images: likewise -> `ImageFact`.
    """

    def __init__(
        self,
        root: Path,
        tables: Iterable[Path],
        images: Iterable[Path],
        files_of: Callable[[Path], list[Path]] | None = None,
    ):
        """
        Args:
            root: folder to which the names are relative.
            tables: the tables.
            images: files, or what stands for several files, such as a series.
            files_of: the files of an image; nothing for a link to nothing. None: it
                itself.
        """
        self._root = root
        self._files_of = files_of or _itself
        self.tables = {self._name(path): storage.sha256_of(path) for path in tables}
        self.images: dict[str, ImageFact] = {}
        for image in images:
            for path in self._files_of(image):
                facts = path.stat()
                fact = ImageFact(facts.st_size, facts.st_mtime_ns)
                self.images[self._name(path)] = fact

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._root)).as_posix()

    def hash_image(self, image: Path) -> None:
        """Note the bytes of an image that is prepared; thread-safe for other images."""
        for path in self._files_of(image):
            name = self._name(path)
            if name in self.images:
                sha256 = storage.sha256_of(path)
                fact = dataclasses.replace(self.images[name], sha256=sha256)
                self.images[name] = fact

    def digest(self) -> dict[str, Any]:
        """The digests for the metadata."""
        names = sorted((name, fact.size) for name, fact in self.images.items())
        return {
            "tables": dict(sorted(self.tables.items())),
            "images": len(names),
            "images_sha256": storage.digest_of(names),
        }

    def write(self, folder: Path) -> None:
        """Write `originals.csv` to the folder of the prepared dataset."""
        with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for name, fact in sorted(self.images.items()):
                writer.writerow([name, fact.size, fact.modified, fact.sha256])

    def changed_tables(self, stored: Mapping[str, Any]) -> list[str]:
        """The tables that differ from those of a prepared dataset, in words.

        Args:
            stored: its `digest`.
        """
        found, before = [], stored["tables"]
        for name in sorted({*before, *self.tables}):
            if name not in self.tables:
                found.append(f"the table {name} is gone")
            elif name not in before:
                found.append(f"the table {name} is new")
            elif before[name] != self.tables[name]:
                found.append(f"the table {name}")
        return found

    def changed_images(self, stored: Mapping[str, Any], folder: Path) -> list[str]:
        """The images that differ from those of a prepared dataset, in words.

        Reads the bytes of files that have been written since.

        Args:
            stored: its `digest`.
            folder: its folder.
        """
        before = _read(folder / FILE_NAME)
        if before is None:
            same = stored["images_sha256"] == self.digest()["images_sha256"]
            return [] if same else ["names or sizes of images"]
        gone = [name for name in before if name not in self.images]
        new = [name for name in self.images if name not in before]
        both = [name for name in self.images if name in before]
        changed = [n for n in both if before[n].size != self.images[n].size]
        doubtful = [
            name
            for name in both
            if name not in changed
            and before[name].modified != self.images[name].modified
            and before[name].sha256
        ]
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            now = pool.map(lambda name: storage.sha256_of(self._root / name), doubtful)
            pairs = zip(doubtful, now, strict=True)
            changed += [name for name, sha256 in pairs if sha256 != before[name].sha256]
        return [
            *_counted(gone, "is gone", "are gone"),
            *_counted(new, "is new", "are new"),
            *_counted(changed, "has other bytes", "have other bytes"),
        ]


def _itself(image: Path) -> list[Path]:
    return [image] if image.is_file() else []


def _read(path: Path) -> dict[str, ImageFact] | None:
    """File -> what is known of it; None without a list that can be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                row["file"]: ImageFact(
                    int(row["size"]), int(row["modified"]), row["sha256"] or ""
                )
                for row in csv.DictReader(file)
            }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        logger.warning("%s: this list cannot be read: %s", path, error)
        return None


def _counted(names: Collection[str], one: str, several: str) -> list[str]:
    if not names:
        return []
    example = sorted(names)[0]
    if len(names) == 1:
        return [f"the image {example} {one}"]
    return [f"{len(names)} images {several}, such as {example}"]
