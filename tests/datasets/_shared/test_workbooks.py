"""Archives that are no workbook, or one that is not read."""

import zipfile

import pytest

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
