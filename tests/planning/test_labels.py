"""Labels: classes and their order, numbers, which of them are used."""

import pytest

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import Label, find_sums, guess_labels, make_label


def label_of(cells, name="outcome", patients=None):
    patients = patients or [str(n) for n in range(len(cells))]
    return make_label("label", Column(name, tuple(cells)), patients)


@pytest.mark.parametrize(
    ("cells", "kind", "classes"),
    [
        (["0", "1"], "binary", {"0": "no", "1": "yes"}),
        (["0.0", "1.0"], "binary", {"0.0": "no", "1.0": "yes"}),
        (["yes", "no"], "binary", {"no": "no", "yes": "yes"}),
        (["Y", "N", "y"], "binary", {"N": "N", "Y": "Y", "y": "Y"}),
        (["severe", "mild"], "binary", {"mild": "mild", "severe": "severe"}),
        (["dead", "alive"], "binary", {"alive": "alive", "dead": "dead"}),
        (["1", "2"], "binary", {"1": "1", "2": "2"}),
        (["2", "3", "1"], "ordinal", {"1": "1", "2": "2", "3": "3"}),
        (
            ["severe", "none", "mild", "moderate"],
            "ordinal",
            {c: c for c in ("none", "mild", "moderate", "severe")},
        ),
        (["II", "I", "IV"], "ordinal", {"I": "I", "II": "II", "IV": "IV"}),
        (["tb", "flu", "copd"], "categorical", {c: c for c in ("copd", "flu", "tb")}),
    ],
)
def test_classes_and_their_order(cells, kind, classes):
    label = label_of(cells * 5)
    assert label.kind == kind and list(label.classes.items()) == list(classes.items())


def test_the_rarer_of_two_texts_without_a_sign_is_positive_and_unsure():
    label = label_of(["abc"] * 5 + ["xyz"] * 9)
    assert label.class_names == ("xyz", "abc") and not label.sure


@pytest.mark.parametrize(
    ("name", "cells", "unit"),
    [
        ("S-Global", [str(n) for n in range(19)], "points"),
        ("stay_days", ["1.5", "2", "3"], "days"),
        ("volume (ml)", ["1.5", "2", "3"], "ml"),
        ("age", [str(n) for n in range(30, 60)], "years"),
    ],
)
def test_numbers_have_a_unit(name, cells, unit):
    label = label_of(cells * 3, name)
    assert label.kind == "regression" and label.unit == unit and label.classes is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a"] * 9, "all known values are the same"),
        (["", "n/a"], "all known values are the same"),
        (["2020-01-01", "2021-01-01"], "dates"),
        ([f"text {n}" for n in range(40)], "different texts"),
        ([*map(str, range(40)), "inf"], "numbers, and text such as 'inf'"),
    ],
)
def test_what_is_no_label_says_why(cells, reason):
    assert reason in label_of(cells)


def test_a_patient_counts_once_by_its_most_frequent_class():
    cells, patients = ["0", "1", "1", "0"], ["a", "a", "a", "b"]
    label = label_of(cells, patients=patients)
    assert label.patients == {"no": 1, "yes": 1}
    assert (label.n_rows, label.n_patients, label.minority) == (4, 2, 1)


def test_rare_classes_are_put_together():
    label = label_of(["a"] * 20 + ["b"] * 9 + ["c"] * 4 + ["d"])
    assert label.patients == {"a": 20, "b": 9, "other": 5} and not label.sure
    assert label.classes["c"] == label.classes["d"] == "other"


def guesses(n=40, **cells):
    columns = {name: Column(name, tuple(texts)) for name, texts in cells.items()}
    return {
        label.column: label.against
        for label in guess_labels(columns, ["file"], [str(i) for i in range(n)])
    }


HALF = ["0", "1"] * 20


def test_names_of_outcomes_are_used_and_others_are_possible():
    found = guesses(file=[f"{n}.png" for n in range(40)], died=HALF, smokes=HALF)
    assert found == {"died": "", "smokes": "its name is no outcome"}


def test_without_an_outcome_the_best_column_is_taken():
    found = guesses(few=["0"] * 39 + ["1"], half=HALF)
    assert found["half"] == "" and found["few"]


def test_a_class_of_fewer_than_ten_patients_supports_nothing():
    assert guesses(died=HALF, severe=["0"] * 31 + ["1"] * 9) == {
        "died": "",
        "severe": "9 patients in its smallest class",
    }
    assert guesses(died=HALF, severe=["0"] * 30 + ["1"] * 10)["severe"] == ""


def test_dates_ids_and_bookkeeping_are_no_labels():
    found = guesses(
        died=HALF,
        death_offset=[str(n) for n in range(40)],
        patient_no=["1", "2"] * 20,
        license=["a", "b"] * 20,
        target_id=[f"x{n}" for n in range(40)],
    )
    assert found == {"died": ""}


def test_parts_of_a_score_are_left_to_their_sum_and_a_second_reader_to_the_first():
    n = range(60)
    parts = {
        "A": [i % 4 for i in n],
        "B": [i // 4 % 4 for i in n],
        "C": [i // 2 % 4 for i in n],
        "D": [i // 3 % 3 for i in n],
    }
    total = [sum(values) for values in zip(*parts.values(), strict=True)]
    cells = {name: [str(v) for v in values] for name, values in parts.items()}
    cells["Total"] = [str(v) for v in total]
    cells["Score2"] = [str(max(0, v - (i % 9 == 0))) for i, v in enumerate(total)]
    found = guesses(60, **cells)
    assert found["Total"] == ""
    assert {found[p] for p in "ABCD"} == {"a part of the sum Total"}
    assert found["Score2"] == "nearly the same as Total, another reader?"


def test_sums_may_stand_before_their_parts_and_zeros_are_no_sum():
    columns = {"t": "636", "a": "121", "b": "211", "c": "304"}
    made = {k: Column(k, tuple(v)) for k, v in columns.items()}
    assert find_sums(made) == {"t": ("a", "b", "c")}
    zeros = {k: Column(k, ("0", "0", "0")) for k in "abcd"}
    assert find_sums(zeros) == {}


def test_a_label_is_named_like_its_column_unless_that_is_taken():
    columns = {
        "Site": Column("Site", tuple(HALF)),
        "Dead?": Column("Dead?", tuple(HALF)),
    }
    found = guess_labels(columns, [], [str(i) for i in range(40)])
    assert [label.name for label in found] == ["dead", "site_label"]
    assert all(isinstance(label, Label) for label in found)
