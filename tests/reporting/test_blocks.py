"""Tables in blocks of columns that fit a page."""

import pandas as pd

from mdmt_tf.reporting.blocks import column_blocks, for_page
from mdmt_tf.reporting.table_files import Entry, Table, TableSection


def table_of(headings, row, keys=1, **facts):
    entries = tuple(Entry(text) for text in row)
    section = TableSection("s", tuple(headings), [entries], keys=keys, **facts)
    return Table("t", "T", [section], [], pd.DataFrame({"n": [1]}))


def test_a_column_that_fits_nowhere_has_a_block_of_its_own():
    found = column_blocks([4, 99, 4, 4], keys=1, most=20, between=2)
    assert found == [[0, 1], [0, 2, 3]]


def test_all_columns_may_be_names():
    assert column_blocks([9, 9], keys=2, most=5, between=1) == [[0, 1]]
    assert column_blocks([9], keys=3, most=5, between=1) == [[0]]


def test_what_fits_stays_as_it_is():
    # 8 columns of 9 letters and an arrow (2), 3 after each: 112 of 118. A heading is
    # broken at its spaces.
    table = table_of(["x x " + "x" * 9] * 8, ["y"] * 8)
    assert for_page(table) == table


def test_what_does_not_fit_is_divided_and_says_so():
    headings = [f"{index:011d}" for index in range(15)]
    table = table_of(headings, [str(index) for index in range(15)], keys=2, folded=True)
    found = for_page(table).sections
    assert [own.title for own in found] == [f"s, columns {n} of 3" for n in (1, 2, 3)]
    # 16 for each: 7 in a block.
    assert [len(own.headings) for own in found] == [7, 7, 5]
    assert all(own.headings[:2] == tuple(headings[:2]) for own in found)
    others = [entry.text for own in found for entry in own.rows[0][2:]]
    assert others == [str(index) for index in range(2, 15)]
    assert all(own.folded and own.keys == 2 for own in found)


def test_an_interval_has_a_line_of_its_own():
    # 23 letters, of which 11 are in the longest line.
    table = table_of(["n"] * 8, ["0.72 ± 0.03 [0.66, 0.79]"] * 8)
    assert for_page(table) == table
