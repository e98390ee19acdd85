"""Tables without what is empty: columns of dashes, and sections without rows."""

import dataclasses

from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.table_files import Table, TableSection


def trimmed(table: Table) -> Table:
    """The table without empty columns and sections; its data keep every column.

    A row stays, even if it has only its name: something is missing there, and a reader
    has to see it.
    """
    sections = [_trimmed(section) for section in table.sections if section.rows]
    return dataclasses.replace(table, sections=sections)


def _trimmed(section: TableSection) -> TableSection:
    """The section without the columns in which nothing is stated."""
    kept = [
        index
        for index in range(len(section.headings))
        # The first column names the rows.
        if not index
        or any(row[index].text not in ("", NO_NUMBER) for row in section.rows)
    ]
    return dataclasses.replace(
        section,
        headings=tuple(section.headings[index] for index in kept),
        rows=[tuple(row[index] for index in kept) for row in section.rows],
        keys=sum(index < section.keys for index in kept),
    )
