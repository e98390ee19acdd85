"""Which row is the header, and what its names are."""

import pytest

from mdmt_tf.datasets._shared.tables import read_table
from mdmt_tf.errors import DataWarning


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        (tmp_path / "t.csv").write_bytes(content)
        return tmp_path / "t.csv"

    return write


def cells(table):
    return [dict(row.cells) for row in table.rows]


def test_titles_above_the_header_do_not_count(write):
    path = write(b"Cohort of 2020\n\n,,\nfile,age\na,1\n")
    assert cells(read_table(path, columns=("file",))) == [{"file": "a", "age": "1"}]


def test_a_column_without_name_is_left_out(write):
    path = write(b",file,\n0,a,\n1,b,\n")
    assert cells(read_table(path, columns=("file",))) == [{"file": "a"}, {"file": "b"}]


def test_a_name_in_two_lines_is_one(write):
    path = write(b'file,"days\nto ICU"\na,3\n')
    table = read_table(path, columns=("days to ICU",))
    assert cells(table) == [{"file": "a", "days to ICU": "3"}]
    assert table.rows[0].number == 3


def test_names_are_compared_in_composed_form(write):
    path = write("na\u0308me\na\n".encode())
    assert read_table(path, columns=("n\u00e4me",)).columns == ("n\u00e4me",)


def test_a_column_that_may_be_misspelt_is_told(write):
    path = write(b"file,Sex,agee,hr\na,f,61,70\n")
    with pytest.warns(DataWarning) as warned:
        table = read_table(path, columns=("file",), optional=("sex", "age", "rf"))
    texts = [str(w.message) for w in warned if w.category is DataWarning]
    assert [text.partition(" Then")[0] for text in texts] == [
        "t.csv: there is no column 'sex', so it is unknown. Is 'Sex' meant?",
        "t.csv: there is no column 'age', so it is unknown. Is 'agee' meant?",
    ]
    assert table.rows[0].text("sex") == ""


def test_columns_that_are_there_or_unlike_are_not_told(write, recwarn):
    path = write(b"file,sex,sexe,HT,MCV\na,f,g,1,2\n")
    read_table(path, columns=("file",), optional=("sex", "HR", "MPV"))
    assert not recwarn


@pytest.mark.parametrize(
    "text",
    [
        "id,value,x\na,1.5,2\nb,2.5,3\n",
        "id;value;x\na;1,5;2\nb;2,5;3\n",
        "id\tvalue\tx\na\t1,5\t2\nb\t2,5\t3\n",
        "Ward 7, all films\n\nid;value;x\na;1,5;2\nb;2,5;3\n",
        "Ward 7,,\nid,value,x\na,1.5,\nb,2.5,3\n",
    ],
)
def test_without_columns_to_look_for_the_first_full_row_is_the_header(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    table = read_table(path, columns=())
    assert table.columns == ("id", "value", "x")
    assert [row.number_in("value") for row in table.rows] == [1.5, 2.5]


def test_the_header_once_more_is_no_row(write):
    """As when two files are joined."""
    path = write("file,age\na,1\n\ufefffile,age\nb,2\nfile,age\n".encode())
    with pytest.warns(DataWarning, match="t.csv:3: the header once more.* 1 other"):
        rows = read_table(path, columns=("file",)).rows
    assert [row.number for row in rows] == [2, 4]


def test_a_column_that_pandas_has_renamed_is_told(write):
    path = write(b"file,age,age.1\na,1,2\n")
    with pytest.warns(DataWarning, match="columns 'age', which is read, and 'age.1'"):
        read_table(path, columns=("file",), optional=("age",))


@pytest.mark.parametrize("twin", ["Died", "DIED", "d\u200bied", "died_", "\uff44ied"])
def test_a_column_with_the_same_name_in_another_spelling_is_told(write, twin):
    path = write(f"file,died,{twin}\na,1,0\n".encode())
    with pytest.warns(DataWarning, match="columns 'died', which is read, and '"):
        table = read_table(path, columns=("file", "died"))
    assert table.rows[0].number_in("died") == 1


def test_other_names_are_no_other_spellings(write, recwarn):
    path = write(b"file,age,age_5,Aged,AGE2\na,1,2,3,4\n")
    read_table(path, columns=("file", "age"))
    # Both are read.
    read_table(write(b"file,A,a\na,1,2\n"), columns=("file", "A", "a"))
    assert not recwarn


@pytest.mark.parametrize("rows", ["a,1\nb,2\n", "a,1,\nb,2,\n", "a,1,,\n"])
def test_empty_cells_at_the_end_of_all_rows_give_no_warning(write, rows, recwarn):
    path = write(f"file,age\n{rows}".encode())
    assert len(read_table(path, columns=("file",)).rows) == rows.count("\n")
    assert not recwarn


def test_a_row_with_an_empty_cell_more_than_others_is_told(write):
    """It may be shifted by a decimal comma, if its last cell is empty."""
    path = write(b"file,weight,age,note\na,70,1,\nb,70,5,1,\nc,71,2,x\n")
    with pytest.warns(DataWarning, match="t.csv:3: 5 cells, the last of them empty"):
        read_table(path, columns=("file",))
