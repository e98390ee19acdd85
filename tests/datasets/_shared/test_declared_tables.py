"""Tables of a declaration, joined by keys."""

import pytest
from declared import write_csv, write_image

from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.datasets._shared.declared_cells import Marks
from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.declared_tables import DeclaredTables
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError
from mdmt_tf.errors import DataError

MARKS = Marks(["?"])
FILMS = [["a", "P1"], ["b", "p1"], ["c", "2.0"], ["d", "P9"], ["e", ""]]


@pytest.fixture
def read(tmp_path):
    def read(patients, films=FILMS, on="pid", films_header=("file", "pid"), **keys):
        write_csv(tmp_path / "films.csv", films, films_header)
        header, *rows = patients
        write_csv(tmp_path / "patients.csv", rows, header)
        values = {
            "name": "ward",
            "tables": ["films.csv", {"file": "patients.csv", "on": on}],
            "columns": {"image": "file"},
            "labels": {"age": {}},
            **keys,
        }
        made = DatasetDeclaration.model_validate(values)
        for name in "abcd":
            write_image(tmp_path / "films" / "sub" / f"{name}.png")
        images = DeclaredImages(tmp_path, ["films"], volumes=False)
        return DeclaredTables(made, tmp_path, images, "ward.yaml")

    return read


def ages(tables, column="age"):
    result = []
    for row in tables.rows:
        try:
            result.append(tables.cell(row, column, MARKS).text)
        except RowError as error:
            result.append(error.kind)
    return result


def doubts(tables, column="age"):
    return [tables.cell(row, column, MARKS).doubt for row in tables.rows]


def test_rows_are_joined_by_their_key(read):
    tables = read([["pid", "age"], ["P1", "61"], ["2", "62"], ["P7", "63"]])
    assert ages(tables) == ["61", "61", "62", "", ""]


def test_names_that_look_alike_are_joined(read):
    films = [["a", "P\u00a01"], ["b", "p 1\u200b"], ["c", "\uff12"], ["d", "M\u00fc"]]
    rows = [["pid", "age"], ["P 1", "61"], ["2.0", "62"], ["MU\u0308", "63"]]
    assert ages(read(rows, films)) == ["61", "61", "62", "63"]


def test_images_named_by_path_are_joined_by_name(read, tmp_path):
    films = [["films/sub/a.png", "P1"], ["films\\sub\\B.png", "P2"], ["x/c.png", "P3"]]
    rows = [["img", "age"], ["A", "61"], ["sub/b.jpg", "62"], ["y/c", "63"]]
    assert ages(read(rows, films, on={"file": "img"}, images=None)) == ["61", "62", ""]


def test_spellings_of_both_tables_are_things_of_their_own(read):
    rows = [["pid", "age"], ["p1", "61"], ["P1", "62"], ["2", "63"]]
    assert ages(read(rows)) == ["62", "61", "63", "", ""]


@pytest.mark.parametrize("films", [["P1"], ["P1", "2"], ["P1", "p1", "2"]])
def test_a_key_in_its_own_spelling_is_taken_before_another(read, films):
    """Whatever other spellings the first table has."""
    films = [[name, pid] for name, pid in zip("abc", films, strict=False)]
    rows = [["pid", "age"], ["p1", "61"], ["P1", ""], ["2", "63"]]
    tables = read(rows, films)
    ages_of = {"P1": "", "p1": "61", "2": "63"}
    assert ages(tables) == [ages_of[pid] for _, pid in films]
    assert not tables.doubts


def test_of_several_other_spellings_of_a_key_none_is_chosen(read):
    rows = [["pid", "age"], ["Ab1", "61"], ["aB1", "61"], ["P9", "70"]]
    tables = read(rows, [["a", "AB1"], ["b", "P9"], ["c", "Ab1"]])
    assert ages(tables) == ["", "70", "61"]
    assert doubts(tables) == [
        "'AB1' has no row in patients.csv, but 'aB1' (patients.csv:3) is like it. "
        "Write both alike if they are the same; if not, delete the row.",
        "",
        "",
    ]


def test_a_row_in_the_only_other_spelling_is_taken_with_a_warning(read):
    rows = [["pid", "age"], ["Ab3X", "61"], ["P 9", "70"], ["P2", "64"]]
    films = [["a", "aB3x"], ["b", "p 9"], ["c", "P2"], ["d", "aB3x"]]
    tables = read(rows, films)
    assert ages(tables) == ["61", "70", "64", "61"]
    [doubt] = tables.doubts
    assert doubt.kind == "keys of like names"
    assert str(doubt) == (
        "patients.csv: keys are joined in another spelling: 'aB3x' (films.csv:2) has "
        "the row of 'Ab3X' (patients.csv:2), 'p 9' (films.csv:3) has the row of 'P 9' "
        "(patients.csv:3). Names that differ in case may be different things; write "
        "them alike if they are the same."
    )


def test_the_key_may_have_another_name(read):
    tables = read([["number", "age"], ["P1", "61"]], on={"pid": "number"})
    assert ages(tables) == ["61", "61", "", "", ""]


def test_images_are_joined_as_they_are_found(read):
    names = ["A.png", "old/films/sub/b.jpg", "films/c", "E.png"]
    patients = [["file", "age"], *([name, str(n)] for n, name in enumerate(names))]
    assert ages(read(patients, on="file")) == ["0", "1", "", "", "3"]


@pytest.mark.parametrize("text", ["1.23457E+11", "1,23457e+11", "1E+20", "1.2E11"])
@pytest.mark.parametrize("place", ["films.csv:3", "patients.csv:2"])
def test_a_key_that_a_program_has_rewritten_joins_nothing(read, text, place):
    """It may be of several patients."""
    films = [["a", "P1"], ["b", text if place.startswith("films") else "P2"]]
    patients = [["pid", "age"], ["P1" if place.startswith("films") else text, "61"]]
    with pytest.raises(DataError) as error:
        read(patients, films)
    assert f"{place}: pid = {text!r} joins rows of tables. It seems" in str(error.value)


def test_several_keys(read):
    patients = [["pid", "file", "age"], ["P1", "a", "61"], ["P1", "b", "62"]]
    tables = read(patients, on={"pid": "pid", "file": "file"})
    assert ages(tables) == ["61", "62", "", "", ""]


def test_a_key_twice_is_a_fault_only_if_the_rows_differ(read, tmp_path):
    rows = [["P1", "61", "x"], ["P1", "61.0", "y"], ["P9", "?", ""], ["P9", "70", ""]]
    tables = read([["pid", "age", "note"], *rows])
    assert ages(tables) == ["61", "61", "", "70", ""]
    tables = read([["pid", "age"], ["P1", "61"], ["P9", "70"], ["P1", "62"]])
    with pytest.raises(DataError) as error:
        tables.cell(tables.rows[0], "age", MARKS)
    assert str(error.value) == (
        f"{tmp_path / 'patients.csv'}:4: age of 'P1' is '62', but '61' in line 2. Keep "
        "the row that is right."
    )


def test_cells_that_mean_the_same_do_not_contradict(read):
    rows = [["P1", "2020-01-01"], ["P1", "2020-02-02"], ["P9", "Ja"], ["P9", "no"]]
    tables = read([["pid", "age"], *rows])

    def value(cell):
        return {"2": "icu", "J": "icu", "n": "home"}[cell.text[0]]

    first, *_, last, _ = tables.rows
    assert tables.cell(first, "age", MARKS, value).text == "2020-01-01"
    with pytest.raises(
        DataError, match=r"patients\.csv:3: age of 'P1' is '2020-02-02'"
    ):
        tables.cell(first, "age", MARKS)
    with pytest.raises(
        DataError, match=r"patients\.csv:5: age of 'P9' is 'no', but 'Ja'"
    ):
        tables.cell(last, "age", MARKS, value)


def test_tables_that_contradict_each_other_cost_the_image(read):
    """Each table agrees with itself, so nobody knows which is wrong."""
    films = [["a", "P1", "61"], ["b", "P1", "62"]]
    patients = [["pid", "age"], ["P1", "62"], ["P9", "70"]]
    tables = read(patients, films, films_header=["file", "pid", "age"])
    assert ages(tables) == ["contradictory rows", "62"]


def test_a_table_that_contradicts_itself_is_named_before_tables_that_do(read):
    films = [["a", "P1", "60"]]
    patients = [["pid", "age"], ["P1", "61"], ["P1", "62"]]
    tables = read(patients, films, films_header=["file", "pid", "age"])
    with pytest.raises(DataError, match=r"patients\.csv:3: .*in line 2\."):
        ages(tables)


@pytest.mark.parametrize("text", ["n/a", "NaN", "-", "?", "#N/A", "unknown"])
def test_a_cell_that_names_nothing_joins_nothing(read, text):
    films = [["a", "P1"], ["b", text]]
    tables = read([["pid", "age"], ["P1", "61"], [text, "62"]], films)
    assert ages(tables) == ["61", ""]


@pytest.mark.parametrize("first", ["v1", "v2"])
def test_a_key_that_rows_before_leave_open_is_not_chosen(read, tmp_path, first):
    """Two visits of a patient, and ages by visit: films of the patient fit both."""
    second = {"v1": "v2", "v2": "v1"}[first]
    visits = [["pid", "visit"], ["P1", first], ["P1", second], ["P9", "v3"]]
    for ages_of, expected in (
        ({"v1": "61", "v2": "62", "v3": "70"}, "contradictory rows"),
        ({"v1": "61", "v2": "61", "v3": "70"}, "61"),
        ({"v2": "61", "v3": "70"}, "61"),
    ):
        write_csv(tmp_path / "ages.csv", ages_of.items(), ["visit", "age"])
        more = {"file": "ages.csv", "on": "visit"}
        tables = ["films.csv", {"file": "patients.csv", "on": "pid"}, more]
        found = ages(read(visits, tables=tables))
        assert found == [expected] * 2 + ["", "70", ""]


def test_parts_of_a_key_stay_together(read, tmp_path):
    visits = [["pid", "ward", "bed"], ["P1", "w1", "b1"], ["P1", "w2", "b2"]]
    rows = [["w1", "b1", "61"], ["w1", "b2", "99"], ["w2", "b2", "61"]]
    write_csv(tmp_path / "ages.csv", rows, ["ward", "bed", "age"])
    more = {"file": "ages.csv", "on": {"bed": "bed", "ward": "ward"}}
    tables = ["films.csv", {"file": "patients.csv", "on": "pid"}, more]
    assert ages(read(visits, tables=tables)) == ["61", "61", "", "", ""]


def test_whether_a_row_is_there(read):
    tables = read([["pid", "note", "age"], ["P1", "x", ""], ["P9", "x", ""]])
    there = [tables.cell(row, "age", MARKS).is_there for row in tables.rows]
    assert there == [True, True, False, True, False]


def test_a_key_that_nearly_fits_is_told_with_both_places(read):
    rows = [["pid", "age"], ["12", "61"], ["1200", "62"], ["7", "63"]]
    tables = read(rows, [["a", "0012"], ["b", "0345"], ["c", "1200"], ["d", "0012"]])
    assert ages(tables) == ["", "", "62", ""]
    doubt = (
        "'0012' has no row in patients.csv, but '12' (patients.csv:2) is like it. "
        "Write both alike if they are the same; if not, delete the row."
    )
    assert doubts(tables) == [doubt, "", "", doubt]
    [warning] = tables.doubts
    assert warning.kind == "keys of like names"
    assert str(warning) == (
        "patients.csv: rows are not joined although their keys are like those of rows "
        "that lack one: '12' (patients.csv:2) is like '0012' (films.csv:2). Write both "
        "alike if they are the same; if not, delete the row."
    )


@pytest.mark.parametrize(
    ("here", "there", "is_like"),
    [
        ("10.04.2020", "2020-04-10 00:00:00", True),
        ("4/10/2020", "2020-04-10", True),
        ("2020-04-10 14:30", "10 Apr 2020", True),
        ("10.04.2020", "2020-10-04", False),
        ("10.04.2020", "2020-04-11", False),
        ("10.04.2020", "", True),  # any exam of the patient
    ],
)
def test_two_dates_of_one_day_are_like_each_other(read, here, there, is_like):
    films = [["a", "P1", here], ["b", "P2", here]]
    rows = [["pid", "day", "age"], ["p 1", there, "61"], ["P2", here, "70"]]
    header = ["file", "pid", "day"]
    tables = read(rows, films, {"pid": "pid", "day": "day"}, header)
    assert ages(tables) == ["", "70"]
    assert [bool(doubt) for doubt in doubts(tables)] == [is_like, False]


@pytest.mark.parametrize(
    ("name", "is_like"),
    [("films/P3/01.png", False), ("1", True), ("P01/1.png", True), ("P2/01", False)],
)
def test_images_are_alike_if_their_folders_are(read, tmp_path, name, is_like):
    for path in ("P1/01.png", "P2/01.png", "P2/02.png"):
        write_image(tmp_path / "films" / path)
    films = [["P1/01.png", "P1"], ["P2/02.png", "P1"]]
    rows = [["img", "age"], [name, "61"], ["P2/02", "62"]]
    tables = read(rows, films, on={"file": "img"})
    assert ages(tables) == ["", "62"]
    assert [bool(doubt) for doubt in doubts(tables)] == [is_like, False]


def test_no_row_can_be_found_without_a_key(read):
    films = [["a", "P1"], ["b", "n/a"], ["c", "P3"]]
    tables = read([["pid", "age"], ["P1", ""]], films)
    assert doubts(tables) == [
        "",
        "pid is 'n/a' in films.csv:3, so that no row of patients.csv can be found.",
        "",
    ]


@pytest.mark.parametrize(("stay", "is_doubt"), [("P01", True), ("P7", False)])
def test_a_key_in_a_row_that_may_be_missing_is_not_known_either(
    read, tmp_path, stay, is_doubt
):
    """A list of stays, and of deaths by stay: without a stay there is no death."""
    write_csv(tmp_path / "deaths.csv", [["s1", "61"], ["s9", "70"]], ["stay", "age"])
    tables = ["films.csv", {"file": "patients.csv", "on": "pid"}]
    tables += [{"file": "deaths.csv", "on": "stay"}]
    rows = [["pid", "stay"], [stay, "s1"], ["P9", "s9"]]
    tables = read(rows, [["a", "P1"], ["d", "P9"]], tables=tables)
    assert ages(tables) == ["", "70"]
    assert [bool(doubt) for doubt in doubts(tables)] == [is_doubt, False]


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([["Sum", "2"], ["As of: 03.04.2020", ""], ["", ""]], None),
        ([["P9", ""]], "patients.csv:3"),  # a death without a date
        ([["As of 2020", ""], ["P77", "n/a"]], "patients.csv:4"),  # of others, too
    ],
)
def test_which_row_shows_that_a_table_is_no_list_of_events(read, rows, place):
    tables = read([["pid", "age"], ["P1", "2020-01-02"], *rows])
    cell = tables.row_without("age", Marks(["n/a"]))
    assert (cell and cell.place) == place
    assert tables.rows_without("age") == (2 if ["P9", ""] in rows else 3)


def test_rows_that_match_nothing_are_listed_and_counted(read):
    tables = read([["pid", "age"], ["P1", "61"], ["P7", "63"], ["", "64"]])
    rejections = Rejections()
    counts = tables.reject_unmatched(rejections)
    assert counts == {"patients.csv": {"rows": 2, "images": 3}}
    assert rejections.by_kind() == {"no row in the first table": 2}
    assert rejections.examples()[0] == "P7: no row in the first table"


def test_a_table_that_matches_nothing_at_all(read):
    with pytest.raises(DataError) as error:
        read([["pid", "age"], ["001", "61"]])
    assert "ward.yaml: dataset.tables: no row of patients.csv belongs to" in str(
        error.value
    )
    assert "'P1' in the first, '001' in patients.csv" in str(error.value)


def test_columns_that_no_table_has_are_named_at_once(read):
    keys = {
        "labels": {"age": {"column": "Agee"}, "stay": {}},
        "columns": {"image": "file", "patient": "pidd"},
    }
    with pytest.raises(DataError) as error:
        read([["pid", "Age"], ["P1", "61"]], **keys)
    message = str(error.value)
    assert "ward.yaml: names columns that no table has:" in message
    assert "labels.age.column: 'Agee'. Did you mean 'Age'?" in message
    assert "labels.stay: 'stay'." in message
    assert "columns.patient: 'pidd'. Did you mean 'pid'?" in message
    assert "Columns: file, pid, Age." in message


def test_a_key_that_the_tables_before_lack(read):
    with pytest.raises(DataError) as error:
        read([["pid", "age"], ["P1", "61"]], on={"pidd": "pid"})
    assert "'pidd'. Did you mean 'pid'?" in str(error.value)


def test_a_key_that_the_table_itself_lacks(read):
    with pytest.raises(DataError, match=r"patients\.csv: expected the columns pid"):
        read([["patient", "age"], ["P1", "61"]])


def test_a_table_that_is_missing(read, tmp_path):
    with pytest.raises(DataError) as error:
        read([["pid", "age"]], tables="film.csv")
    assert "film.csv: expected a table, dataset.tables. There is no such file." in str(
        error.value
    )
    assert "Did you mean 'films.csv'?" in str(error.value)


def test_a_folder_is_no_table(read):
    with pytest.raises(DataError) as error:
        read([["pid", "age"]], tables="films")
    assert "films: expected a table, dataset.tables. It is a folder." in str(
        error.value
    )
    assert "Did you mean 'films.csv'?" in str(error.value)
