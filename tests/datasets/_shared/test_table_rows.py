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
    r = TableRow("t.csv", 7, cells, decimals=dict.fromkeys("abcd", ","))
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
    [("65", 65), ("065Y", 65), ("65-70", 65), ("70+", 70), ("61.5", 61.5), ("65.0", 65)]
    + [("018M", 1.5), ("018m", 1.5), ("18 months", 1.5), ("6 mo", 0.5), ("0", 0)]
    + [("006W", 42 / 365.25), ("6 weeks", 42 / 365.25), ("010D", 10 / 365.25)]
    + [("65 y", 65), ("65 years", 65), ("65yo", 65), ("65 Years old", 65)]
    + [("79,5", 79.5), ("079Y", 79), ("65 \u2013 70", 65)],
)
def test_years(cell, years):
    assert row(age=cell).years_in("age") == pytest.approx(years, rel=1e-12)


@pytest.mark.parametrize(
    "cell",
    ["adult", "<1", ">90", "-1", "200", "1955", "1955-03-04", "04.03.1955", "3/4/55"]
    + ["1955-03-04 00:00:00", "20150", "19550304", "65M", "65F", "1,100", "12-5"]
    + ["#N/A", "999Y", "65 kg", "018MM", "1_8"],
)
def test_years_that_are_none(cell):
    with pytest.raises(RowError, match="bad value: age = .* expected years"):
        row(age=cell).years_in("age")


def test_words_and_the_errors_of_formulas():
    assert row(x="f").words_in("x") == "f"
    assert row(x="?").words_in("x") == ""
    for method in (row(x="#REF!").words_in, row(x="#N/A").required):
        with pytest.raises(RowError, match="bad value: x = '#"):
            method("x")


@pytest.mark.parametrize("cell", ["1.0", "1", "TRUE", "WAHR", "yes", "1e0"])
def test_a_flag_is_read_as_numbers_are(cell):
    assert row(x=cell).flag_in("x") == 1
    assert TableRow("t.csv", 7, {"x": "0,0"}, decimals={"x": ","}).flag_in("x") == 0


def test_a_number_that_can_be_stored():
    assert row(x="\u22121.5").number_in("x") == -1.5
    assert row(x="3.3e38").number_in("x") == 3.3e38
    for cell in ("1e39", "-1e400"):
        with pytest.raises(RowError, match="expected a number"):
            row(x=cell).number_in("x")


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
