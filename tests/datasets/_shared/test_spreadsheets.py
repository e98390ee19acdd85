"""Sheets of .xlsx files: which one, merged cells, formulas, wrong dimensions."""

import datetime
import re
import zipfile

import openpyxl
import pytest

from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import limits


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


def test_long_numbers_are_not_as_if_they_had_all_digits(book):
    """Programs keep 15 digits, and fill in zeros or others."""
    numbers = [999999999999999, 1234567890123450, 1.2345678901234567e19]
    rows = [["file", "id"], *([f"{n}", n] for n in numbers)]
    rows.append(["text", "1234567890123450"])
    found = [
        row.text("id") for row in read_table(book(Data=rows), columns=("id",)).rows
    ]
    assert found[0] == "999999999999999" and found[3] == "1234567890123450"
    assert found[1] == "1.234567890123450E+15"
    assert found[2].startswith("1.23456789012345") and found[2].endswith("E+19")


def test_the_first_visible_sheet_with_the_columns(book):
    def hide(workbook):
        workbook["Old"].sheet_state = "hidden"

    path = book(hide, Old=[["file", "age"], ["x", 9]], Notes=[["file"]], Data=ROWS)
    table = read_table(path, columns=("file", "age"))
    assert (table.sheet, files(table)) == ("Data", ["a", "b"])


def test_columns_that_only_a_hidden_sheet_has(book):
    def hide(workbook):
        workbook["Data"].sheet_state = "veryHidden"

    with pytest.raises(DataError, match="only in the sheet 'Data', which is hidden"):
        read_table(book(hide, Notes=[["x"]], Data=ROWS), columns=("file", "age"))


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


def rewrite(path, change):
    """Change the parts of a workbook: change(name, content) returns the content."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changed = {name: change(name, content) for name, content in parts.items()}
    assert changed != parts
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in changed.items():
            archive.writestr(part, content)
    return path


@pytest.mark.parametrize("dimension", [b"A1", b"A1:A2", b"B2:B3", b"A1:XFD1048576"])
def test_a_wrong_dimension_costs_no_row(book, dimension):
    def change(name, content):
        return re.sub(
            rb'<dimension ref="[^"]*"', b'<dimension ref="%b"' % dimension, content
        )

    path = rewrite(book(Data=ROWS), change)
    assert files(read_table(path, columns=("file", "age"))) == ["a", "b"]


def test_a_workbook_with_the_names_of_the_strict_format(book):
    def change(name, content):
        official = b"http://schemas.openxmlformats.org/"
        for there, here in (
            (b"spreadsheetml/2006/main", b"spreadsheetml/main"),
            (b"officeDocument/2006/relationships", b"officeDocument/relationships"),
        ):
            content = content.replace(
                official + there, b"http://purl.oclc.org/ooxml/" + here
            )
        return content

    rows = [["file", "age", "seen"], ["a", 61.5, datetime.date(2020, 3, 1)], ["b", 2]]

    def with_date(name, content):
        cell = b'<c r="C3" t="d"><v>2020-03-02</v></c></row></sheetData>'
        return content.replace(b"</row></sheetData>", cell)

    path = rewrite(rewrite(book(Data=rows), change), with_date)
    (a, b) = read_table(path, columns=("file", "age")).rows
    assert dict(a.cells) == {"file": "a", "age": "61.5", "seen": "2020-03-01 00:00:00"}
    assert dict(b.cells) == {"file": "b", "age": "2", "seen": "2020-03-02"}


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
    cell = f'<c r="B3" s="1" t="str"><f>IF(B2=1,"",2)</f>{value}</c>'

    def change(name, content):
        content = content.replace(b' fullCalcOnLoad="1"', b"")  # it is computed
        return re.sub(rb'<c r="B3".*?</c>', cell.encode(), content)

    path = book(Data=[["file", "age"], ["a", 1], ["b", "=B2+1"]])
    rewrite(path, change)
    table = read_table(path, columns=("file", "age"))
    assert [row.text("age") for row in table.rows] == ["1", ""]


def test_a_formula_without_value_in_a_column_that_is_not_read(book):
    path = book(Data=[["file", "age", "note"], ["a", 1, "=B2+1"], ["b", 2, ""]])
    with pytest.warns(DataWarning, match="formulas without values in the columns note"):
        table = read_table(path, columns=("file",), optional=("age",))
    assert [row.text("age") for row in table.rows] == ["1", "2"]
    with pytest.raises(DataError, match="cell C2 of sheet 'Data' holds a formula"):
        read_table(path, columns=("file",), optional=("note",))
    with pytest.raises(DataError, match="cell C2 of sheet 'Data' holds a formula"):
        read_table(path, columns=())


def test_a_title_with_a_formula_costs_nothing(book, recwarn):
    path = book(Data=[["Cohort", "=TODAY()"], *ROWS])
    assert files(read_table(path, columns=("file", "age"))) == ["a", "b"]


def test_values_of_formulas_that_were_not_computed(book):
    """As XlsxWriter writes them: 0, and a note to compute when the file is opened."""
    cell = b'<c r="B3"><f>B2+1</f><v>0</v></c>'

    def change(name, content):
        return re.sub(rb'<c r="B3".*?</c>', cell, content)

    path = rewrite(book(Data=[["file", "age"], ["a", 1], ["b", "=B2+1"]]), change)
    with pytest.warns(DataWarning, match="has not computed its formulas"):
        read_table(path, columns=("file", "age"))


def test_two_sheets_with_the_columns(book):
    path = book(Y2020=ROWS, Y2021=[["file", "age"], ["c", 3]], Notes=[["x"]])
    with pytest.warns(DataWarning, match="sheet 'Y2020' is read, and 'Y2021' not"):
        assert files(read_table(path, columns=("file", "age"))) == ["a", "b"]


def test_one_sheet_with_the_columns_gives_no_warning(book, recwarn):
    read_table(book(Notes=[["x"], ["y"]], Data=ROWS), columns=("file", "age"))
    assert not recwarn


def test_hidden_rows_are_read_and_that_is_said(book):
    def hide(workbook):
        workbook["Data"].row_dimensions[3].hidden = True

    with pytest.warns(DataWarning, match="1 hidden rows are read, too; .* row 3"):
        assert files(read_table(book(hide, Data=ROWS), columns=("file",))) == ["a", "b"]


@pytest.mark.parametrize("shown", ["0000", "0000;-0000", "0000;;"])
def test_zeros_that_a_format_shows(book, shown):
    def form(workbook):
        for cell in ("A2", "B2", "B3"):
            workbook["Data"][cell].number_format = shown

    rows = [["file", "score"], [12, 1101], ["b", 2.5], ["c", 12]]
    table = read_table(book(form, Data=rows), columns=("file", "score"))
    assert [tuple(row.cells.values()) for row in table.rows] == [
        ("0012", "1101"),
        ("b", "2.5"),
        ("c", "12"),
    ]


def test_cells_merged_over_several_columns(book):
    rows = [["file", "site", "dead"], ["a", "Rome", None], ["b", None, None], ["c"] * 3]

    def merge(workbook):
        workbook["Data"].merge_cells("B2:C3")

    with pytest.warns(DataWarning, match="over several columns, B2:C3"):
        table = read_table(book(merge, Data=rows), columns=("file", "site"))
    assert [row.text("site") for row in table.rows] == ["Rome", "Rome", "c"]
    assert [row.text("dead") for row in table.rows] == ["", "", "c"]


def test_a_merged_title_gives_no_warning(book, recwarn):
    def merge(workbook):
        workbook["Data"].merge_cells("A1:B1")

    path = book(merge, Data=[["Cohort 2020", None], *ROWS])
    assert files(read_table(path, columns=("file",))) == ["a", "b"]
    assert not recwarn


def test_limit_of_cells(book):
    def far(workbook):
        workbook["Data"]["XFD9"] = "x"

    path = book(far, Data=ROWS)
    with (
        limits.using(limits.Limits(max_cells=10_000)),
        pytest.raises(DataError) as error,
    ):
        read_table(path, columns=("file",))
    assert "too many cells: expected at most 10000" in str(error.value)
