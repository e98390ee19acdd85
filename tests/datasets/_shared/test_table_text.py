"""Encoding, delimiter and decimal sign of text files, as programs write them."""

import csv

import pytest

from mdmt_tf.datasets._shared import table_text
from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.imaging import limits

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
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
@pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")
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


def test_a_line_in_another_encoding_is_told_and_read(read):
    content = "file,city,temp\na,Köln,1\n".encode() + b"b,Neuk\xf6lln,2\n"
    with pytest.warns(DataWarning, match="t.csv:3: line 3 is not UTF-8 and read as"):
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "line, delimiter",
    [
        ("sep=;", ";"),
        ('"sep=;"', ";"),
        ("SEP=\t", "\t"),
        ("sep=^", "^"),
        ("sep=,", ","),
    ],
)
def test_a_line_that_names_the_delimiter(read, encoding, line, delimiter):
    """`sep=` is written by spreadsheet programs, and is no row."""
    rows = read(f"{line}\r\n{TEXT.format(delimiter, '.')}".encode(encoding))
    assert values(rows) == EXPECTED
    assert [row.number for row in rows] == [3, 4, 5]


def test_bytes_that_windows_does_not_have_stay_different(read):
    with pytest.warns(DataWarning, match="t.csv:2: line 2 and 1 more is not UTF-8"):
        rows = read(b"file,temp\np\x81,1\np\x8d,2\n")
    assert len({row.text("file") for row in rows}) == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_cut_off_file_of_two_bytes_a_letter(read, encoding):
    content = TEXT.format(",", ".").encode(encoding)
    with pytest.raises(DataError, match=r"t\.csv:4: this table is UTF-.*cut off"):
        read(content[:-1])


@pytest.mark.parametrize("blank", [" ", "  "])
def test_blanks_around_quotes_mean_nothing(read, blank):
    text = 'file,{0}"ci,ty"{0},temp\na,{0}"K,""x"""{0},1\n{0}"b"{0},{0}""{0},"2"{0}\n'
    rows = read(text.format(blank).encode())
    assert [dict(row.cells) for row in rows] == [
        {"file": "a", "ci,ty": 'K,"x"', "temp": "1"},
        {"file": "b", "ci,ty": "", "temp": "2"},
    ]


def test_a_quote_within_a_cell_is_text(read):
    assert read(b'file,temp\n5" tube,1\n')[0].text("file") == '5" tube'


@pytest.mark.parametrize(
    "rows",
    [
        'a,"Köln,1\nb,Rome,2\n',  # never closed
        'a,Köln,1\n"b,Rome,2\nc,"Bari",3\n',  # closed by the quote of another cell
        'a,"Köln,1\nb,"Rome,2\n',
        'a,"Köln"x,1\n',
        'a,"K\\"ln",1\n',  # escaped in another way
    ],
)
def test_quotes_that_are_not_closed(read, rows):
    with pytest.raises(DataError, match=r"t\.csv:[23]: .*quote"):
        read(f"file,city,temp\n{rows}".encode())


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_quote_that_ends_in_a_later_row_swallows_none(read, column, end):
    """The quotes of two rows are not closed, and end each other."""
    rows = [[f"{name}{n}" for n in range(6)] for name in "abcd"]
    rows[1][column] = f'"{rows[1][column]}'
    rows[2][column] = f'{rows[2][column]}"'
    header = ["file", "temp", "x", "y", "z", "w"]
    text = end.join(",".join(row) for row in [header, *rows])
    with pytest.raises(
        DataError, match=rf"t\.csv:3: cell {column + 1} .*look like rows"
    ):
        read(text.encode())


def test_a_comment_in_several_lines_is_a_cell(read, recwarn):
    text = 'file,temp,note\na,1,"seen, twice\nno fever, cough, rash"\nb,2,\n'
    rows = read(text.encode())
    assert rows[0].text("note") == "seen, twice\nno fever, cough, rash"
    assert [row.number for row in rows] == [3, 4]
    assert not recwarn


def test_a_cell_of_lines_like_rows_in_a_narrow_table_is_told(read):
    text = b'file,temp,note\na,1,"seen\nin May, June, July"\n'
    with pytest.warns(DataWarning, match="t.csv:2: cell 3 of this row goes on for 2"):
        assert len(read(text)) == 1


def test_a_long_cell_is_a_cell(read):
    """Longer than the cells that Python's reader takes unless it is told otherwise."""
    csv.field_size_limit(131_072)  # the default
    note = 200_000 * "x"
    rows = read(f'file,temp,note\na,1,{note}\nb,2,"{note}"\n'.encode())
    assert [row.text("note") for row in rows] == [note, note]


@pytest.mark.parametrize("quote", ['"', ""])
def test_a_row_that_is_too_long(read, quote, monkeypatch):
    monkeypatch.setattr(table_text, "_LONGEST_ROW", 1000)
    text = f"file,temp,note\na,1,\nb,2,{quote}{2000 * 'x'}{quote}\n"
    with pytest.raises(DataError) as error:
        read(text.encode())
    assert "t.csv:3: this row has more than 1000 characters. Sh" in str(error.value)
    assert "quote" not in str(error.value)


def test_a_quote_that_makes_a_row_too_long(read, monkeypatch):
    monkeypatch.setattr(table_text, "_LONGEST_ROW", 1000)
    text = 'file,temp,note\na,1,"x\n' + 1000 * "b,2,y\n"
    with pytest.raises(DataError, match=r"csv:2: .* 1000 characters .*lines. Is a q"):
        read(text.encode())


@pytest.mark.parametrize("mark", ["\x1a", "\x00", "\ufeff", "\u00ad"])
def test_a_mark_at_the_end_of_a_file_is_no_row(read, mark):
    assert len(read(f"file,temp\na,1\n{mark}".encode())) == 1


@pytest.mark.parametrize("cell", ['="007"', '"=""007"""', ' ="007" '])
def test_text_that_is_written_as_a_formula(read, cell):
    (row,) = read(f"file,temp\n{cell},1\n".encode())
    assert row.text("file") == "007"


def test_a_formula_in_a_text_file_is_text(read):
    (row,) = read(b"file,temp\n=B2,1\n")
    assert row.text("file") == "=B2"


@pytest.mark.parametrize("rows", [b"\n", b"x\n", b"x\r", b"\r\n", b"1,2\r\n"])
def test_rows_are_counted_before_they_are_made(read, rows):
    few = limits.Limits(max_cells=1000)
    with limits.using(few), pytest.raises(DataError, match="too many cells"):
        read(b"file,temp\n1,2\n" + 1001 * rows)


def test_many_empty_lines_are_passed_over(read):
    rows = read(b"file,temp\na,1\n" + 30_000 * b"\n" + b"b,2\n")
    assert [row.text("file") for row in rows] == ["a", "b"]
