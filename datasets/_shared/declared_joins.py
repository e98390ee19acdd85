"""Which rows of further tables belong to a row of the first."""

import collections
import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

from mdmt_tf.datasets._shared.declared_cells import Cell
from mdmt_tf.datasets._shared.declared_keys import Forms, Key, Keys, like_keys
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.datasets._shared.tables import Table
from mdmt_tf.errors import DataWarning

_LIKE = "keys of like names"
_SHOWN = 20
_REMEDY = "Write both alike if they are the same; if not, delete the row."


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
        self._outlines: dict[int, set[Key]] = {}
        # (row of the first table, further table) -> why the row there may be missing.
        self._doubts: dict[tuple[int, int], str] = {}
        for number in range(1, len(sides) + 1):
            self._find_doubts(number)

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

    def doubt(self, row: TableRow, column: str) -> str:
        """Why further tables may have a row with a column that is not joined, or ""."""
        found = (
            self._doubts.get((row.number, number), "")
            for number, side in enumerate(self.sides, 1)
            if column in side.table.columns
        )
        return next(filter(None, found), "")

    def _find_doubts(self, number: int) -> None:
        """Find where a further table has a key that is like one that lacks a row."""
        side, columns = self.sides[number - 1], list(self.sides[number - 1].keys)
        without: dict[Key, list[TableRow]] = {}
        for parts in self._parts.values():
            keys = [] if parts[number] else list(self._keys_of(parts[:number], columns))
            for key in keys:
                without.setdefault(key, []).append(parts[0][0])
            if not keys and not parts[number]:
                self._doubt_of_no_key(number, parts)
        alone: dict[Key, TableRow] = {}
        for row in self.unmatched(number) if without else ():
            if any(key := self.key_of(side, row)):
                alone.setdefault(key, row)
        texts = []
        for key, other in like_keys(without, alone, self._forms(columns)).items():
            theirs = f"{side.name_of(other)} ({other.place})"
            ours = _key_in(self._parts[without[key][0].number], side)
            texts.append(f"{theirs} is like {ours} ({without[key][0].place})")
            for row in without[key]:
                self._doubts[row.number, number] = (
                    f"{ours} has no row in {side.table.path.name}, but {theirs} is "
                    f"like it. {_REMEDY}"
                )
        if texts:
            text = (
                f"{side.table.path.name}: rows are not joined although their keys are "
                f"like those of rows that lack one: {_some(texts)}. {_REMEDY}"
            )
            warnings.warn(DataWarning(text, kind=_LIKE), stacklevel=2)

    def _doubt_of_no_key(self, number: int, parts: Sequence[Sequence[TableRow]]):
        """The same for a row of the first table whose key is not known."""
        side, row = self.sides[number - 1], parts[0][0]
        for column in side.keys:
            text = self.doubt(row, column)
            for cell in cells_in(parts[:number], column):
                if not self._keys.part(column, cell.text):
                    text = f"{column} is {cell.text!r} in {cell.place}, so that no row "
                    text += f"of {side.table.path.name} can be found."
            if text:
                self._doubts[row.number, number] = text

    def _forms(self, columns: Sequence[str]) -> Callable[[Key], list[Forms]]:
        return lambda key: list(map(self._keys.forms, columns, key))

    def unmatched(self, number: int) -> list[TableRow]:
        """The rows of table `number` that belong to no row of the first."""
        used = {row.number for rows in self.rows_of(number) for row in rows}
        rows = self.sides[number - 1].table.rows
        return [row for row in rows if row.number not in used]

    def is_note(self, number: int, row: TableRow) -> bool:
        """Whether a row of table `number` is a note, such as a sum below the table.

        Its key is not made of words and numbers as any key of the first table.
        """
        side = self.sides[number - 1]
        if number not in self._outlines:
            self._outlines[number] = {
                tuple(map(self._keys.outline, side.keys, key))
                for parts in self._parts.values()
                for key in self._keys_of(parts[:number], list(side.keys))
            }
        key = self.key_of(side, row)
        outline = tuple(map(self._keys.outline, side.keys, key))
        return not all(key) or outline not in self._outlines[number]

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
