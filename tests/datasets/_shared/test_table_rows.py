"""Tables of published datasets: CSV files and spreadsheets."""

import math

import openpyxl
import pytest

from mdmt_tf.datasets._shared.table_rows import (
    RowError,
    TableRow,
    read_csv,
    read_spreadsheet,
)
from mdmt_tf.errors import DataError


def row(**cells):
    return TableRow("t.csv", 7, cells)


def test_csv_with_mark_blanks_and_quotes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(
        b'\xef\xbb\xbfname ; score\r\n\r\n a;"001101"\r\n"b;c"; \r\n;;;\r\nd;1;note\r\n'
    )
    rows = read_csv(path, columns=("name", "score"), delimiter=";")
    assert [dict(r.cells) for r in rows] == [
        {"name": "a", "score": "001101"},
        {"name": "b;c", "score": ""},
        {"name": "d", "score": "1"},
    ]
    assert [r.place for r in rows] == ["t.csv:3", "t.csv:4", "t.csv:6"]


def test_a_stray_byte_of_another_encoding_costs_no_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"name,city\na,Neuk\xf6lln\nb,Rome\n")
    rows = read_csv(path, columns=("name",))
    assert [r.text("city") for r in rows] == [
        "Neuk\N{REPLACEMENT CHARACTER}lln",
        "Rome",
    ]


def test_spreadsheet_cells_become_text(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["ImageFile", "Age", "Death", "Score"])
    workbook.active.append(["P_1", 61.0, True, 1101])
    workbook.active.append([])
    workbook.active.append(["P_2", 61.5, None, "001101"])
    workbook.save(tmp_path / "t.xlsx")
    rows = read_spreadsheet(tmp_path / "t.xlsx", columns=("ImageFile",))
    assert [list(r.cells.values()) for r in rows] == [
        ["P_1", "61", "1", "1101"],
        ["P_2", "61.5", "", "001101"],
    ]
    assert [r.number for r in rows] == [2, 4]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "t.csv: this table is empty"),
        (b"\n ,\n", "t.csv: this table is empty"),
        (b"a,b\n1,2\n", "the columns a, c; without c. Received: a, b"),
        (b"a;c\n1;2\n", "without a, c. Received: a;c"),
    ],
)
def test_unusable_tables(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_csv(path, columns=("a", "c"))
    assert message in str(error.value)


def test_missing_tables(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: this table cannot be read"):
        read_csv(tmp_path / "none.csv", columns=())
    with pytest.raises(DataError, match=r"none\.xlsx: this spreadsheet cannot be read"):
        read_spreadsheet(tmp_path / "none.xlsx", columns=())


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NA", "n/a", "None", "null", "?"])
def test_cells_that_say_unknown(cell):
    r = row(x=cell)
    assert r.text("x") == ""
    assert math.isnan(r.number_in("x"))
    assert math.isnan(r.years_in("x"))
    assert r.integer_in("x", 0, 3) == -1
    assert r.flag_in("x") == -1
    with pytest.raises(RowError, match="bad value: x is empty"):
        r.required("x")


def test_a_column_that_is_not_there_is_unknown():
    assert row().text("x") == ""
    assert row().flag_in("x") == -1


def test_known_cells():
    r = row(n="-2.5", i="3.0", zero="0", yes="Yes", no="FALSE")
    assert r.number_in("n") == -2.5
    assert r.integer_in("i", 0, 3) == 3
    assert r.text("zero") == "0"
    assert (r.flag_in("zero"), r.flag_in("yes"), r.flag_in("no")) == (0, 1, 0)


@pytest.mark.parametrize(
    "cell, years",
    [("65", 65), ("065Y", 65), ("65-70", 65), ("70+", 70), ("61.5", 61.5)],
)
def test_years(cell, years):
    assert row(age=cell).years_in("age") == years


def test_years_that_are_none():
    assert math.isnan(row(age="adult").years_in("age"))


@pytest.mark.parametrize("cell", ["x", "inf", "1,5"])
def test_no_number(cell):
    with pytest.raises(RowError, match=f"n = '{cell}', expected a number"):
        row(n=cell).number_in("n")


@pytest.mark.parametrize("cell", ["4", "-1", "1.5", "x"])
def test_no_integer_in_range(cell):
    with pytest.raises(RowError, match=f"i = '{cell}', expected") as error:
        row(i=cell).integer_in("i", 0, 3)
    assert error.value.kind == "bad value"


def test_no_flag():
    with pytest.raises(RowError, match="f = '2', expected 0, 1 or empty"):
        row(f="2").flag_in("f")
