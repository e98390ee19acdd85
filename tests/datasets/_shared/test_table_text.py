"""Encoding, delimiter and decimal sign of text files, as programs write them."""

import pytest

from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataWarning

TEXT = "file{0}city{0}temp\na{0}Köln{0}36{1}5\nb{0}Rome{0}37{1}25\nc{0}Bari{0}40\n"


@pytest.fixture
def read(tmp_path):
    def read(content: bytes, *columns):
        (tmp_path / "t.csv").write_bytes(content)
        return read_table(tmp_path / "t.csv", columns=columns or ("file", "temp")).rows

    return read


def values(rows):
    return [(r.text("file"), r.text("city"), r.number_in("temp")) for r in rows]


EXPECTED = [("a", "Köln", 36.5), ("b", "Rome", 37.25), ("c", "Bari", 40.0)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_delimiter_and_encoding(read, delimiter, encoding):
    assert values(read(TEXT.format(delimiter, ".").encode(encoding))) == EXPECTED


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_decimal_comma(read, delimiter):
    assert values(read(TEXT.format(delimiter, ",").encode())) == EXPECTED


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_ends_of_lines(read, end):
    content = TEXT.format(",", ".").replace("\n", end).encode()
    rows = read(content)
    assert values(rows) == EXPECTED
    assert [row.number for row in rows] == [2, 3, 4]


def test_thousands_are_no_decimal_comma(read):
    (row,) = read(b"file;temp\na;1,100\n")
    assert row.decimal == "."


def test_a_file_with_points_has_no_decimal_comma(read):
    rows = read(b"file;temp\na;1,5\nb;2.5\n")
    assert {row.decimal for row in rows} == {"."}


def test_a_line_in_another_encoding_is_told_and_read(read):
    content = "file,city,temp\na,Köln,1\n".encode() + b"b,Neuk\xf6lln,2\n"
    with pytest.warns(DataWarning, match="t.csv:3: line 3 is not UTF-8.*Neukölln"):
        rows = read(content)
    assert [row.text("city") for row in rows] == ["Köln", "Neukölln"]


def test_the_delimiter_is_the_one_that_gives_the_columns(read):
    """Here ; is more frequent, but in a column of lists."""
    rows = read(b'file,temp\na,1\n"b;c;d;e",2\n')
    assert [row.text("file") for row in rows] == ["a", "b;c;d;e"]


def test_invisible_characters_at_the_ends_do_not_count(read):
    content = "\u200bfile,temp\n\u202fa\u00a0\u200b,1\n".encode()
    (row,) = read(content)
    assert row.text("file") == "a"
