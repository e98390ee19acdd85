"""The images that a list of names leaves out."""

import contextlib
import dataclasses
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mdmt_tf.errors import DataError
from mdmt_tf.names import Names

if TYPE_CHECKING:
    from mdmt_tf.datasets._shared.image_records import Record

_SHOWN = 5


class Images(Protocol):
    """Image files, see `manual_files.ImageFiles`."""

    files: Sequence[Path]

    def matches(self, name: str) -> list[Path]: ...

    def relative(self, path: Path) -> str: ...


@dataclasses.dataclass(frozen=True)
class Excluded:
    """What a list of names stands for.

    Attributes:
        files: the image files.
        unknown: names of nothing in the dataset.
        problems: what is wrong with unknown names, and with those of several images.
    """

    files: frozenset[Path]
    unknown: tuple[str, ...]
    problems: tuple[str, ...]


def find_excluded(
    wanted: Collection[str],
    records: "Sequence[Record]",
    images: Images,
    in_table: Iterable[str],
) -> Excluded:
    """The images of a list.

    Args:
        wanted: ids or file names of images, in any spelling of `Names`.
        records: the images that can be used.
        images: all image files.
        in_table: names of images in the table; those without a file are known, too.
    """
    if not wanted:
        return Excluded(frozenset(), (), ())
    named = Names(
        [
            *((record.image_id, record.path) for record in records),
            *((images.relative(path), path) for path in images.files),
        ]
    )
    rows = Names((name, name) for name in in_table if name)
    files, unknown, problems = set(), [], []
    for name in sorted(wanted):
        found = named.find(name) or images.matches(name)
        files.update(found)
        if len(found) > 1:
            paths = ", ".join(images.relative(path) for path in found)
            problems.append(f"{name!r} may be {paths}. Write which one.")
        elif not found and not rows.find(name):
            unknown.append(name)
            hint = named.nearest(name) or _examples(records)
            problems.append(f"{name!r} is no image.{hint}")
    return Excluded(frozenset(files), tuple(unknown), tuple(problems))


def _examples(records: "Sequence[Record]") -> str:
    ids = [record.image_id for record in records[:3]]
    return f" There are {', '.join(map(repr, ids))}, ..." if ids else ""


def check(dataset: str, excluded: Excluded) -> None:
    """Raise for names of no image, and of several."""
    if excluded.problems:
        raise DataError(_message(f"of {dataset}", excluded.problems))


def _message(where: str, problems: Sequence[str]) -> str:
    lines = [f"--exclude: expected ids or file names of images {where}, one per line."]
    lines += problems[:_SHOWN]
    if len(problems) > _SHOWN:
        lines.append(f"and {len(problems) - _SHOWN} more")
    return "\n  ".join(lines)


def check_in_any(of_each: Iterable[Excluded]) -> None:
    """Raise for names of no image of any dataset."""
    of_each = list(of_each)
    unknown = set.intersection(*(set(excluded.unknown) for excluded in of_each))
    if unknown:
        problems = [f"{name!r} is no image." for name in sorted(unknown)]
        raise DataError(_message("of one of the datasets", problems))


@contextlib.contextmanager
def without_messages() -> Iterator[None]:
    """Read tables without the messages that their preparation logs later."""
    logger = logging.getLogger("mdmt_tf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
