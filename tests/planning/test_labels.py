"""Labels: classes and their order, numbers, which of them are used."""

import pytest

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import make_label


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
        (["WAHR", "FALSCH"], "binary", {"FALSCH": "FALSCH", "WAHR": "WAHR"}),
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
        ("S-Global", [str(n) for n in range(19)], None),
        ("age_months", [str(n) for n in range(30, 60)], "months"),
        ("los_hours", ["1.5", "2", "3"], "hours"),
        ("los", ["1.5", "2", "3"], "days"),
        ("stay_days", ["1.5", "2", "3"], "days"),
        ("volume (ml)", ["1.5", "2", "3"], "ml"),
        ("age", [str(n) for n in range(30, 60)], "years"),
    ],
)
def test_numbers_have_the_unit_that_their_name_tells(name, cells, unit):
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
    # As often both: the positive one.
    label = label_of(["0", "1", "1", "0"], patients=["a", "a", "b", "b"])
    assert label.patients == {"no": 0, "yes": 2}


def test_rare_classes_are_put_together():
    label = label_of(["a"] * 20 + ["b"] * 9 + ["c"] * 4 + ["d"])
    assert label.patients == {"a": 20, "b": 9, "other": 5} and not label.sure
    assert label.classes["c"] == label.classes["d"] == "other"
