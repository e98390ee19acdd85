"""Archives that are no workbook, or one that is not read."""

import time
import zipfile

import pytest

from mdmt_tf.datasets._shared import workbooks
from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits


@pytest.mark.parametrize(
    "part, reason",
    [
        ("xl/workbook.bin", r"binary workbook \(.xlsb\); save it as .xlsx"),
        ("mimetype", r"OpenDocument file \(.ods\)"),
        ("data.csv", "a .zip archive; unpack it"),
        ("word/document.xml", "a document or presentation"),
    ],
)
def test_other_archives(tmp_path, part, reason):
    content = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr(part, content)
    with pytest.raises(DataError, match=reason):
        read_table(tmp_path / "t.xlsx", columns=("file",))


def test_entities_are_not_expanded(tmp_path):
    part = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><worksheet/>'
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", part)
    with pytest.raises(DataError, match=r"defines entities \(xl/worksheets/sheet1.xml"):
        read_table(tmp_path / "t.xlsx", columns=("file",))


def test_the_size_is_compared_before_unpacking(tmp_path):
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", " " * 1_000_000)
    assert path.stat().st_size < 10_000
    few = limits.Limits(max_table_bytes=900_000)
    with limits.using(few), pytest.raises(DataError, match="1000011 bytes, unpacked"):
        read_table(path, columns=("file",))


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{}</sheetData></worksheet>"
)


def cell(place, text):
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


@pytest.fixture
def write_sheet(tmp_path):
    """A workbook whose sheet has these rows, as XML."""

    def write(rows):
        import openpyxl

        openpyxl.Workbook().save(tmp_path / "empty.xlsx")
        path = tmp_path / "t.xlsx"
        with (
            zipfile.ZipFile(tmp_path / "empty.xlsx") as old,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for name in old.namelist():
                is_sheet = name.endswith("sheet1.xml")
                new.writestr(name, SHEET.format(rows) if is_sheet else old.read(name))
        return path

    return write


HEADER = f'<row r="1">{cell("A1", "file")}</row>'


@pytest.mark.parametrize(
    "empty", ['<row r="{}" s="1"/>', "<row spans='1:2' r='{}'>\n</row>"]
)
def test_empty_rows_are_passed_over_in_time(write_sheet, empty):
    """Programs write a million rows that only have a format."""
    rows = "".join(map(empty.format, range(3, 60_000)))
    last = f'<row r="60000">{cell("A60000", "b")}</row>'
    path = write_sheet(f'{HEADER}<row r="2">{cell("A2", "a")}</row>{rows}{last}')
    before = time.process_time()
    table = read_table(path, columns=("file",))
    assert time.process_time() - before < 2
    assert [(r.number, r.text("file")) for r in table.rows] == [
        (2, "a"),
        (60_000, "b"),
    ]


@pytest.mark.parametrize("rows", [30_000 * "<row/>", 40_000 * '<row r="9"/>'])
def test_rows_that_no_program_writes(write_sheet, rows, monkeypatch):
    monkeypatch.setattr(workbooks, "_MOST_ROWS", 35_000)
    path = write_sheet(HEADER + rows)
    with pytest.raises(DataError, match="t.xlsx: the sheet .*sheet1.xml has .* rows"):
        read_table(path, columns=("file",))


def test_a_row_that_never_ends_takes_no_time(write_sheet):
    path = write_sheet(f"{HEADER}{200_000 * '<row a'}")
    before = time.process_time()
    with pytest.raises(DataError, match=r"t\.xlsx: this spreadsheet cannot be read"):
        read_table(path, columns=("file",))
    assert time.process_time() - before < 3


def test_a_part_that_is_packed_too_well(write_sheet):
    path = write_sheet(HEADER + 400_000 * "<!-- note -->")
    with pytest.raises(DataError, match=r"sheet1\.xml of .*--limit max_ratio=NUMBER"):
        read_table(path, columns=("file",))
    with limits.using(limits.Limits(max_ratio=10_000)):
        assert read_table(path, columns=("file",)).rows == ()
