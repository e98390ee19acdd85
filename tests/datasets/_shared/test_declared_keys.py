"""Which keys of tables are the same, and which are only like each other."""

import pytest
from declared import write_image

from mdmt_tf.datasets._shared.declared_images import DeclaredImages
from mdmt_tf.datasets._shared.declared_keys import Keys, like_keys
from mdmt_tf.datasets._shared.table_rows import TableRow


@pytest.fixture
def keys(tmp_path):
    """Of a first table whose image is a path."""
    write_image(tmp_path / "films" / "P1" / "0012.png")
    images = DeclaredImages(tmp_path, ["films"], volumes=False)
    return Keys("file", images, [TableRow("t.csv", 2, {"file": "P1/0012.png"})])


@pytest.mark.parametrize(
    ("column", "one", "other", "same"),
    [
        ("pid", "P\u00a01", "p 1", True),
        ("pid", "12.0", "12", True),
        ("pid", "012", "12", False),
        ("file", "0012.PNG", "p1/0012", True),
        ("file", "P2/0012", "P1/0012", False),
        ("file", "12", "0012", False),
    ],
)
def test_parts_of_the_same_thing_are_equal(keys, column, one, other, same):
    assert (keys.part(column, one) == keys.part(column, other)) == same


@pytest.mark.parametrize("text", ["", "n/a", "-", "unknown", "#N/A"])
def test_a_cell_that_names_nothing_is_no_part(keys, text):
    assert keys.part("pid", text) == ""


def test_spellings_of_an_image_are_all_one(keys):
    assert keys.spelling("pid", "p1") != keys.spelling("pid", "P1")
    assert keys.spelling("pid", "1.0") == keys.spelling("pid", "\uff11")
    assert keys.spelling("file", "a") == keys.spelling("file", "A.png")


@pytest.mark.parametrize(
    ("one", "other", "is_like"),
    [
        (("p 012", "2020-04-10"), ("P12", "10.04.2020"), True),
        (("p 012", "2020-04-10"), ("P12", "11.04.2020"), False),
        (("p12", "x"), ("", "X "), True),
        (("p12", "x"), ("", "y"), False),
    ],
)
def test_keys_are_alike_in_each_part(keys, one, other, is_like):
    def forms(key):
        return [keys.forms("pid", part) for part in key]

    found = like_keys([("p5", "x7"), one], {other: "it", ("p6", "x7"): "no"}, forms)
    assert found == ({one: "it"} if is_like else {})


def test_paths_are_alike_as_far_as_both_have_folders(keys):
    def forms(key):
        return [keys.forms("file", part) for part in key]

    def are_alike(one, other):
        return bool(like_keys([(one,)], {(other,): 1}, forms))

    assert are_alike("P1/0012.png", "12")
    assert are_alike("P1/0012.png", "old/p01/12")
    assert not are_alike("P1/0012.png", "P2/0012.png")


@pytest.mark.parametrize(
    ("column", "one", "other", "same"),
    [
        ("pid", "P-12", "xy-3", True),
        ("pid", "P12", "Sum", False),
        ("pid", "0012", "n = 2", False),
        ("file", "P1/0012.png", "7", True),
        ("file", "P1/0012.png", "Sum", False),
    ],
)
def test_keys_are_made_alike(keys, column, one, other, same):
    assert (keys.outline(column, one) == keys.outline(column, other)) == same
