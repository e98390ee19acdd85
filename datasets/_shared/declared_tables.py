"""The tables of a declared dataset, joined row by row."""

import collections
import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mdmt_tf import links, storage
from mdmt_tf.config.declaration import DatasetDeclaration, TableSection
from mdmt_tf.datasets._shared.declared_cells import (
    NO_NAME,
    Cell,
    Marks,
    plain,
)
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError, TableRow, is_error
from mdmt_tf.datasets._shared.tables import Table, read_table
from mdmt_tf.errors import DataError, collected_warnings, nearest
from mdmt_tf.names import REWRITTEN, Names, folded, is_rewritten, plain_id


@dataclasses.dataclass(frozen=True)
class Side:
    """A table that is joined to the first.

    Attributes:
        table: the table.
        keys: column of the tables before it -> its own column.
        by_key: key -> its rows.
    """

    table: Table
    keys: Mapping[str, str]
    by_key: Mapping[tuple[str, ...], Sequence[TableRow]]


class DeclaredTables:
    """The tables of a declaration.

    Attributes:
        rows: the rows of the first table, one per image.
        digests: name of each file -> its SHA-256.
        doubts: what is doubtful about the tables.
    """

    def __init__(
        self,
        declaration: DatasetDeclaration,
        folder: Path,
        images: DeclaredImages,
        where: str,
    ):
        """Read the tables and check that the declared columns are in them.

        Args:
            declaration: the declaration.
            folder: the folder to which its paths are relative.
            images: its images, by which rows about images are joined.
            where: the file of the declaration, for messages.
        Raises: DataError, as `read_table`; and for a column that no table has.
        """
        self._image, self._images = declaration.columns.image, images
        with collected_warnings() as self.doubts:
            self._read(declaration, folder, where)
        # Number of a row of the first table -> the rows of every table that join it.
        self._joined = {row.number: self._join(row) for row in self.rows}
        self._check_joins(where)

    def _read(self, declaration: DatasetDeclaration, folder: Path, where: str) -> None:
        used = declared_columns(declaration)
        first, *others = declaration.tables
        self._main = _read(folder, first, [self._image], used.values())
        self.rows = self._main.rows
        self.digests = {first.file: storage.sha256_of(folder / first.file)}
        before = list(self._main.columns)
        self._sides: list[Side] = []
        for section in others:
            on = {f"tables, `on` of {section.file}": key for key in section.keys}
            _check_columns(on, before, where)
            tables = (self._main, *(side.table for side in self._sides))
            side = self._side(folder, section, used.values())
            for table in tables:
                _check_keys(table, section.keys)
            _check_keys(side.table, section.keys.values())
            self._sides.append(side)
            before += side.table.columns
            self.digests[section.file] = storage.sha256_of(folder / section.file)
        _check_columns(used, before, where)

    def _side(self, folder: Path, section: TableSection, used) -> Side:
        own = list(section.keys.values())
        table = _read(folder, section, own, used)
        by_key = collections.defaultdict(list)
        side = Side(table, section.keys, by_key)
        for row in table.rows:
            key = self._key_of(side, row)
            if all(key):
                by_key[key].append(row)
        return side

    def _key_of(self, side: Side, row: TableRow) -> tuple[str, ...]:
        """The key of a row of a further table; with "" for what names nothing."""
        return tuple(
            self._key(column, row.cells.get(own, ""))
            for column, own in side.keys.items()
        )

    def _key(self, column: str, text: str) -> str:
        """The part of a key in which spellings of the same thing are equal.

        "" for a cell that names nothing, such as n/a, which joins no rows.
        """
        if NO_NAME.has(Cell(text, column, "")) or is_error(text):
            return ""
        if column == self._image:
            return self._image_key(text)
        return folded(plain_id(text))

    def _image_key(self, text: str) -> str:
        key = self._images.key_of(text)
        keys, names = self._of_main
        # The first table may have paths where another has only names.
        found = {key} if key in keys else set(names.find(text))
        return found.pop() if len(found) == 1 else key

    @functools.cached_property
    def _of_main(self) -> tuple[set[str], Names[str]]:
        """The keys of the images in the first table, and these by name."""
        cells = (row.cells.get(self._image, "") for row in self.rows)
        keys = {self._images.key_of(cell) for cell in cells if cell}
        return keys, Names((key, key) for key in keys)

    def _join(self, row: TableRow) -> list[list[TableRow]]:
        """The rows of every table that belong to a row of the first."""
        parts = [[row]]
        for side in self._sides:
            found = {
                row.number: row
                for key in self._keys_of(parts, list(side.keys))
                for row in self._rows_of(side, key, parts)
            }
            parts.append([found[number] for number in sorted(found)])
        return parts

    def _rows_of(self, side: Side, key, parts) -> Sequence[TableRow]:
        """The rows of a key; of its spellings those that are here, if they are there.

        That matters where the first table has several spellings: each stands for a
        thing of its own.
        """
        rows = side.by_key.get(key, ())
        for (column, own), one in zip(side.keys.items(), key, strict=True):
            if len(rows) > 1 and len(self._spellings(column).get(one, ())) > 1:
                here = {plain_id(r.cells.get(column, "")) for p in parts for r in p}
                same = [r for r in rows if plain_id(r.cells.get(own, "")) in here]
                rows = same or rows
        return rows

    @functools.cache  # noqa: B019 - it lives as long as the tables
    def _spellings(self, column: str) -> dict[str, set[str]]:
        """Key -> its spellings in a column of the first table; not of images."""
        found = collections.defaultdict(set)
        if column != self._image:
            for row in self.rows:
                text = row.cells.get(column, "")
                found[self._key(column, text)].add(plain_id(text))
        return found

    def _keys_of(
        self, parts: Sequence[Sequence[TableRow]], columns: Sequence[str]
    ) -> Iterator[tuple[str, ...]]:
        """The keys of joined rows; several if rows of one table have different ones.

        A column counts in the first table that has it filled.
        """
        of_table: dict[int, list[str]] = collections.defaultdict(list)
        for column in columns:
            for number, rows in enumerate(parts):
                if any(self._key(column, row.cells.get(column, "")) for row in rows):
                    of_table[number].append(column)
                    break
            else:
                return
        choices = []
        for number, own in of_table.items():
            keys = (
                tuple(self._key(column, row.cells.get(column, "")) for column in own)
                for row in parts[number]
            )
            choices.append(dict.fromkeys(key for key in keys if all(key)))
        names = list(itertools.chain.from_iterable(of_table.values()))
        for choice in itertools.product(*choices):
            parts_of = dict(zip(names, itertools.chain(*choice), strict=True))
            yield tuple(parts_of[column] for column in columns)

    def _check_joins(self, where: str) -> None:
        """Raise for a table of which no row belongs to the first."""
        for number, side in enumerate(self._sides, 1):
            if not self.rows or any(parts[number] for parts in self._joined.values()):
                continue
            name, there = side.table.path.name, next(iter(side.by_key), ("",))
            found = self._joined[self.rows[0].number]
            given = [next(_cells_in(found, column), None) for column in side.keys]
            texts = ", ".join(repr(cell.text) for cell in given if cell)
            raise DataError(
                f"{where}: dataset.tables: no row of {name} belongs to one of "
                f"{self._main.path.name} by {', '.join(side.keys)}. For example "
                f"{texts} in the first, {', '.join(map(repr, there))} in {name}. Is "
                "`on` the right column?"
            )

    def cell(self, row: TableRow, column: str, marks: Marks) -> Cell:
        """The cell of a row of the first table, wherever the column is.

        Raises: DataError: rows of one key of a further table contradict each other;
            RowError: tables, or rows of different keys, do.
        """
        column = unicodedata.normalize("NFC", column)
        cells = list(_cells_in(self._joined[row.number], column))
        known = [cell for cell in cells if not marks.has(cell)]
        for cell in known[1:]:
            if self._differ(column, known[0], cell):
                self._check_sides(row, column, marks)
                raise RowError(
                    "contradictory rows",
                    f"{column} is {known[0].text!r} in {known[0].place} and "
                    f"{cell.text!r} in {cell.place}",
                )
        if known or cells:
            return (known or cells)[0]
        tables = (self._main, *(side.table for side in self._sides))
        joined = zip(tables, self._joined[row.number], strict=True)
        is_there = any(rows for table, rows in joined if column in table.columns)
        return Cell("", column, row.place, is_there=is_there)

    def _check_sides(self, row: TableRow, column: str, marks: Marks) -> None:
        """Raise for a further table that contradicts itself about a row of the first.

        That is a fault of the table. No row of it can be believed more than another.
        """
        for side, rows in zip(self._sides, self._joined[row.number][1:], strict=True):
            first: dict[tuple[str, ...], tuple[TableRow, Cell]] = {}
            for other in rows:
                cell = next(_cells_in([[other]], column), None)
                if cell is None or marks.has(cell):
                    continue
                before, known = first.setdefault(
                    self._key_of(side, other), (other, cell)
                )
                if self._differ(column, known, cell):
                    names = (other.cells[own] for own in side.keys.values())
                    raise DataError(
                        f"{side.table.path}:{other.number}: {column} of "
                        f"{', '.join(map(repr, names))} is {cell.text!r}, but "
                        f"{known.text!r} in line {before.number}. Keep the row that is "
                        "right."
                    )

    def is_joined(self, column: str) -> bool:
        """Whether a column is in further tables only."""
        return unicodedata.normalize("NFC", column) not in self._main.columns

    def _differ(self, column: str, one: Cell, other: Cell) -> bool:
        keys = {column for side in self._sides for column in side.keys}
        if column in keys:
            return self._key(column, one.text) != self._key(column, other.text)
        return plain(one.text, one.decimal) != plain(other.text, other.decimal)

    def reject_unmatched(self, rejections: Rejections) -> dict[str, dict[str, int]]:
        """List the rows of further tables that belong to no row of the first.

        Returns: for each of these tables, the numbers of such rows, and of rows of the
            first table for which it has none.
        """
        counts: dict[str, dict[str, int]] = {}
        for number, side in enumerate(self._sides, 1):
            parts = [joined[number] for joined in self._joined.values()]
            used = {row.number for rows in parts for row in rows}
            alone = [row for row in side.table.rows if row.number not in used]
            for row in alone:
                text = ", ".join(row.cells.get(own, "") for own in side.keys.values())
                rejections.add(text, row.place, "no row in the first table", "")
            without = sum(not rows for rows in parts)
            counts[side.table.path.name] = {"rows": len(alone), "images": without}
        return counts

    def column_cells(self, column: str) -> Iterator[Cell]:
        """All cells of a column, of every table that has it."""
        column = unicodedata.normalize("NFC", column)
        for table in (self._main, *(side.table for side in self._sides)):
            if column in table.columns:
                for row in table.rows:
                    text = row.cells.get(column, "")
                    decimal = row.decimal_of(column)
                    yield Cell(text, column, row.place, decimal=decimal)


def declared_columns(declaration: DatasetDeclaration) -> dict[str, str]:
    """Key of the declaration -> column that it names."""
    columns = declaration.columns
    found = {"columns.image": columns.image}
    if columns.patient is not None:
        found["columns.patient"] = columns.patient
    if columns.site is not None:
        found["columns.site"] = columns.site
    for column in declaration.keep:
        found[f"keep.{column}"] = column
    for label in declaration.labels:
        own = declaration.labels[label].column is not None
        found[f"labels.{label}{'.column' * own}"] = declaration.column_of(label)
    for column in declaration.field_types:
        found[f"fields.{column}"] = column
    return found


def _cells_in(parts: Sequence[Sequence[TableRow]], column: str) -> Iterator[Cell]:
    for rows in parts:
        for row in rows:
            if column in row.cells:
                where = "" if row is parts[0][0] else f" in {row.place}"
                decimal = row.decimal_of(column)
                yield Cell(row.cells[column], column, row.place, where, decimal)


def _read(folder: Path, section: TableSection, columns, wanted) -> Table:
    path = folder / section.file
    if not path.is_file():
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        others = [other.name for other in beside if other.is_file()]
        reason = "It is a folder." if path.is_dir() else "There is no such file."
        raise DataError(
            f"{path}: expected a table, dataset.tables. {reason}"
            f"{nearest(path.name, others)} Paths are relative to the folder of the "
            "YAML file, or to --manual-dir."
        )
    # Folders on the way may be links: the declaration names them.
    if links.leads_out(path, folder):
        links.check(path, path.parent)
    return read_table(path, columns=columns, wanted=list(wanted), sheet=section.sheet)


def _check_keys(table: Table, columns: Iterable[str]) -> None:
    """Raise for keys that a program has rewritten, which may be of several things."""
    for column in columns:
        for row in table.rows:
            text = row.cells.get(unicodedata.normalize("NFC", column), "")
            if is_rewritten(text):
                raise DataError(
                    f"{table.path}:{row.number}: {column} = {text!r} joins rows of "
                    f"tables. {REWRITTEN}"
                )


def _check_columns(used: Mapping[str, str], known: Sequence[str], where: str) -> None:
    """Raise for columns that no table has, all at once."""
    problems = []
    for key, column in used.items():
        if unicodedata.normalize("NFC", column) not in known:
            names = list(dict.fromkeys(known))
            problems.append(f"dataset.{key}: {column!r}.{nearest(column, names)}")
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise DataError(
            f"{where}: names columns that no table has:{lines}\nColumns: "
            f"{', '.join(dict.fromkeys(known))}."
        )
