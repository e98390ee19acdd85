"""What the cells of a row mean."""

import math

import pytest

from mdmt_tf.datasets._shared.table_rows import RowError, TableRow


def row(**cells):
    return TableRow("t.csv", 7, cells)


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


def test_numbers_with_a_decimal_comma():
    cells = {"a": "79,5", "b": "79", "c": "79.5", "d": "1.079,5"}
    r = TableRow("t.csv", 7, cells, decimal=",")
    assert (r.number_in("a"), r.number_in("b")) == (79.5, 79)
    for column in "cd":
        with pytest.raises(RowError, match="expected a number"):
            r.number_in(column)


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


@pytest.mark.parametrize("cell", ["x", "inf", "1,5", "1_5"])
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
