"""The tables of a declared dataset, joined row by row."""

import dataclasses
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path

from mdmt_tf import links, storage
from mdmt_tf.config.declaration import DatasetDeclaration, TableSection
from mdmt_tf.datasets._shared.declared_cells import (
    Cell,
    Marks,
    plain,
)
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.declared_joins import Joins, Side, cells_in
from mdmt_tf.datasets._shared.declared_keys import Key, Keys, check_keys
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError, TableRow
from mdmt_tf.datasets._shared.tables import Table, read_table
from mdmt_tf.errors import DataError, collected_warnings, nearest


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
        with collected_warnings() as self.doubts:
            self._read(declaration, folder, images, where)
        self._check_joins(where)

    def _read(
        self,
        declaration: DatasetDeclaration,
        folder: Path,
        images: DeclaredImages,
        where: str,
    ) -> None:
        used = declared_columns(declaration)
        first, *others = declaration.tables
        image = declaration.columns.image
        self._main = _read(folder, first, [image], used.values())
        self.rows = self._main.rows
        self.digests = {first.file: storage.sha256_of(folder / first.file)}
        before = list(self._main.columns)
        self._sides: list[Side] = []
        for section in others:
            on = {f"tables, `on` of {section.file}": key for key in section.keys}
            _check_columns(on, before, where)
            own = list(section.keys.values())
            table = _read(folder, section, own, used.values())
            for other in (self._main, *(side.table for side in self._sides)):
                check_keys(other, section.keys)
            check_keys(table, own)
            self._sides.append(Side(table, section.keys))
            before += table.columns
            self.digests[section.file] = storage.sha256_of(folder / section.file)
        _check_columns(used, before, where)
        self._keys = Keys(image, images, self.rows)
        self._joins = Joins(self._keys, self._main, self._sides)

    def _check_joins(self, where: str) -> None:
        """Raise for a table of which no row belongs to the first."""
        for number, side in enumerate(self._sides, 1):
            if not self.rows or any(self._joins.rows_of(number)):
                continue
            raise DataError(
                f"{where}: dataset.tables: no row of {side.table.path.name} belongs to "
                f"one of {self._main.path.name} by {', '.join(side.keys)}. For example "
                f"{self._joins.example(side)}. Is `on` the right column?"
            )

    def cell(
        self,
        row: TableRow,
        column: str,
        marks: Marks,
        value: Callable[[Cell], Hashable] | None = None,
    ) -> Cell:
        """The cell of a row of the first table, wherever the column is.

        Args:
            row: the row.
            column: the column.
            marks: the cells that mean unknown.
            value: what a cell means, so that joined cells of one meaning do not
                contradict each other; None: their text.
        Raises: DataError: rows of one key of a further table contradict each other;
            RowError: tables, or rows of different keys, do; or as `value` for one of
            several cells.
        """
        column = unicodedata.normalize("NFC", column)
        cells = list(cells_in(self._joins.parts_of(row), column))
        known = [cell for cell in cells if not marks.has(cell)]
        for cell in known[1:]:
            if self._differ(column, value, known[0], cell):
                self._check_sides(row, column, marks, value)
                raise RowError(
                    "contradictory rows",
                    f"{column} is {known[0].text!r} in {known[0].place} and "
                    f"{cell.text!r} in {cell.place}",
                )
        doubt = "" if known else self._joins.doubt(row, column)
        if known or cells:
            return dataclasses.replace((known or cells)[0], doubt=doubt)
        tables = (self._main, *(side.table for side in self._sides))
        joined = zip(tables, self._joins.parts_of(row), strict=True)
        is_there = any(rows for table, rows in joined if column in table.columns)
        return Cell("", column, row.place, is_there=is_there, doubt=doubt)

    def _check_sides(self, row: TableRow, column: str, marks: Marks, value) -> None:
        """Raise for a further table that contradicts itself about a row of the first.

        That is a fault of the table. No row of it can be believed more than another.
        """
        for side, rows in zip(self._sides, self._joins.parts_of(row)[1:], strict=True):
            first: dict[Key, tuple[TableRow, Cell]] = {}
            for other in rows:
                cell = next(cells_in([[other]], column), None)
                if cell is None or marks.has(cell):
                    continue
                before, known = first.setdefault(
                    self._joins.key_of(side, other), (other, cell)
                )
                if self._differ(column, value, known, cell):
                    raise DataError(
                        f"{side.table.path}:{other.number}: {column} of "
                        f"{side.name_of(other)} is {cell.text!r}, but "
                        f"{known.text!r} in line {before.number}. Keep the row that is "
                        "right."
                    )

    def row_without(self, column: str, marks: Marks) -> Cell | None:
        """A cell that shows that a joined table has rows without the event, too.

        A row below the table, such as a sum or a date, shows nothing: it belongs to no
        row of the first table, and its key is made otherwise than the keys there.
        """
        column = unicodedata.normalize("NFC", column)
        for number, side in enumerate(self._sides, 1):
            for row in side.table.rows:
                for cell in cells_in([[row]], column):
                    if marks.has(cell) and not self._joins.is_note(number, row):
                        return cell
        return None

    def rows_without(self, column: str) -> int:
        """How many rows of the first table have no row in those with a column."""
        column = unicodedata.normalize("NFC", column)
        columns = [side.table.columns for side in self._sides]
        joined = (self._joins.parts_of(row)[1:] for row in self.rows)
        return sum(
            not any(
                rows for rows, own in zip(parts, columns, strict=True) if column in own
            )
            for parts in joined
        )

    def is_joined(self, column: str) -> bool:
        """Whether a column is in further tables only."""
        return unicodedata.normalize("NFC", column) not in self._main.columns

    def _differ(self, column: str, value, one: Cell, other: Cell) -> bool:
        if any(column in side.keys for side in self._sides):
            part = self._keys.part
            return part(column, one.text) != part(column, other.text)
        if plain(one.text, one.decimal) == plain(other.text, other.decimal):
            return False
        return value is None or value(one) != value(other)

    def reject_unmatched(self, rejections: Rejections) -> dict[str, dict[str, int]]:
        """List the rows of further tables that belong to no row of the first.

        Returns: for each of these tables, the numbers of such rows, and of rows of the
            first table for which it has none.
        """
        counts: dict[str, dict[str, int]] = {}
        for number, side in enumerate(self._sides, 1):
            parts = self._joins.rows_of(number)
            alone = self._joins.unmatched(number)
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
