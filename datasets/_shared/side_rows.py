"""Rows of a further table about images, found by the names of the images."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.datasets._shared.tables import rows_by_key
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import Names, clean, folded, last_part, likeness

logger = logging.getLogger(__name__)

KIND = "row of no image"


def _full(name: str) -> str:
    return folded(last_part(name))


def _stem(name: str) -> str:
    return folded(image_stem(last_part(name)))


def _likeness(name: str) -> str:
    return likeness(image_stem(last_part(name)))


class SideRows:
    """The rows of a table about images, such as their metadata or their patients.

    Attributes:
        name: name of the table.
        without: names of images that should have a row, but have none.
    """

    def __init__(
        self,
        path: Path,
        rows: Iterable[TableRow],
        column: str,
        used: Sequence[str],
        *,
        has_all: bool = True,
    ):
        """
        Args:
            path: the table.
            rows: its rows.
            column: the column that names the images.
            used: the columns that are used; in others, rows of one image may differ.
            has_all: whether every image should have a row.
        Raises: DataError when two rows of one name differ in a column that is used.
        """
        self.name, self.without = path.name, []
        self._path, self._rows = path, list(rows)
        self._column, self._used, self._has_all = column, used, has_all
        self._by_name = rows_by_key(path, self._rows, self._name_of, used)
        self._by_name.pop("", None)
        # A table may have the images in folders that are here no more.
        self._names = Names(
            ((name, name) for name in self._by_name), folders_count=False
        )
        self._found: set[str] = set()

    def _name_of(self, row: TableRow) -> str:
        return clean(row.text(self._column))

    def find(self, *names: str) -> TableRow | None:
        """The row of an image; None if it has none.

        Args:
            names: the names of the image. A row of exactly one of them is better than
                another spelling of the first.
        Raises: DataError when rows in several other spellings differ.
        """
        exact = [name for name in map(clean, names) if name in self._by_name]
        found = exact[:1] or next(filter(None, map(self._names.find, names)), [])
        if not found:
            if self._has_all:
                self.without.append(names[0])
            return None
        self._found.update(found)
        return self._merged(found, names[0])

    def _merged(self, names: Iterable[str], image: str) -> TableRow:
        rows = sorted((self._by_name[n] for n in names), key=lambda row: row.number)
        return rows_by_key(self._path, rows, lambda row: image, self._used)[image]

    def _found_otherwise(self) -> set[str]:
        """Names of rows of images that have been found by a row of another spelling.

        With or without a suffix; a.png and a.jpg may be two images.
        """
        full = {_full(name): name for name in self._found}
        stems = {_stem(name): name for name in self._found}
        others = set()
        for name in self._by_name.keys() - self._found:
            found = full.get(_full(name)) or stems.get(_full(name))
            found = found or full.get(_stem(name))
            if found is not None:
                self._merged([name, found], found)
                others.add(name)
        return others

    def list_unmatched(self, rejections: Rejections) -> dict[str, int]:
        """List the rows that `find` has not returned.

        Returns: the numbers of such rows, and of images without a row.
        Raises: DataError when such a row spells the name of an image otherwise than the
            row that was found, and differs from it.
        """
        self._found.update(self._found_otherwise())
        alone = [row for row in self._rows if self._name_of(row) not in self._found]
        images = {_likeness(name): name for name in (*self._found, *self.without)}
        for row in alone:
            name = row.text(self._column)
            other = images.get(_likeness(name)) if name else None
            detail = f"a like name is {other!r}" if other is not None else ""
            is_logged = other is not None
            rejections.warn(name, row.place, KIND, detail, is_logged=is_logged)
        if alone:
            text = f"{self.name}: {len(alone)} rows are of no image"
            text += f", such as {alone[0].text(self._column)!r} ({alone[0].place})"
            if self.without:
                text += f"; {len(self.without)} images have no row, such as "
                text += repr(self.without[0])
            # A table may be of a larger collection.
            level = logging.WARNING if self.without else logging.INFO
            logger.log(level, "%s. They are in warnings.csv.", text)
        return {"rows": len(alone), "images": len(self.without)}
