"""Columns and sections without anything are not shown."""

import pandas as pd

from mdmt_tf.metrics.text import NO_NUMBER
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, csv
from mdmt_tf.reporting.trimming import trimmed

DASH = Entry(NO_NUMBER)


def table_of(*sections):
    data = pd.DataFrame({"stars": [None, None], "n": [1, 2]})
    return Table("t", "T", list(sections), ["note"], data)


def test_a_column_of_dashes_is_left_out_but_not_of_the_data():
    section = TableSection(
        "s",
        ("name", "n", "p", "stars"),
        [
            (Entry("a"), Entry("1", 1), DASH, Entry("")),
            (Entry("b"), DASH, DASH, DASH),
        ],
    )
    table = table_of(section)
    (found,) = trimmed(table).sections
    assert found.headings == ("name", "n")
    # The row without a number stays: something is missing there.
    assert [[e.text for e in row] for row in found.rows] == [["a", "1"], ["b", "–"]]
    assert csv(trimmed(table)) == csv(table) == "stars,n\n,1\n,2\n"


def test_sections_without_rows_are_left_out():
    full = TableSection("full", ("name",), [(Entry("a"),)], folded=True)
    empty = TableSection("empty", ("name", "n"), [])
    found = trimmed(table_of(empty, full))
    assert [own.title for own in found.sections] == ["full"]
    assert found.sections[0].folded and found.notes == ["note"]


def test_names_stay_even_if_they_are_empty():
    section = TableSection("s", ("starts", "n"), [(Entry(""), Entry("1", 1))])
    assert trimmed(table_of(section)).sections[0].headings == ("starts", "n")


def test_columns_that_name_a_row_are_counted_without_the_empty_ones():
    rows = [(Entry("a"), DASH, Entry("x"), Entry("1", 1))]
    section = TableSection("s", ("name", "seed", "task", "n"), rows, keys=3)
    (found,) = trimmed(table_of(section)).sections
    assert found.headings == ("name", "task", "n") and found.keys == 2
