"""The sign before the decimals of numbers, in every column and format."""

import math

import openpyxl
import pytest

from mdmt_tf.datasets._shared.decimals import Exact
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataWarning

KIND = "thousands or decimals"
REFUSED = "no number"


@pytest.fixture
def numbers_of(tmp_path):
    """numbers_of(column=cells, ...): the numbers of the first column, as read.

    Args:
        like: a delimiter, or a suffix of files.
        read: the columns that are read; None: the first one.
    """

    def numbers_of(like=";", read=None, **columns):
        name = next(iter(columns))
        rows = list(zip(*columns.values(), strict=True))
        if like == ".xlsx":
            workbook = openpyxl.Workbook()
            for row in ([*columns], *rows):
                workbook.active.append(row)
            workbook.save(tmp_path / "t.xlsx")
            path = tmp_path / "t.xlsx"
        elif like == ".parquet":
            pyarrow = pytest.importorskip("pyarrow")
            parquet = pytest.importorskip("pyarrow.parquet")
            path = tmp_path / "t.parquet"
            parquet.write_table(pyarrow.table(columns), path)
        else:
            path = tmp_path / "t.csv"
            lines = [like.join(f'"{cell}"' for cell in row) for row in rows]
            path.write_text("\n".join([like.join(columns), *lines]))
        return [
            _number(row, name) for row in read_table(path, columns=read or (name,)).rows
        ]

    return numbers_of


def _number(row, name):
    try:
        number = row.number_in(name)
    except RowError:
        return REFUSED
    return None if math.isnan(number) else number


EVERY = [";", "\t", "|", ",", ".xlsx", ".parquet"]


@pytest.mark.parametrize("like", EVERY)
@pytest.mark.parametrize("other", ["14.30", "36,5", "1.5", "7"])
@pytest.mark.parametrize(
    "cells",
    [
        ["950", "1.250", "12.400", "870"],
        ["950", "1,250", "12,400", "870"],
        ["0", "-1.250", "", "n/a"],
        ["12", "1.250", "-1", "n/a"],
        ["-12", "-1.250", "", ""],
        # A date shows nothing about the sign before decimals.
        ["12.03.2020", "7", "1.250", ""],
    ],
)
def test_numbers_that_may_be_of_thousands(numbers_of, like, other, cells):
    """In every format, and whatever the numbers of other columns show."""
    first = next(cell for cell in cells if cell[-4:-3] in (".", ",") and len(cell) < 9)
    text = f"temp = '{first}' may be {first[:-4]}{first[-3:]} or "
    with pytest.warns(DataWarning, match=text) as found:
        numbers = numbers_of(like, temp=cells, other=[other, "1", "2", "3"])
    # The first import of a library may warn, too.
    doubts = [w.message for w in found if isinstance(w.message, DataWarning)]
    assert [doubt.kind for doubt in doubts] == [KIND]
    for cell, number in zip(cells, numbers, strict=True):
        if cell in ("", "n/a"):
            assert number is None
        else:
            is_whole = cell.lstrip("-").isdecimal()
            assert number == (int(cell) if is_whole else REFUSED)


@pytest.mark.parametrize("like", EVERY)
@pytest.mark.parametrize("sign", [".", ","])
@pytest.mark.parametrize(
    "cells",
    [
        ["0.125", "12.375", "1.5", "1.234"],
        ["0.125", "1.250", "2"],  # a leading zero shows it
        ["950", "1.250", "2.5"],
        ["950", "1.250", "1000.125"],  # thousands are without signs
        ["950", "1.250", "1.2345"],
        ["950", "1.250", "-0.5"],
        ["950", "1.250", "1.2e-3"],
        ["1.250", "\u22125.5", "3"],
    ],
)
def test_a_column_shows_its_sign(numbers_of, like, sign, cells, recwarn):
    """Also beside a column with the other one."""
    expected = [float(cell.replace("\u2212", "-")) for cell in cells]
    other = ["1,5" if sign == "." else "1.5"] * len(cells)
    cells = [cell.replace(".", sign) for cell in cells]
    assert numbers_of(like, temp=cells, other=other) == expected
    assert not recwarn


@pytest.mark.parametrize("like", EVERY)
@pytest.mark.parametrize(
    "cells",
    [
        ["1.250", "2.375", "12.400"],  # all have three decimals
        ["950", "1.250", "1250"],  # thousands are without points
        ["1.250", "2.375", "-1"],  # unknown
        ["950", "1100", "7"],
    ],
)
def test_columns_without_a_clear_number_have_points(numbers_of, like, cells, recwarn):
    assert numbers_of(like, temp=cells) == [float(cell) for cell in cells]
    assert not recwarn


@pytest.mark.parametrize("like", EVERY)
def test_points_between_thousands_in_a_column_with_decimal_commas(numbers_of, like):
    cells = ["2,5", "12", "1.100", "3,5", "1.250", "2.480,5"]
    line = 4 - (like == ".parquet")
    expected = f"temp = '1.100' is no number, because temp = '2,5' in line {line - 2}"
    with pytest.warns(DataWarning, match=f":{line}: {expected}"):
        numbers = numbers_of(like, temp=cells)
    assert numbers == [2.5, 12, REFUSED, 3.5, REFUSED, REFUSED]


@pytest.mark.parametrize("like", EVERY)
@pytest.mark.parametrize("cell", ["2.480,5", "1.250.000"])
def test_points_that_are_between_thousands(numbers_of, like, cell):
    """Even where all numbers have three digits behind the last sign."""
    with pytest.warns(DataWarning, match=f"temp = '{cell}' in line"):
        assert numbers_of(like, temp=["250.000", cell]) == [REFUSED, REFUSED]


@pytest.mark.parametrize("like", EVERY)
def test_both_signs_in_a_column(numbers_of, like):
    with pytest.warns(DataWarning, match="'1,5' is no number, .* a point is before"):
        assert numbers_of(like, temp=["1,5", "2.5", "3"]) == [REFUSED, 2.5, 3]


@pytest.mark.parametrize(
    ("like", "expected"),
    [(";", [1.25, 12.4]), ("\t", [1.25, 12.4])]
    # Here 36,5 may also be a list.
    + [(like, [REFUSED, REFUSED]) for like in (",", ".xlsx", ".parquet")],
)
def test_a_column_that_shows_no_sign_has_that_of_the_file(
    numbers_of, like, expected, recwarn
):
    assert numbers_of(like, temp=["1,250", "12,400"], b=["36,5", "7"]) == expected
    assert not recwarn


@pytest.mark.parametrize("like", [";", "\t", "|"])
def test_points_in_a_file_with_decimal_commas(numbers_of, like):
    """Platelets of 250.000 are no 250."""
    columns = {"temp": ["250.000", "180.000"], "other": ["36,5", "7"]}
    with pytest.warns(DataWarning, match="other = '36,5' in line 2 shows that a comma"):
        assert numbers_of(like, **columns) == [REFUSED, REFUSED]


@pytest.mark.parametrize("like", EVERY)
def test_points_in_a_file_with_both_signs_are_warned_of(numbers_of, like):
    columns = {"temp": ["250.000", "2.345"], "a": ["36,5", "7"], "b": ["14.30", "1"]}
    with pytest.warns(DataWarning, match="is read with a decimal point. .* 250000,"):
        assert numbers_of(like, **columns) == [250.0, 2.345]


def test_numbers_that_a_program_has_stored_are_exact(numbers_of):
    """The text beside them has decimal commas, or may be of thousands."""
    cells = [3.5, "2,5", 12, 1.25]
    assert numbers_of(".xlsx", temp=cells) == [3.5, 2.5, 12, 1.25]
    with pytest.warns(DataWarning, match="temp = '1.250' may be 1250 or 1.250"):
        numbers = numbers_of(".xlsx", temp=[870.5, "1.250", 1250, 950])
    assert numbers == [870.5, REFUSED, 1250, 950]


def test_stored_numbers_are_marked(tmp_path):
    workbook = openpyxl.Workbook()
    row = [1.0, 2.5, 10**17, True, "7", "2.5"]
    for cells in (list("abcdef"), row):
        workbook.active.append(cells)
    workbook.save(tmp_path / "t.xlsx")
    (read,) = read_table(tmp_path / "t.xlsx", columns=("a",)).rows
    assert [isinstance(cell, Exact) for cell in read.cells.values()] == [
        *[True] * 3,
        *[False] * 3,
    ]


def test_columns_that_are_not_read_have_no_warning(numbers_of, recwarn):
    columns = {"temp": ["1", "2"], "a": ["950", "1.250"], "b": ["1,5", "1.250"]}
    assert numbers_of(";", **columns) == [1, 2]
    assert not recwarn
    with pytest.warns(DataWarning) as found:
        numbers_of(";", read=("temp", "a", "b"), **columns)
    assert sum(isinstance(w.message, DataWarning) for w in found) == 2
