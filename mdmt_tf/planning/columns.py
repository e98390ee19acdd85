"""Columns of a table as text: their numbers, their values, what stands for unknown."""

import dataclasses
import functools
import re
from collections import Counter

from mdmt_tf.datasets._shared.dates import is_date
from mdmt_tf.datasets._shared.number_codes import find_codes
from mdmt_tf.datasets._shared.table_rows import to_number
from mdmt_tf.planning import words

# Text that means unknown in any column, in lower case.
_UNKNOWN = frozenset(
    (
        *("nan", "na", "n/a", "n.a.", "n.a", "#n/a", "#na", "null", "?", "??", "nat"),
        *("unknown", "unk", "missing", "undefined", "unbekannt", "k.a.", "nd", "n.d."),
        *("<na>", "not known", "not available", "not applicable", "not reported"),
    )
)
# Text that may also be a result: "none" as a grade, "-" beside "+".
_PERHAPS = frozenset({"none", "-", "--", ".", "x"})


@dataclasses.dataclass(frozen=True)
class Marker:
    """Text that stands for unknown, and why.

    Attributes:
        sure: whether no other meaning is likely.
    """

    text: str
    reason: str
    sure: bool = True


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the header.
        cells: text of each row, without surrounding blanks.
        given: further text that means unknown, as the user says.
        decimal: the sign before the decimals of numbers.
        exact: cells whose decimals have a point, whatever the sign of the others is.
    """

    name: str
    cells: tuple[str, ...]
    given: frozenset[str] = frozenset()
    decimal: str = "."
    exact: frozenset[str] = frozenset()

    def number_of(self, cell: str) -> float | None:
        """A cell as a finite number; None if it is none, or a code such as 007."""
        if re.match(r"[-+]?0\d", cell):
            return None
        return self.value_of(cell)

    def value_of(self, cell: str) -> float | None:
        """A cell as a finite number; None if it is none."""
        return to_number(cell, "." if cell in self.exact else self.decimal)

    @functools.cached_property
    def markers(self) -> tuple[Marker, ...]:
        """Text in this column that stands for unknown, without the empty cell."""
        return tuple(_markers(self))

    @functools.cached_property
    def known(self) -> tuple[str, ...]:
        """The cells that are known, in their order."""
        return tuple(cell for cell in self.or_empty if cell)

    @functools.cached_property
    def or_empty(self) -> tuple[str, ...]:
        """Each cell, "" where it is unknown."""
        unknown = {marker.text for marker in self.markers if marker.sure} | self.given
        return tuple("" if cell in unknown else cell for cell in self.cells)

    @functools.cached_property
    def counts(self) -> Counter[str]:
        """Known value -> number of rows."""
        return Counter(self.known)

    @functools.cached_property
    def numbers(self) -> tuple[float, ...] | None:
        """The known values as numbers; None if one is no number, or none is known."""
        values = [self.number_of(cell) for cell in self.known]
        return None if not values or None in values else tuple(values)

    @property
    def is_whole(self) -> bool:
        """Whether all known values are integers."""
        return self.numbers is not None and all(v == int(v) for v in self.numbers)

    @property
    def is_constant(self) -> bool:
        """Whether at most one value is known and none is unknown, or all are."""
        return len(set(self.or_empty)) <= 1

    @functools.cached_property
    def is_date(self) -> bool:
        """Whether the values are dates, with or without a time of day."""
        cells = self.known
        return bool(cells) and all(map(is_date, cells))

    @property
    def is_time(self) -> bool:
        """Whether the column is a date, or a distance of days by its name."""
        if self.is_date:
            return True
        if self.numbers is None:
            return False
        # "days_to_icu" is a distance, "days in hospital" a duration.
        is_signed = min(self.numbers) < 0 or words.has(self.name, words.DIRECTIONS)
        in_days = words.has(self.name, words.DAYS) and is_signed
        return in_days or words.has(self.name, words.TIMES)

    @property
    def is_view(self) -> bool:
        """Whether the column says from where a radiograph was taken."""
        values = {value.casefold() for value in self.counts}
        known = values <= words.FRONTAL | words.LATERAL and bool(values & words.FRONTAL)
        return known or words.has(self.name, words.VIEWS)

    @property
    def is_unique(self) -> bool:
        """Whether hardly any value repeats: it names the row."""
        return len(self.known) > 3 and len(self.counts) > 0.95 * len(self.known)


def _markers(column: Column):
    counts = Counter(cell for cell in column.cells if cell)
    texts = [text for text in counts if text.casefold() in _UNKNOWN]
    for text in texts:
        yield Marker(text, f"{counts[text]} rows, a usual word for it")
    rest = {t: n for t, n in counts.items() if t not in texts and t not in column.given}
    values = {text: column.number_of(text) for text in rest}
    numbers = [text for text, value in values.items() if value is not None]
    for text in rest:
        if text.casefold() in _PERHAPS:
            among_numbers = len(numbers) == len(rest) - 1 and bool(numbers)
            if among_numbers:
                yield Marker(text, f"{rest[text]} rows, where the rest are numbers")
            elif text.casefold() != "none" and "+" not in rest and len(rest) > 2:
                yield Marker(text, f"{rest[text]} rows, no word", sure=False)
    known = {text: value for text, value in values.items() if value is not None}
    if len(known) >= len(rest) - sum(t.casefold() in _PERHAPS for t in rest):
        codes = {c.number: c for c in find_codes(column.name, known.values())}
        for text, value in known.items():
            if code := codes.get(value):
                rest_is = f"where the rest is {code.low:g} to {code.high:g}"
                yield Marker(text, f"{rest[text]} rows, {rest_is}", code.sure)
