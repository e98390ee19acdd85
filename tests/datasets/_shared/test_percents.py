"""Numbers that cells of a spreadsheet show with %."""

import openpyxl
import pytest

from mdmt_tf.datasets._shared.declared_cells import Cell
from mdmt_tf.datasets._shared.percents import Percent, check_percents
from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataError, DataWarning


@pytest.fixture
def read(tmp_path):
    """read((value, number format), ...): the cells of the column ef."""

    def read(*cells, columns=("ef",)):
        book = openpyxl.Workbook()
        book.active.append(["file", "ef"])
        for number, (value, form) in enumerate(cells):
            book.active.append([f"{number}", value])
            book.active.cell(number + 2, 2).number_format = form
        book.save(tmp_path / "t.xlsx")
        rows = read_table(tmp_path / "t.xlsx", columns=columns).rows
        return [row.cells["ef"] for row in rows]

    return read


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [("0%", 0.45, "45%"), ("0.00%", 1.0, "100%"), ('[Red]0.0%;"-"0.0%', 0.5, "50%")],
)
def test_cells_that_show_percent_are_told(read, form, value, shown):
    with pytest.warns(DataWarning, match="t.xlsx:2: ef: 1 cell shows %") as found:
        cells = read((value, form), (3, "General"), ("55%", form))
    assert f"such as {shown}, which is read as {value:g}" in str(found[0].message)
    assert cells == [f"{value:g}", "3", "55%"]
    assert [isinstance(cell, Percent) for cell in cells] == [True, False, False]
    assert cells[0].shown == shown


@pytest.mark.parametrize("form", ["General", "0.00", '0"%"', r"0\%", '0.0" %"'])
def test_other_formats_show_the_number(read, recwarn, form):
    assert not isinstance(read((45, form))[0], Percent)
    assert not recwarn


def test_columns_that_are_not_read_have_no_warning(read, recwarn):
    read((0.45, "0%"), columns=("file",))
    assert not recwarn


def cells(*texts):
    return [Cell(text, "EF", f"t.xlsx:{n}") for n, text in enumerate(texts, 2)]


@pytest.mark.parametrize("unit", ["percent", "%", "Percent", "per cent", "Prozent"])
def test_fractions_are_no_numbers_in_percent(unit):
    with pytest.raises(DataError) as error:
        check_percents("ef", unit, cells("0", Percent("0.45")))
    assert f"ef: expected numbers of the unit {unit}. Received fractions: EF of " in (
        text := str(error.value)
    )
    assert "t.xlsx:3 shows 45%, which is read as 0.45" in text and "by 100" in text
    check_percents("ef", unit, cells("45", "0.45"))


@pytest.mark.parametrize("unit", [None, "fraction"])
def test_numbers_with_and_without_percent_are_not_mixed(unit):
    for other in ("60", "0.3"):
        with pytest.raises(DataError) as error:
            check_percents("ef", unit, cells(Percent("0.45"), "0", other))
        assert (
            f"t.xlsx:2 shows 45%, which is read as 0.45, and t.xlsx:4 has '{other}'"
            in (str(error.value))
        )
    # 0 is 0%, and text costs its row alone.
    check_percents("ef", unit, cells(Percent("0.45"), "0", "0.0", "55%", Percent("1")))
