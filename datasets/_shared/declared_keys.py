"""Keys that join tables: which are the same, and which are only like each other."""

import functools
import itertools
import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from mdmt_tf.datasets._shared.dates import days_of
from mdmt_tf.datasets._shared.declared_cells import NO_NAME, Cell
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.table_rows import TableRow, is_error
from mdmt_tf.datasets._shared.tables import Table
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import (
    REWRITTEN,
    Names,
    folded,
    is_rewritten,
    likeness,
    plain_id,
)

Thing = TypeVar("Thing")
# A value for each column of a join, "" for a cell that names nothing.
Key = tuple[str, ...]
# Forms of a part of a key, each with the innermost name of a path first.
Forms = set[tuple[str, ...]]


class Keys:
    """How the parts of keys are compared.

    Attributes:
        image: the column of the images.
        part: `part(column, text)`: the part of a key in which spellings of the same
            thing are equal; "" for a cell that names nothing, such as n/a.
        forms: `forms(column, part)`: the part without what slips change; parts that
            share a form are alike.
    """

    def __init__(self, image: str, images: DeclaredImages, rows: Sequence[TableRow]):
        """
        Args:
            image: the column of the images.
            images: the images, by which rows about images are joined.
            rows: the rows of the first table.
        """
        self.image, self._images, self._rows = image, images, rows
        # Tables have the same cells many times.
        self.part = functools.cache(self._part)
        self.forms = functools.cache(self._forms)

    def _part(self, column: str, text: str) -> str:
        if NO_NAME.has(Cell(text, column, "")) or is_error(text):
            return ""
        if column == self.image:
            return self._image_part(text)
        return folded(plain_id(text))

    def _image_part(self, text: str) -> str:
        key = self._images.key_of(text)
        keys, names = self._of_main
        # The first table may have paths where another has only names.
        found = {key} if key in keys else set(names.find(text))
        return found.pop() if len(found) == 1 else key

    @functools.cached_property
    def _of_main(self) -> tuple[set[str], Names[str]]:
        """The keys of the images in the first table, and these by name."""
        cells = (row.cells.get(self.image, "") for row in self._rows)
        keys = {self._images.key_of(cell) for cell in cells if cell}
        return keys, Names((key, key) for key in keys)

    def spelling(self, column: str, text: str) -> str:
        """A cell as it is spelled; the same for all names of an image."""
        return "" if column == self.image else plain_id(text)

    def _forms(self, column: str, part: str) -> Forms:
        if not part:
            return {()}  # may be anything
        if column == self.image:
            # Paths are alike if their folders are, as far as both have them.
            return {tuple(map(likeness, reversed(image_stem(part).split("/"))))}
        return {(likeness(part),), *((day,) for day in days_of(part))}

    def outline(self, column: str, part: str) -> str:
        """The part with all words and all numbers alike; of a path, of its end."""
        if column == self.image:
            part = image_stem(part).rpartition("/")[2]
        return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", part))


def like_keys(
    keys: Iterable[Key],
    others: Mapping[Key, Thing],
    forms: Callable[[Key], Sequence[Forms]],
) -> dict[Key, Thing]:
    """Those of some keys that are like one of others, and the first of these.

    Args:
        keys: the keys, whole.
        others: other keys, of which parts may be missing.
        forms: the forms of each part of a key.
    """
    index: dict[tuple, list[tuple[tuple, Thing]]] = {}
    for other, thing in others.items():
        for form in itertools.product(*forms(other)):
            index.setdefault(_start(form), []).append((form, thing))
    found = {}
    for key in keys:
        for form in itertools.product(*forms(key)):
            # A part may be missing in the other.
            starts = itertools.product(*((name, None) for name in _start(form)))
            near = itertools.chain.from_iterable(index.get(s, ()) for s in starts)
            for theirs, thing in near:
                if all(map(_agree, form, theirs)):
                    found.setdefault(key, thing)
    return found


def _start(form: Iterable[tuple[str, ...]]) -> tuple[str | None, ...]:
    return tuple(part[0] if part else None for part in form)


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two forms are equal as far as both have names."""
    return all(map(operator.eq, one, other))


def check_keys(table: Table, columns: Iterable[str]) -> None:
    """Raise for keys that a program has rewritten, which may be of several things."""
    for column in columns:
        for row in table.rows:
            text = row.cells.get(unicodedata.normalize("NFC", column), "")
            if is_rewritten(text):
                raise DataError(
                    f"{table.path}:{row.number}: {column} = {text!r} joins rows of "
                    f"tables. {REWRITTEN}"
                )
