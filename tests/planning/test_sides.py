"""Labels that depend on what is left and right in an image."""

import dataclasses

import pytest

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import make_label
from mdmt_tf.planning.sides import find_sides

CELLS = ("0", "1", "2") * 10


def labels(*columns, possible=(), cells=CELLS):
    """Labels of these columns, and of those that are only possible."""
    patients = [str(n) for n in range(len(cells))]
    made = [
        make_label(name.lower(), Column(name, cells), patients)
        for name in (*columns, *possible)
    ]
    return [
        dataclasses.replace(x, against="not named" if x.column in possible else "")
        for x in made
    ]


@pytest.mark.parametrize(
    "column", ["left effusion", "RightLower", "RUL", "score_lt", "lunge links", "side"]
)
def test_names_of_sides_are_sure(column):
    assert find_sides(labels(column), {}).startswith("no exchange of left and right")


def test_classes_that_are_sides_are_sure():
    found = find_sides(labels("stroke", cells=("left", "right", "none") * 10), {})
    assert found.startswith("no exchange of left and right: stroke has sides")


@pytest.mark.parametrize(
    "columns",
    [
        "ABCDEF",
        ["zone_1", "zone_2"],
        ["Zone1", "Zone2"],
        ["zoneA", "zoneB"],
        ["L_upper", "R_upper"],
        ["z0", "z12"],
    ],
)
def test_columns_that_differ_in_a_letter_or_number_may_be_places(columns):
    found = find_sides(labels(*columns), {})
    assert found.startswith("unsure: ") and ", ".join(columns) in found
    # One of them depends on the side, too, when the others are not predicted.
    first, *others = columns
    assert find_sides(labels(first, possible=others), {}) == found


@pytest.mark.parametrize(
    "columns",
    [
        ["severity"],
        ["A"],
        ["death", "age"],
        ["grade_1", "stage_2"],
        ["mortality_30_days", "mortality_90_days"],
    ],
)
def test_other_labels_do_not_depend_on_the_side(columns):
    assert find_sides(labels(*columns), {}) == ""


def test_what_is_not_predicted_does_not_matter():
    assert find_sides(labels("died", possible=("A", "B", "left lung")), {}) == ""


def test_a_part_of_a_sum_may_be_of_a_place_and_the_sum_is_not():
    sums = {"total": ("apex", "middle", "base")}
    found = find_sides(labels("base", possible=("total",)), sums)
    assert found.startswith("unsure: base is a part of total")
    assert find_sides(labels("total", possible=("apex", "base")), sums) == ""
