"""Which column names the files."""

import time
import unicodedata

import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.matching import best_match, match

FILES = ["a/P1.png", "a/P2.png", "b/P3.dcm", "b/scan.v2.nii.gz"]


@pytest.mark.parametrize(
    ("cells", "by"),
    [
        (["a/P1.png", "a/P2.png", "b/P3.dcm"], "path"),
        (["a\\P1.png", "a\\p2.PNG", "b\\P3.dcm"], "path"),
        (["P1.png", "p2.PNG", "P3.dcm"], "file name"),
        (["P1", "p2", "P3"], "name without suffix"),
        # An export to another format.
        (["P1.dcm", "P2.dcm", "P3.png"], "name without suffix"),
    ],
)
def test_files_are_found_by_path_name_or_stem(cells, by):
    found = match(Column("x", tuple(cells)), FILES)
    assert found.rows == tuple(FILES[:3]) and found.by == by
    assert (found.n_rows, found.n_files) == (3, 3)


def test_folders_agree_as_far_as_both_have_them():
    files = ["p1/front.png", "p2/front.png"]
    cells = ("set/train/p1/front.png", "p2\\front.jpg", "front.png", "p3/front.png")
    assert match(Column("x", cells), files).rows == (*files, None, None)


def test_one_unicode_form_is_compared():
    name = "Müller.png"
    cell = unicodedata.normalize("NFD", name)
    assert match(Column("x", (cell,)), [name]).rows == (name,)


def test_a_cell_that_fits_two_files_names_none():
    found = match(Column("x", ("P1", "P2")), ["a/P1.png", "b/P1.png", "P2.png"])
    assert found.rows == (None, "P2.png")


def test_the_column_that_names_most_files_is_first():
    columns = [
        Column("patient", ("P1", "P1", "zz")),
        Column("film", ("P1.png", "P2.png", "P3")),
    ]
    assert [m.column for m in best_match(columns, FILES)] == ["film", "patient"]


def test_without_a_match_three_examples_of_both_sides_are_shown():
    columns = [Column("id", ("x1", "x2", "x3", "x4")), Column("sex", ("m", "f"))]
    with pytest.raises(DataError) as error:
        best_match(columns, FILES)
    text = str(error.value)
    assert "Files: a/P1.png, a/P2.png, b/P3.dcm." in text
    assert "id: x1, x2, x3;" in text


def test_ids_within_the_names_are_pointed_out():
    files = ["good/001_brain.nii.gz", "good/2_brain.nii.gz", "bad/10_brain.nii.gz"]
    columns = [Column("sex", ("m", "f", "m")), Column("Nr", ("1", "2", "10"))]
    with pytest.raises(DataError) as error:
        best_match(columns, files)
    expected = (
        "Nr seems to be a part of the names, such as '1' in good/001_brain.nii.gz"
    )
    assert expected in str(error.value)


def test_folders_that_a_column_names_are_pointed_out():
    files = ["P3/ACC7/1.png", "P3/ACC7/2.png", "P3/ACC8/1.png", "P4/ACC9/1.png"]
    columns = [Column("sex", ("m", "f")), Column("acc", ("ACC7", "acc8", "ACC5"))]
    with pytest.raises(DataError) as error:
        best_match(columns, files)
    assert str(error.value).endswith(
        "acc seems to name folders, such as 'ACC7' of P3/ACC7/1.png. The table needs "
        "one row for each image."
    )


def test_the_whole_path_is_that_of_one_file():
    files = ["v.png", "s1/v.png", "p1/s1/v.png"]
    cells = ("p1/s1/v.png", "s1/v", "x/s1/v.dcm")
    found = match(Column("x", cells), files)
    assert found.rows == ("p1/s1/v.png", "s1/v.png", None)


def test_many_files_of_one_name():
    files = [f"p{n}/s1/view.png" for n in range(4000)]
    before = time.process_time()
    found = match(Column("x", tuple(f"set/{file}" for file in files)), files)
    # Comparing each with all takes minutes.
    assert time.process_time() - before < 3
    assert list(found.rows) == files
