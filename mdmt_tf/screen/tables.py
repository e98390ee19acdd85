"""Tables for a terminal of any width: nothing is cut off.

Columns that do not fit beside each other go into blocks below each other.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Longer names and texts are folded where there is no room.
_LONGEST_NAME, _LONGEST_TEXT = 24, 30
# Letters between two columns, and at both ends of a line.
_BETWEEN, _ENDS = 2, 2


@dataclasses.dataclass(frozen=True)
class _Column:
    """A column with the widths that it can have.

    Attributes:
        narrow, wide: widths in which no word, and no text, has to be broken, as far as
            they are not longer than the limits.
    """

    heading: str
    texts: list[str]
    narrow: int
    wide: int

    @classmethod
    def of(cls, heading: str, texts: list[str], most: int) -> "_Column":
        words = [word for text in (heading, *texts) for word in text.split()]
        narrow = min(max(map(len, words), default=1), most)
        # The heading is broken at its spaces before a text is.
        wide = min(max(map(len, texts), default=1), most)
        return cls(heading, texts, max(narrow, 1), max(narrow, wide))


def print_table(
    console: Console,
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print a table in as many blocks as the width of the console asks for.

    Args:
        console: to print on.
        title: above the first block.
        headings: of the columns.
        rows: texts; the first of each is its name, which each block repeats.
    """
    columns = [
        _Column.of(
            heading,
            [row[index] for row in rows],
            _LONGEST_TEXT if index else _LONGEST_NAME,
        )
        for index, heading in enumerate(headings)
    ]
    if not columns:
        return
    names, *others = columns
    # A title of the table itself would be folded to the width of the table.
    console.print(title, style="bold", markup=False, highlight=False)
    for block in _blocks(names, others, console.width):
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 0, 0, 1),
        )
        room = console.width - _taken(column.wide for column in block) - _ENDS
        longest = max(map(len, [names.heading, *names.texts]))
        width = max(min(longest, room), 1)
        table.add_column(escape(names.heading), width=width, overflow="fold")
        for column in block:
            table.add_column(
                escape(column.heading),
                justify="right",
                width=column.wide,
                overflow="fold",
            )
        for index, name in enumerate(names.texts):
            texts = [column.texts[index] for column in block]
            table.add_row(escape(name), *map(escape, texts))
        console.print(table)


def _blocks(
    names: _Column, others: list[_Column], width: int
) -> Iterator[list[_Column]]:
    """The columns beside the names, as many in each block as fit."""
    # Whatever the width, the names keep half of it.
    room = width - _ENDS - min(names.narrow, max(width // 2, 1))
    block: list[_Column] = []
    for column in others:
        most = max(room - _BETWEEN, 1)
        column = dataclasses.replace(column, narrow=min(column.narrow, most))
        left = room - _BETWEEN - _taken(own.wide for own in block)
        if block and left < max(column.narrow, 2 * column.wide // 3):
            yield block
            block, left = [], most
        # A text is broken at a space before a column gets a block of its own.
        block.append(dataclasses.replace(column, wide=min(column.wide, left)))
    yield block


def _taken(widths: Iterable[int]) -> int:
    """Letters of columns with the space before each."""
    return sum(width + _BETWEEN for width in widths)
