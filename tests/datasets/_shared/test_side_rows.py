"""Further tables about images: joined as images are found."""

import logging
import unicodedata
from pathlib import Path

import pytest

from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.side_rows import SideRows
from mdmt_tf.datasets._shared.table_rows import TableRow
from mdmt_tf.errors import DataError


def side(*rows, **options):
    made = [
        TableRow("m.csv", number, {"file": name, "sex": sex, "note": f"{number}"})
        for number, (name, sex) in enumerate(rows, 2)
    ]
    return SideRows(Path("m.csv"), made, "file", ("sex",), **options)


@pytest.mark.parametrize(
    "name",
    ["film-1.png", "film-1", "FILM-1.PNG", "old/film-1.jpg", "film-1\u200b"]
    + ["x\\Film\u20111.png"],
)
def test_spellings(name):
    assert side((name, "F"), ("film-11", "M")).find("film-1.png").text("sex") == "F"


def test_unicode_forms():
    name = "radiograf\u00eda.png"
    decomposed = unicodedata.normalize("NFD", name)
    assert side((decomposed, "F")).find(name).text("sex") == "F"


def test_an_exact_name_is_better():
    rows = side(("a.png", "F"), ("b.jpg", "M"))
    assert rows.find("a.jpg", "b.jpg").text("sex") == "M"  # the original name
    assert rows.find("b.png", "a.JPG").text("sex") == "M"
    assert rows.find("c.png", "A.png").text("sex") == "F"
    assert rows.find("c.png") is None


def test_rows_of_one_image_complete_each_other():
    assert side(("a.png", ""), ("a.png", "F")).find("a.png").text("sex") == "F"
    assert side(("a.png", ""), ("a.jpg", "F")).find("a").text("sex") == "F"


def test_rows_that_contradict_each_other():
    with pytest.raises(DataError, match=r"m\.csv:3: sex of 'a\.png'"):
        side(("a.png", "F"), ("a.png", "M"))
    rows = side(("a.png", "F"), ("a.jpg", "M"))
    assert rows.find("a.jpg").text("sex") == "M"
    with pytest.raises(DataError, match=r"m\.csv:3: sex of 'a' is 'M', but 'F'"):
        rows.find("a")


@pytest.mark.parametrize(
    "one, other",
    [("a", "a.png"), ("a.png", "a"), ("A.png", "a.png"), ("a.png", "x/A.PNG")],
)
def test_rows_of_one_image_in_two_spellings_must_agree(one, other):
    rows = side((one, "F"), (other, "M"))
    rows.find("a.png")
    with pytest.raises(DataError, match=r"m\.csv:3: sex of '.*' is 'M', but 'F'"):
        rows.list_unmatched(Rejections())
    rows = side((one, "F"), (other, ""))
    rows.find("a.png")
    assert rows.list_unmatched(Rejections())["rows"] == 0


def test_two_images_may_differ_in_case_or_suffix():
    rows = side(("a.png", "F"), ("A.png", "M"), ("a.jpg", "M"))
    assert rows.find("a.png").text("sex") == "F"
    assert rows.find("A.png").text("sex") == "M"
    assert rows.list_unmatched(Rejections())["rows"] == 1  # of a larger collection


def test_what_matches_nothing_is_listed(tmp_path, caplog):
    rows, rejections = side(("a.png", "F"), ("b 1", "F"), ("", "M")), Rejections()
    rows.find("a")
    rows.find("b1.png")
    with caplog.at_level(logging.WARNING, "mdmt_tf"):
        assert rows.list_unmatched(rejections) == {"rows": 2, "images": 1}
    assert caplog.messages == [
        "b 1 (m.csv:3): row of no image: a like name is 'b1.png'",
        "m.csv: 2 rows are of no image, such as 'b 1' (m.csv:3); 1 images have no row, "
        "such as 'b1.png'. They are in warnings.csv.",
    ]
    assert len(rejections) == 0
    rejections.write(tmp_path)
    assert (tmp_path / "warnings.csv").read_text() == (
        "file,row,reason\nb 1,m.csv:3,row of no image: a like name is 'b1.png'\n"
        ",m.csv:4,row of no image\n"
    )


def test_a_table_of_some_images():
    rows = side(("a.png", "F"), has_all=False)
    assert rows.find("b.png") is None
    assert rows.find("a.png")
    assert rows.list_unmatched(Rejections()) == {"rows": 0, "images": 0}
