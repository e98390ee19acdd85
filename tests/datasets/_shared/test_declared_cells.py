"""What the cells of a declared dataset mean."""

import math

import pytest

from mdmt_tf.config.declaration import UNKNOWN, KeepSection
from mdmt_tf.datasets._shared.declared_cells import (
    Cell,
    ClassLabel,
    EventLabel,
    Marks,
    Number,
    Words,
    check_keep,
    is_numeric,
    plain,
)
from mdmt_tf.datasets._shared.table_rows import LeftOut, RowError

MARKS = Marks(["", "n/a", "99"])


def cell(text, decimal="."):
    return Cell(text, "x", "t.csv:7", decimal=decimal)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", "1"),
        ("1.00", "1"),
        ("-2.50", "-2.5"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("+3", "3"),
        ("10", "10"),
        ("01", "01"),
        ("001101", "001101"),
        ("1.2.3", "1.2.3"),
        ("home", "home"),
        ("1e3", "1e3"),
        ("", ""),
    ],
)
def test_equal_numbers_are_equal_texts(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize("text", ["", "n/a", "N/A", "99", "99.0", "99.00"])
def test_marks_in_every_spelling(text):
    assert MARKS.has(cell(text))


@pytest.mark.parametrize("text", ["0", "9", "099", "999", "na"])
def test_other_cells_are_known(text):
    assert not MARKS.has(cell(text))


def test_marks_with_a_decimal_comma():
    assert Marks(["9.5"]).has(cell("9,50", ","))


def test_classes_by_text_and_number():
    label = ClassLabel({"0": "home", "1": "icu", "dead": "icu"}, MARKS)
    texts = ["0", "0.0", "1", "dead", "n/a"]
    assert [label.value(cell(text)) for text in texts] == [
        "home",
        "home",
        "icu",
        "icu",
        "",
    ]


@pytest.mark.parametrize(("text", "decimal"), [("1,5", ","), ("1.250", "?")])
def test_texts_of_a_declaration_are_those_of_the_table(text, decimal):
    """Whatever the sign before the decimals of the column is."""
    own = cell(text, decimal)
    label = ClassLabel({text: "mild", "2": "severe"}, MARKS)
    assert (label.value(own), label.value(cell("2", decimal))) == ("mild", "severe")
    assert Marks([text]).has(own)
    check_keep(KeepSection.model_validate({"in": [text]}), own, MARKS)
    with pytest.raises(LeftOut):
        check_keep(KeepSection(not_in=(text,)), own, MARKS)


def test_numbers_of_a_declaration_have_points():
    label = ClassLabel({"1.5": "mild", "2": "severe"}, MARKS)
    assert label.value(cell("1,50", ",")) == "mild"
    check_keep(KeepSection.model_validate({"in": ["1.5"]}), cell("1,50", ","), MARKS)


# As programs show them in English, German, French, Italian, Spanish and Dutch.
TRUTH = [
    *[("TRUE", "FALSE"), ("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("VERO", "FALSO")],
    *[("VERDADERO", "FALSO"), ("WAAR", "ONWAAR")],
]


@pytest.mark.parametrize(("true", "false"), TRUTH)
def test_truth_values_of_spreadsheets_are_classes_and_events(true, false):
    """They are read as 1 and 0, in a text file as they are shown."""
    label = ClassLabel({true: "dead", false: "alive"}, MARKS)
    values = [label.value(cell(text)) for text in (true, "1", false, "0")]
    assert values == ["dead", "dead", "alive", "alive"]
    event = EventLabel(("alive", "died"), MARKS)
    for text in (true, true.title(), "1"):
        assert event.value(cell(text)) == "died"
    with pytest.raises(RowError, match="for died a date"):
        event.value(cell(false))
    for one, other in ((true, "1"), ("1", true), ("true", true), (false, "0")):
        check_keep(KeepSection.model_validate({"in": [one]}), cell(other), MARKS)
    with pytest.raises(LeftOut):
        check_keep(KeepSection(not_in=(false,)), cell("0"), MARKS)


@pytest.mark.parametrize("text", ["2", "01", "Home", "yes", "0;1"])
def test_a_cell_of_no_class_is_not_guessed(text):
    label = ClassLabel({"0": "home", "1": "icu", "home": "home"}, MARKS)
    with pytest.raises(RowError) as error:
        label.value(cell(text))
    assert f"x = {text!r}, expected 0, 1, home, or for unknown 'n/a', '99'" in str(
        error.value
    )


def test_the_nearest_class_is_named():
    label = ClassLabel({"mild": "mild", "severe": "severe"}, MARKS)
    for text in ("sever", "SEVERE"):
        with pytest.raises(RowError, match=r"Did you mean 'severe'\? Add it to"):
            label.value(cell(text))


def test_an_event_happened_where_its_cell_is_known():
    label = EventLabel(("alive", "died"), Marks(("n/a", "0")))
    assert [label.value(cell(text)) for text in ("", "N/A", "0.0", "2020-01-02")] == [
        "alive",
        "alive",
        "alive",
        "died",
    ]


@pytest.mark.parametrize(
    "text",
    ["2020-01-02", "2.1.20", "Jan 2, 2020", "2020-01-02T14:30:00Z", "14:30", "3", "-2"]
    + ["0.5", "3 days", "43831.5", "yes", "X", "true", "Ja", "S\xec", "died", "Died"],
)
def test_what_says_when_or_that_it_happened_is_an_event(text):
    assert EventLabel(("alive", "died"), Marks(())).value(cell(text)) == "died"


@pytest.mark.parametrize(
    "text",
    ["no", "0", "FALSE", "-", "n/a", "none", "?", "#N/A", "alive", "Alive", "0.0"]
    + ["nein", "k.A.", "n.a.", "not applicable", "alive at discharge", "censored"]
    + ["0000-00-00", "1900-01-00", "9999-12-31", "00:00:00", "0 days", "nan", "inf"]
    + ["<1", "2020-01-02?", "pneumonia"],
)
def test_what_does_not_say_that_it_happened_is_no_event(text):
    with pytest.raises(RowError) as error:
        EventLabel(("alive", "died"), Marks(())).value(cell(text))
    assert f"x = {text!r}, expected" in str(error.value)
    label = EventLabel(("alive", "died"), Marks((text,)))
    if not text.startswith("#"):
        assert label.value(cell(text)) == "alive"


def test_an_event_in_no_row_is_unknown_where_the_table_has_rows_without_one():
    nothing = Cell("", "x", "t.csv:7", is_there=False)
    assert EventLabel(("alive", "died"), MARKS, lists_all=True).value(nothing) == ""
    # A list of deaths has no row of the others.
    assert EventLabel(("alive", "died"), MARKS).value(nothing) == "alive"


def test_what_may_be_in_a_row_that_is_not_joined_has_neither_happened_nor_not():
    doubtful = Cell("", "x", "t.csv:7", is_there=False, doubt="'12' is like '012'.")
    message = r"bad value: x is in doubt: '12' is like '012'\."
    with pytest.raises(RowError, match=message):
        EventLabel(("alive", "died"), MARKS).value(doubtful)
    for keep in ({"known": False}, {"not_in": ["dead"]}):
        with pytest.raises(RowError, match=message) as error:
            check_keep(KeepSection(**keep), doubtful, MARKS)
        assert not isinstance(error.value, LeftOut)
    with pytest.raises(LeftOut):
        check_keep(KeepSection(known=True), doubtful, MARKS)
    assert ClassLabel({"0": "a"}, MARKS).value(doubtful) == ""
    assert EventLabel(("alive", "died"), MARKS, lists_all=True).value(doubtful) == ""


@pytest.mark.parametrize("text", ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?"])
def test_errors_of_spreadsheets_are_no_values(text):
    kinds = (Words, Number, lambda marks: EventLabel(("a", "b"), marks))
    for kind in kinds:
        with pytest.raises(RowError, match="x = '#.*expected"):
            kind(MARKS).value(cell(text))
        assert kind(Marks((text,))).value(cell(text)) != text


def test_one_text_in_two_unicode_forms():
    one, other = "K\u00f6ln", "Ko\u0308ln"
    for a, b in ((one, other), (other, one)):
        assert ClassLabel({a: "x", "y": "y"}, MARKS).value(cell(b)) == "x"
        assert Marks((a,)).has(cell(b))
        assert left_out({"not_in": [a]}, b) is not None
        assert Words(MARKS).value(cell(a)) == Words(MARKS).value(cell(b))


def test_numbers():
    number = Number(MARKS)
    assert number.value(cell("3.50")) == 3.5
    assert number.value(cell("-1")) == -1  # not unknown here
    assert number.value(cell("3,5", ",")) == 3.5
    assert math.isnan(number.value(cell("99.0")))


@pytest.mark.parametrize("text", ["<5", "3,5", "1,100", "inf", "1_000", "3 days", "-"])
def test_what_is_no_number(text):
    with pytest.raises(RowError, match="expected a number, or for unknown"):
        Number(MARKS).value(cell(text))


def test_a_long_cell_is_cut_in_messages():
    with pytest.raises(RowError) as error:
        Number(MARKS).value(cell(100_000 * "x"))
    assert len(str(error.value)) < 300


def test_words():
    assert Words(MARKS).value(cell("AP")) == "AP"
    assert Words(MARKS).value(cell("N/A")) == ""


def test_identifiers_are_not_numeric():
    assert [is_numeric(cell(t)) for t in ("12", "-0.5", "0", "007", "1e3", "x")] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


def left_out(keep, text, marks=MARKS):
    """The condition that leaves a row out; None if it is kept."""
    try:
        check_keep(KeepSection.model_validate(keep), cell(text), marks)
    except LeftOut as error:
        return error.kind
    return None


@pytest.mark.parametrize(
    ("keep", "text", "expected"),
    [
        ({"min": 0}, "0", None),
        ({"min": 0}, "-0.5", "x below 0"),
        ({"max": 10}, "10", None),
        ({"max": 10}, "10.5", "x above 10"),
        ({"min": 0, "max": 10}, "5", None),
        ({"min": 0}, "99", "x unknown"),
        ({"in": ["PA", "AP"]}, "AP", None),
        ({"in": ["PA", "AP"]}, "L", "x not in PA, AP"),
        ({"in": ["PA", "AP"]}, "", "x unknown"),
        ({"in": ["PA", "n/a"]}, "n/a", None),
        ({"in": [1]}, "1.0", None),
        ({"not_in": ["L"]}, "L", "x in L"),
        ({"not_in": ["L"]}, "PA", None),
        ({"not_in": ["Lateral"]}, "LATERAL", "x in Lateral"),
        ({"in": ["PA"]}, "pa", None),
        # Truth values of spreadsheets.
        ({"not_in": ["true"]}, "1", "x in true"),
        ({"in": ["FALSE"]}, "0", None),
        ({"in": ["FALSE"]}, "1", "x not in FALSE"),
        ({"in": ["0"]}, "FALSE", None),
        ({"not_in": ["L"]}, "", None),
        ({"known": True}, "0", None),
        ({"known": True}, "n/a", "x unknown"),
        ({"known": False}, "n/a", None),
        ({"known": False}, "0", "x known"),
    ],
)
def test_conditions(keep, text, expected):
    assert left_out(keep, text) == expected


def test_a_condition_that_cannot_be_decided_rejects():
    with pytest.raises(RowError) as error:
        left_out({"min": 0}, "late")
    assert not isinstance(error.value, LeftOut)
    assert "x = 'late', expected a number" in str(error.value)


def test_the_usual_marks():
    assert all(Marks(UNKNOWN).has(cell(text)) for text in ("NaN", "None", "?", ""))
