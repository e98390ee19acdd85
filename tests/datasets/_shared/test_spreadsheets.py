"""Sheets of .xlsx files: which one, merged cells, formulas, wrong dimensions."""

import re
import zipfile

import openpyxl
import pytest

from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataError, DataWarning


@pytest.fixture
def book(tmp_path):
    """book(sheet name=rows, ...): the path of a workbook."""

    def book(change=lambda workbook: None, **sheets):
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for name, rows in sheets.items():
            sheet = workbook.create_sheet(name)
            for row in rows:
                sheet.append(row)
        change(workbook)
        workbook.save(tmp_path / "t.xlsx")
        return tmp_path / "t.xlsx"

    return book


ROWS = [["file", "age"], ["a", 1], ["b", 2]]


def files(table):
    return [row.text("file") for row in table.rows]


def test_cells_become_text(book):
    rows = [
        ["ImageFile", "Age", "Death", "Score"],
        ["P_1", 61.0, True, 1101],
        [],
        ["P_2", 61.5, None, "001101"],
    ]
    table = read_table(book(Data=rows), columns=("ImageFile",))
    assert [list(r.cells.values()) for r in table.rows] == [
        ["P_1", "61", "1", "1101"],
        ["P_2", "61.5", "", "001101"],
    ]
    assert [r.number for r in table.rows] == [2, 4]
    assert table.sheet == "Data"


def test_the_first_visible_sheet_with_the_columns(book):
    def hide(workbook):
        workbook["Old"].sheet_state = "hidden"

    path = book(hide, Old=[["file", "age"], ["x", 9]], Notes=[["file"]], Data=ROWS)
    table = read_table(path, columns=("file", "age"))
    assert (table.sheet, files(table)) == ("Data", ["a", "b"])


def test_a_sheet_by_name_may_be_hidden(book):
    def hide(workbook):
        workbook["Old"].sheet_state = "hidden"

    path = book(hide, Old=[["file"], ["x"]], Data=ROWS)
    assert files(read_table(path, columns=("file",), sheet="Old")) == ["x"]
    with pytest.raises(DataError) as error:
        read_table(path, columns=("file",), sheet="data")
    assert "no sheet 'data'. Did you mean 'Data'? Sheets: Old, Data." in str(
        error.value
    )


def test_titles_above_the_header(book):
    path = book(Data=[["Cohort 2020"], [], ["as of May", None], *ROWS])
    table = read_table(path, columns=("file", "age"))
    assert [row.place for row in table.rows] == ["t.xlsx:5", "t.xlsx:6"]


def test_a_missing_column_names_sheet_and_nearest(book):
    path = book(Notes=[["x"]], Data=[["A title"], *ROWS])
    with pytest.raises(DataError) as error:
        read_table(path, columns=("file", "ages"))
    assert "t.xlsx:2, sheet 'Data': expected the columns file, ages" in str(error.value)
    assert "Did you mean 'age'? Received: file, age" in str(error.value)


def test_a_wrong_dimension_costs_no_row(book):
    path = book(Data=ROWS)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    changed = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', parts[name])
    assert changed != parts[name]
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in {**parts, name: changed}.items():
            archive.writestr(part, content)
    assert files(read_table(path, columns=("file", "age"))) == ["a", "b"]


def test_a_far_cell_is_not_a_million_rows(book):
    def far(workbook):
        workbook["Data"]["ZZ5000"] = " "

    assert files(read_table(book(far, Data=ROWS), columns=("file",))) == ["a", "b"]


def test_merged_rows_all_have_the_value(book):
    rows = [["file", "site"], ["a", "Rome"], ["b", None], ["c", None], ["d", "Bari"]]

    def merge(workbook):
        workbook["Data"].merge_cells("B2:B4")

    with pytest.warns(DataWarning, match="merged cells B2:B4; every row"):
        table = read_table(book(merge, Data=rows), columns=("file", "site"))
    assert [r.text("site") for r in table.rows] == ["Rome"] * 3 + ["Bari"]


def test_a_formula_without_value(book):
    path = book(Data=[["file", "age"], ["a", 1], ["b", "=B2+1"]])
    with pytest.raises(DataError) as error:
        read_table(path, columns=("file", "age"))
    assert "cell B3 of sheet 'Data' holds a formula without a value" in str(error.value)
    assert "Open and save the file" in str(error.value)


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", ""])
def test_a_formula_whose_value_is_the_empty_text(book, value):
    """As =IF(A2="","",A2), which spreadsheet programs store with the type str."""
    path = book(Data=[["file", "age"], ["a", 1], ["b", "=B2+1"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    cell = f'<c r="B3" s="1" t="str"><f>IF(B2=1,"",2)</f>{value}</c>'
    changed = re.sub(rb'<c r="B3".*?</c>', cell.encode(), parts[name])
    assert changed != parts[name]
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in {**parts, name: changed}.items():
            archive.writestr(part, content)
    table = read_table(path, columns=("file", "age"))
    assert [row.text("age") for row in table.rows] == ["1", ""]
