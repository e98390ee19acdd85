"""Wide tables in blocks of columns, each as wide as what shows it."""

import dataclasses
from collections.abc import Callable, Sequence

# Letters in a line of a page of 1000 pixels, and what lies between two columns.
_PAGE, _BETWEEN = 118, 3
# Longer texts are broken into lines.
_LONG_TEXT = 48


def column_blocks(
    widths: Sequence[int], keys: int, most: int, between: int
) -> list[list[int]]:
    """The columns of each block: those that name a row, and as many others as fit.

    Args:
        widths: letters of each column.
        keys: how many of the first columns name a row.
        most: letters of a line. A column that fits nowhere has a block of its own.
        between: letters between two columns.

    Example:
        >>> column_blocks([6, 5, 5, 5], keys=1, most=20, between=2)
        [[0, 1], [0, 2], [0, 3]]
        >>> column_blocks([6, 5, 5, 5], keys=1, most=22, between=2)
        [[0, 1, 2], [0, 3]]
    """
    names = list(range(min(keys, len(widths))))
    blocks, block = [], names
    for index in range(len(names), len(widths)):
        wider = [*block, index]
        total = sum(widths[column] + between for column in wider)
        if len(block) > len(names) and total > most:
            blocks.append(block)
            wider = [*names, index]
        block = wider
    return [*blocks, block]


def widths_of(
    section,
    of_text: Callable[[str], int],
    of_heading: Callable[[str], int] | None = None,
) -> list[int]:
    """The letters of each column of a `table_files.TableSection`.

    Args:
        of_text: letters of a text, as it is shown.
        of_heading: of a heading; None: as of a text.
    """
    of_heading = of_heading or of_text
    return [
        max(of_heading(heading), *(of_text(row[index].text) for row in section.rows), 1)
        for index, heading in enumerate(section.headings)
    ]


def for_page(table):
    """A `table_files.Table` whose sections are no wider than a page of 1000 pixels."""
    return dataclasses.replace(
        table, sections=[part for own in table.sections for part in _parts(own)]
    )


def _parts(section) -> list:
    widths = widths_of(section, _letters, _letters_of_heading)
    blocks = column_blocks(widths, section.keys, _PAGE, _BETWEEN)
    if len(blocks) == 1:
        return [section]
    return [
        dataclasses.replace(
            section,
            title=f"{section.title}, columns {number} of {len(blocks)}",
            headings=tuple(section.headings[index] for index in block),
            rows=[tuple(row[index] for index in block) for row in section.rows],
        )
        for number, block in enumerate(blocks, 1)
    ]


def _letters(text: str) -> int:
    """Letters of the longest line: an interval in brackets has one of its own."""
    return min(max(map(len, text.split(" ["))), _LONG_TEXT)


def _letters_of_heading(text: str) -> int:
    """Letters of the longest word, and of the arrow for sorting."""
    return max(map(len, text.split()), default=0) + 2
