"""Which rows of further tables belong to a row of the first."""

import collections
import dataclasses
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence

from mdmt_tf.datasets._shared.declared_cells import Cell
from mdmt_tf.datasets._shared.declared_keys import Key, Keys
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.datasets._shared.tables import Table
from mdmt_tf.errors import DataWarning

_LIKE = "keys of like names"
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Side:
    """A table that is joined to the first.

    Attributes:
        table: the table.
        keys: column of the tables before it -> its own column.
    """

    table: Table
    keys: Mapping[str, str]

    def name_of(self, row: TableRow) -> str:
        """The key of a row as it is written, for messages."""
        return ", ".join(repr(row.cells.get(own, "")) for own in self.keys.values())


class Joins:
    """The rows of every table that belong to each row of the first.

    Attributes:
        sides: the further tables.
    """

    def __init__(self, keys: Keys, main: Table, sides: Sequence[Side]):
        """
        Args:
            keys: how keys are compared.
            main: the first table.
            sides: the further tables, each joined to those before it.
        """
        self._keys, self._main, self.sides = keys, main, sides
        self._by_key = [self._rows_by_key(side) for side in sides]
        # For each further table: key -> a row of the first and its row, which is
        # spelled otherwise.
        self._otherwise: list[dict[Key, tuple[str, TableRow]]] = [{} for _ in sides]
        self._parts = {row.number: self._join(row) for row in main.rows}
        for side, pairs in zip(sides, self._otherwise, strict=True):
            _warn_of_spellings(side, pairs.values())

    def _rows_by_key(self, side: Side) -> Mapping[Key, Sequence[TableRow]]:
        by_key = collections.defaultdict(list)
        for row in side.table.rows:
            key = self.key_of(side, row)
            if all(key):
                by_key[key].append(row)
        return by_key

    def key_of(self, side: Side, row: TableRow) -> Key:
        """The key of a row of a further table; with "" for what names nothing."""
        return tuple(
            self._keys.part(column, row.cells.get(own, ""))
            for column, own in side.keys.items()
        )

    def parts_of(self, row: TableRow) -> Sequence[Sequence[TableRow]]:
        """The rows of every table that belong to a row of the first, itself before."""
        return self._parts[row.number]

    def rows_of(self, number: int) -> list[Sequence[TableRow]]:
        """For each row of the first table, the rows of table `number` that join it."""
        return [parts[number] for parts in self._parts.values()]

    def example(self, side: Side) -> str:
        """A key of each table, for the message that none of them fit."""
        parts = next(iter(self._parts.values()))
        there = (row for row in side.table.rows if all(self.key_of(side, row)))
        name = next(map(side.name_of, there), "none")
        return f"{_key_in(parts, side)} in the first, {name} in {side.table.path.name}"

    def _join(self, row: TableRow) -> list[list[TableRow]]:
        parts = [[row]]
        for number, side in enumerate(self.sides):
            found = {
                row.number: row
                for key in self._keys_of(parts, list(side.keys))
                for row in self._rows_of(number, key, parts)
            }
            parts.append([found[number] for number in sorted(found)])
        return parts

    def _rows_of(self, number: int, key: Key, parts) -> Sequence[TableRow]:
        """The rows of a key in the spelling that is here; or in the only other one.

        Of several other spellings, nobody knows which is meant.
        """
        side, rows = self.sides[number], self._by_key[number].get(key, ())
        for column, own in side.keys.items():
            of = {
                row.number: self._keys.spelling(column, row.cells.get(own, ""))
                for row in rows
            }
            here = {
                self._keys.spelling(column, cell.text)
                for cell in cells_in(parts, column)
            }
            if here.intersection(of.values()):
                rows = [row for row in rows if of[row.number] in here]
            elif len(set(of.values())) > 1:
                return ()
            elif rows:
                name = f"{_key_in(parts, side)} ({parts[0][0].place})"
                self._otherwise[number].setdefault(key, (name, rows[0]))
        return rows

    def _keys_of(
        self, parts: Sequence[Sequence[TableRow]], columns: Sequence[str]
    ) -> Iterator[Key]:
        """The keys of joined rows; several if rows of one table have different ones.

        A column counts in the first table that has it filled.
        """
        part = self._keys.part
        of_table: dict[int, list[str]] = collections.defaultdict(list)
        for column in columns:
            for number, rows in enumerate(parts):
                if any(part(column, row.cells.get(column, "")) for row in rows):
                    of_table[number].append(column)
                    break
            else:
                return
        choices = []
        for number, own in of_table.items():
            keys = (
                tuple(part(column, row.cells.get(column, "")) for column in own)
                for row in parts[number]
            )
            choices.append(dict.fromkeys(key for key in keys if all(key)))
        names = list(itertools.chain.from_iterable(of_table.values()))
        for choice in itertools.product(*choices):
            parts_of = dict(zip(names, itertools.chain(*choice), strict=True))
            yield tuple(parts_of[column] for column in columns)


def cells_in(parts: Sequence[Sequence[TableRow]], column: str) -> Iterator[Cell]:
    """The cells of a column in joined rows, those of the first table before others."""
    for rows in parts:
        for row in rows:
            if column in row.cells:
                where = "" if row is parts[0][0] else f" in {row.place}"
                decimal = row.decimal_of(column)
                yield Cell(row.cells[column], column, row.place, where, decimal)


def _key_in(parts: Sequence[Sequence[TableRow]], side: Side) -> str:
    """The key of joined rows for a further table as it is written, for messages."""
    cells = (next(cells_in(parts, column), None) for column in side.keys)
    return ", ".join(repr(cell.text) for cell in cells if cell)


def _warn_of_spellings(side: Side, pairs) -> None:
    if not pairs:
        return
    texts = [
        f"{name} has the row of {side.name_of(row)} ({row.place})"
        for name, row in pairs
    ]
    text = (
        f"{side.table.path.name}: keys are joined in another spelling: "
        f"{_some(texts)}. Names that differ in case may be different things; write "
        "them alike if they are the same."
    )
    warnings.warn(DataWarning(text, kind=_LIKE), stacklevel=2)


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" * (more > 0))
