"""Tables of every format, and what is said about those that cannot be read right."""

import os

import pytest

from mdmt_tf.datasets._shared.tables import read_table, rows_by_key
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import limits


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name="t.csv"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def cells(table):
    return [dict(row.cells) for row in table.rows]


def test_csv_with_mark_blanks_and_quotes(write):
    path = write(
        b'\xef\xbb\xbfname ; score\r\n\r\n a;"001101"\r\n"b;c"; \r\n;;;\r\nd;1;\r\n'
    )
    table = read_table(path, columns=("name", "score"))
    assert table.columns == ("name", "score")
    assert cells(table) == [
        {"name": "a", "score": "001101"},
        {"name": "b;c", "score": ""},
        {"name": "d", "score": "1"},
    ]
    assert [r.place for r in table.rows] == ["t.csv:3", "t.csv:4", "t.csv:6"]


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    table = arrow.table({"file": ["a", None, "b"], "score": [1.0, None, 2.5]})
    pyarrow.parquet.write_table(table, path)
    read = read_table(path, columns=("file", "score"))
    assert [tuple(row.cells.values()) for row in read.rows] == [
        ("a", "1"),
        ("b", "2.5"),
    ]
    assert [row.place for row in read.rows] == ["t.parquet:1", "t.parquet:3"]


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", ["t.csv: this table is empty"]),
        (b"\n ,\n", ["t.csv: this table is empty"]),
        (
            b"a,b\n1,2\n",
            ["t.csv: expected the columns a, c; without c.", "Received: a, b"],
        ),
        (b"ac;a\n1;2\n", ["without c. Did you mean 'ac'? Received: ac, a"]),
        (b"A;C ;x\n1;2;3\n", ["without a, c. Did you mean 'A', 'C'? Received: A"]),
        (b"My title\n\na,x\n1,2\n", ["t.csv:3: expected the columns"]),
        (b"a,c,a\n1,2,3\n", ["t.csv:1: the column 'a' is there 2 times", "Rename"]),
        (
            b"a,c\n1,2\n3,4,5\n6,7,8\n",
            ["t.csv:3: expected at most 2 cells", "Received: 3. So"],
        ),
        (b"a,c\n1,2\n3,4,5\n6,7,8\n", ["So have 1 other rows.", "in quotes"]),
        # An unquoted decimal comma, in a file whose lines end in a comma.
        (b"a,c,\n1,2,\n3,5,4\n", ["t.csv:3: expected at most 2 cells"]),
        (b"a,x,c\n1,2,3\n4,5\n6,7,8\n", ["t.csv:3: expected 3 cells", "Received: 2."]),
        (b"a,x,c\n1,2,3\n4,5\n6\n", ["So have 1 other rows.", "cut off"]),
        (b"a,c\n1,2\nTotal: 1\n", ["t.csv:3: expected 2 cells", "Remove notes"]),
        (
            b'a,c\n1,2\n3,"4\n5,6\n',
            ["t.csv:3: a quote in this line is never closed. Everything"],
        ),
        (b"PAR1nonsense", ["t.csv: this table cannot be read"]),
        (b"PK\x03\x04nonsense", ["t.csv: this spreadsheet cannot be read"]),
        (
            b"\xd0\xcf\x11\xe0....",
            ["old Excel file (.xls), or one with a password", "save it as .xlsx"],
        ),
        (b"\x1f\x8b....", ["compressed by gzip; unpack it"]),
        (b"\n <html><table>", ["a web page or XML"]),
        (b"\x28\xb5\x2f\xfd..", ["compressed by zstd; unpack it"]),
    ],
)
def test_unusable_tables(write, content, expected):
    if content.startswith(b"PAR1"):
        pytest.importorskip("pyarrow")
    with pytest.raises(DataError) as error:
        read_table(write(content), columns=("a", "c"))
    for text in expected:
        assert text in str(error.value), str(error.value)


def test_missing_tables(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read: No such"):
        read_table(tmp_path / "none.csv", columns=())


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_table(tmp_path, name):
    (tmp_path / "t.csv").symlink_to(name)
    with pytest.raises(DataError, match="Received: a device, a pipe or a socket"):
        read_table(tmp_path / "t.csv", columns=())


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(DataError, match="Received: a device, a pipe or a socket"):
        read_table(tmp_path / "t.csv", columns=())


def test_limits(write):
    path = write(b"a,c\n" + b"1,2\n" * 50)
    for limit in ("max_cells", "max_table_bytes"):
        few = limits.Limits(**{limit: 100})
        with limits.using(few), pytest.raises(DataError, match=f"--limit {limit}=NUM"):
            read_table(path, columns=("a",))


def test_only_spreadsheets_have_sheets(write):
    with pytest.raises(DataError, match=r"only \.xlsx files have sheets"):
        read_table(write(b"a\n1\n"), columns=("a",), sheet="Data")


def test_rows_of_one_key_complete_each_other(write):
    path = write(b"file,age,sex\na,50.0,?\nb,40,m\na,50,f\n,1,f\n,2,F\na,,F\n")
    rows = read_table(path, columns=("file",)).rows
    found = rows_by_key(path, rows, lambda row: row.text("file"), ("age", "sex"))
    assert {key: (row.text("age"), row.text("sex")) for key, row in found.items()} == {
        "a": ("50.0", "f"),
        "b": ("40", "m"),
    }


def test_rows_of_one_key_that_contradict(write):
    path = write(b"file,age,sex\na,50,f\nb,40,m\na,51,f\n")
    rows = read_table(path, columns=("file",)).rows
    with pytest.raises(DataError) as error:
        rows_by_key(path, rows, lambda row: row.text("file"), ("age", "sex"))
    assert "t.csv:4: age of 'a' is '51', but '50' in line 2. Keep" in str(error.value)
