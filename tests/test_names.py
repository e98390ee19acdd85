"""Which spellings of a name stand for the same thing."""

import unicodedata

import pytest

from mdmt_tf import names
from mdmt_tf.names import Names

NFC = "Mu\u0308ller \u00e9 \u30ac.png"  # mixed on purpose
NFD = unicodedata.normalize("NFD", NFC)


@pytest.mark.parametrize(
    "one, other",
    [
        (NFC, NFD),
        ("p1", "\ufeffp1\u200b"),
        ("p1", "p\u200d1\u00ad"),
        ("p 1", "p\u00a01"),
        ("p 1", " p\u202f1\t"),
        ("p-1", "p\u20111"),
        ("P12", "\uff3012"),
        ("12", "\uff11\uff12"),
        ("a\u3000b", "a b"),
        ("p1", "p1\x00"),
    ],
)
def test_what_cannot_be_seen_does_not_count(one, other):
    assert names.clean(one) == names.clean(other)


@pytest.mark.parametrize(
    "one, other",
    [("p1", "P1"), ("p1", "p 1"), ("12", "012"), ("a-1", "a\u20131"), ("x2", "x\u00b2")]
    + [("1 2", "12"), ("12", "12.5"), ("1.2", "1,2"), ("12", "-12")],
)
def test_what_can_be_seen_counts_for_patients(one, other):
    assert names.plain_id(one) != names.plain_id(other)


@pytest.mark.parametrize("text", ["12.0", "12.00", "12,0", "\u200b12.0 ", "12"])
def test_numbers_as_programs_write_them(text):
    assert names.plain_id(text) == "12"


@pytest.mark.parametrize("text", ["", "S1.0", "1.2.0", "0.5", "12.01", "1e5", ".0"])
def test_other_text_is_no_such_number(text):
    assert names.plain_id(text) == text


@pytest.mark.parametrize(
    "one, other",
    [
        ("CARESTREAM  HEALTH", "Carestream Health"),
        ("Agfa-Gevaert", "AGFA \u2013 gevaert"),
    ]
    + [("1.0", "1"), ("Stra\u00dfe", "STRASSE")],
)
def test_sites(one, other):
    assert names.folded_site(one) == names.folded_site(other)


@pytest.mark.parametrize(
    "one, other, are_like",
    [("P 012", "p12", True), ("12", "012", True), ("P1", "P10", False)]
    + [("P100", "P1", False), ("a1", "a\u2003 1", True)],
)
def test_names_that_may_be_slips(one, other, are_like):
    assert (names.likeness(one) == names.likeness(other)) is are_like


@pytest.mark.parametrize(
    "name, found",
    [
        ("P_1.dcm", ["P_1.dcm"]),
        ("P_1", ["P_1.dcm"]),
        ("p_1.PNG", ["P_1.dcm"]),
        ("old/films/P_1.dcm", ["P_1.dcm"]),
        ("C:\\films\\p_1", ["P_1.dcm"]),
        ("a1", ["a1.png"]),
        ("A1", ["A1.png"]),
        ("a1.PNG", ["a1.png", "A1.png"]),
        ("two.dcm", ["two.dcm"]),
        ("TWO.png", ["two.png"]),
        ("two", ["two.png", "two.dcm"]),
        ("12.0", ["12.png"]),
        ("12", ["12.png"]),
        ("012", ["012.png"]),
        ("0012", []),
        ("scan\u00a01", ["scan 1.png"]),
        ("scan1", []),
        (NFC, [NFD]),
        (NFC.removesuffix(".png").upper(), [NFD]),
        ("", []),
        ("none", []),
    ],
)
def test_images_of_a_folder(name, found):
    files = ["P_1.dcm", "a1.png", "A1.png", "two.png", "two.dcm", "12.png", "012.png"]
    index = Names((file, file) for file in [*files, "scan 1.png", NFD])
    assert index.find(name) == found


@pytest.mark.parametrize(
    "name, found",
    [
        ("x/a", [1, 3]),
        ("X\\A.PNG", [1, 3]),
        ("z/a", []),
        ("data/y/a.png", [2]),
        ("a", [1, 2, 3]),
        ("./a.png", [1, 2, 3]),
        ("u/x/a", [1]),
        ("v/x/a", [3]),
    ],
)
def test_folders_of_paths(name, found):
    index = Names([("u/x/a.png", 1), ("y/a.png", 2), ("v/x/a.png", 3)])
    assert index.find(name) == found


def test_all_folders_of_a_path_are_better_than_some():
    index = Names([("x/a.png", 1), ("y/x/a.png", 2)])
    assert index.find("x/a") == [1]
    assert index.find("y/x/a") == [2]


def test_folders_that_only_choose():
    index = Names(
        [("imgs/a.png", 1), ("imgs_r2/a.png", 2), ("imgs/b.png", 3)],
        folders_count=False,
    )
    assert index.find("old/b") == [3]
    assert index.find("imgs_r2/a.dcm") == [2]
    assert index.find("a") == index.find("old/a") == [1, 2]


def test_slips():
    index = Names((file, file) for file in ["00000123.png", "film 7.png", "b1.png"])
    assert index.slip("123") == (
        " Did you mean '00000123.png'? Spreadsheet programs drop leading zeros."
    )
    assert index.slip("Film7") == " Did you mean 'film 7.png'?"
    assert "keep the column as text" in index.slip("3.4E+06")
    assert "keep the column as text" not in index.slip("1E5")
    assert index.slip("b2") == ""
    assert index.nearest("b2.png") == " Did you mean 'b1.png'?"
