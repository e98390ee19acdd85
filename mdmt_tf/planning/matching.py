"""Which column of a table names the image files."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.names import Names, folded
from mdmt_tf.planning.columns import Column


@dataclasses.dataclass(frozen=True)
class Match:
    """How well a column names the files.

    Attributes:
        column: its name.
        rows: for each row the file that it names, or None.
        by: what the cells are, for a message.
    """

    column: str
    rows: tuple[str | None, ...]
    by: str

    @property
    def n_rows(self) -> int:
        return sum(row is not None for row in self.rows)

    @property
    def n_files(self) -> int:
        return len(set(self.rows) - {None})


def _plain(text: str) -> str:
    return folded(text).replace("\\", "/")


def _last(text: str) -> str:
    return PurePosixPath(text).name


def match(column: Column, files: Sequence[str]) -> Match:
    """Match the cells of a column with the paths of files, as `prepare` does.

    A cell and a file fit if their names are equal, see `mdmt_tf.names`, and their
    folders are equal as far as both have them. A cell that fits several files names
    none of them.

    Args:
        files: paths relative to the folder of the images, with `/`.

    Example:
        >>> from mdmt_tf.planning.columns import Column
        >>> found = match(Column("id", ("a1", "B2", "c3")), ["x/A1.png", "x/b2.png"])
        >>> found.rows, found.by
        (('x/A1.png', 'x/b2.png', None), 'name without suffix')
    """
    return _match(column, _index(files))


def _index(files: Sequence[str]) -> Names[str]:
    return Names((file, file) for file in files)


def _match(column: Column, index: Names[str]) -> Match:
    found = [index.find(cell) if cell else [] for cell in column.cells]
    rows = tuple(files[0] if len(files) == 1 else None for files in found)
    pairs = [(c, r) for c, r in zip(column.cells, rows, strict=True) if r is not None]
    if all("/" in _plain(cell) for cell, _ in pairs):
        by = "path"
    elif all(_last(_plain(cell)) == _last(_plain(file)) for cell, file in pairs):
        by = "file name"
    else:
        by = "name without suffix"
    return Match(column.name, rows, by)


def _stem(path: str) -> str:
    return image_stem(_last(_plain(path)))


def best_match(columns: Iterable[Column], files: Sequence[str]) -> tuple[Match, ...]:
    """The columns that name files, best first.

    Raises: DataError when no cell of any column names a file; the message shows three
        examples of both.
    """
    columns = list(columns)
    index = _index(files)
    matches = [_match(column, index) for column in columns]
    found = [made for made in matches if made.n_files]
    if not found:
        shown = "; ".join(
            f"{c.name}: {', '.join(list(c.counts)[:3])}" for c in _likely(columns)
        )
        raise DataError(
            "no column of the table names the image files. Expected a column with "
            "their paths or names, with or without suffix. Files: "
            f"{', '.join(files[:3])}. Columns: {shown}.{_hint(columns, files)}"
        )
    # A column whose rows name different files is before one that repeats them.
    return tuple(sorted(found, key=lambda m: (-m.n_files, m.n_rows)))


def _hint(columns: Sequence[Column], files: Sequence[str]) -> str:
    """What to do where the cells of a column are a part of the paths of the files."""
    index = _index(files)
    for column in columns:
        found = {cell: index.in_folder(cell) for cell in column.counts if cell}
        named = {cell: inside for cell, inside in found.items() if inside}
        if len(named) > 1 and 2 * len(named) >= len(found):
            cell, inside = next(iter(named.items()))
            return (
                f" {column.name} seems to name folders, such as {cell!r} of "
                f"{inside[0]}. The table needs one row for each image."
            )
    parts = {}
    for file in files:
        for part in re.findall(r"[^\W_]+", _stem(file)):
            parts.setdefault(part.lstrip("0"), file)
    for column in columns:
        keys = {cell: _plain(cell).lstrip("0") for cell in column.counts}
        found = [cell for cell, key in keys.items() if key and key in parts]
        if len(found) > 1 and 2 * len(found) >= len(keys):
            example = parts[keys[found[0]]]
            return (
                f" {column.name} seems to be a part of the names, such as "
                f"{found[0]!r} in {example}. Add a column with the whole names."
            )
    return ""


def _likely(columns: Sequence[Column]) -> list[Column]:
    """The columns that come nearest to names of files: those with most values."""
    texts = [column for column in columns if column.known]
    return sorted(texts, key=lambda column: -len(column.counts))[:3]
