"""Merging of repeated rows, and the values that count as unknown."""

from pathlib import Path

import numpy as np
import pytest

from mdmt_tf.datasets._shared.image_records import (
    Record,
    Refused,
    is_unknown,
    merge_repeats,
    read_fields,
)
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import RowError, TableRow


def record(number, image_id="a", patient_id="p", site="A", faults=(), **labels):
    row = TableRow("t.csv", number, {})
    path = Path(f"{image_id}.png")
    return Record(image_id, patient_id, site, path, row, labels, faults)


ERROR = RowError("bad value", "y = 'x'")


@pytest.mark.parametrize(
    "value, unknown",
    [("", True), ("x", False), (-1, True), (0, False), (np.nan, True)]
    + [(-1.0, False), (0.0, False), (np.int8(-1), True)]
    + [(np.full(6, -1, np.int8), True), (np.array([-1, 0], np.int8), False)],
)
def test_unknown(value, unknown):
    assert is_unknown(value) is unknown


def test_equal_rows_become_one_in_the_first_place():
    rejections = Rejections()
    records = [record(2, y=1), record(3, image_id="b", y=0), record(4, y=1)]
    merged, repeated = merge_repeats(records, rejections)
    assert [(r.image_id, r.row.number) for r in merged] == [("a", 2), ("b", 3)]
    assert (repeated, len(rejections)) == (1, 0)


def test_rows_complete_each_other():
    scores = np.array([0, 1, 2, 3, 0, 1], np.int8)
    merged, _ = merge_repeats(
        [
            record(2, site="", y=-1, age=np.nan, z=scores * 0 - 1),
            record(3, site="B", y=1, age=60.0, z=scores),
        ],
        Rejections(),
    )
    (one,) = merged
    assert (one.site, one.labels["y"], one.labels["age"]) == ("B", 1, 60.0)
    np.testing.assert_array_equal(one.labels["z"], scores)
    assert set(one.labels) == {"y", "age", "z"}


def test_the_first_age_stays():
    ((one,), _) = merge_repeats(
        [record(2, age=60.0), record(3, age=61.0)], Rejections()
    )
    assert one.labels["age"] == 60.0


def test_an_age_that_is_a_label_must_not_differ():
    rejections = Rejections()
    rows = [record(2, age=60.0), record(3, age=61.0)]
    assert merge_repeats(rows, rejections, descriptive=()) == ([], 0)
    assert rejections.by_kind() == {"contradictory rows": 2}


@pytest.mark.parametrize(
    "other, message",
    [
        ({"y": 0}, "y is 1 in t.csv:2 and 0 in t.csv:3"),
        ({"y": 1, "site": "B"}, "site is A in t.csv:2 and B in t.csv:3"),
        ({"y": 1, "patient_id": "q"}, "patient_id is p in t.csv:2 and q in t.csv:3"),
    ],
)
def test_all_rows_of_an_image_go_when_they_disagree(tmp_path, other, message):
    rejections = Rejections()
    merged, repeated = merge_repeats([record(2, y=1), record(3, **other)], rejections)
    assert (merged, repeated) == ([], 0)
    rejections.write(tmp_path)
    assert (tmp_path / "rejected.csv").read_text() == (
        "file,row,reason\n"
        f"a,t.csv:2,contradictory rows: {message}\n"
        f"a,t.csv:3,contradictory rows: {message}\n"
    )


def wrong(kind="bad value"):
    raise RowError(kind, "y = 'x'")


def test_a_label_that_cannot_be_read_costs_the_row_and_another_field_does_not():
    read = read_fields(
        labels={"y": (-1, wrong), "z": (-1, lambda: 2)},
        others={"age": (np.nan, wrong), "sex": ("", lambda: "f")},
    )
    values = read["labels"]
    assert (values["z"], values["sex"]) == (2, "f")
    assert isinstance(values["y"], Refused) and values["y"].unknown == -1
    assert read["faults"] == [values["y"].error]
    assert read["doubts"] == [values["age"].error]


@pytest.mark.parametrize(
    "labels, kinds",
    [
        ({"y": wrong, "z": lambda: 2}, ([], ["bad value"])),
        ({"y": wrong, "z": lambda: -1}, (["bad value"], [])),
        ({"y": wrong, "z": wrong}, (["bad value"] * 2, [])),
        ({"y": wrong}, (["bad value"], [])),
        ({"y": lambda: -1, "z": lambda: -1}, ([], [])),
        ({"y": lambda: wrong("x"), "z": lambda: 2}, (["x"], [])),
    ],
)
def test_an_independent_label_that_cannot_be_read_costs_no_other(labels, kinds):
    pairs = {name: (-1, label) for name, label in labels.items()}
    read = read_fields(pairs, {}, independent=True)
    for errors, expected in zip((read["faults"], read["doubts"]), kinds, strict=True):
        assert [error.kind for error in errors] == expected


def test_a_site_that_cannot_be_read_is_unknown():
    read = read_fields({}, {}, site=wrong)
    assert (read["site"], len(read["doubts"]), read["labels"]) == ("", 1, {})
    assert read_fields({}, {}, site=lambda: "A")["site"] == "A"


def test_a_field_that_contradicts_itself_costs_the_row():
    read = read_fields({}, {"sex": ("", lambda: wrong("contradictory rows"))})
    assert [error.kind for error in read["faults"]] == ["contradictory rows"]
    assert read["doubts"] == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_refused_cell_sets_no_label_not_even_through_another_row(order):
    rows = [
        record(2, faults=(ERROR,), y=Refused(ERROR, -1), z=-1, age=50.0),
        record(3, y=1, z=-1, age=np.nan),
    ]
    ((one,), repeated) = merge_repeats(rows[::order], Rejections())
    assert (one.row.number, one.labels["y"], repeated) == (3, -1, 0)
    # A refused row gives no values.
    assert one.labels["z"] == -1 and np.isnan(one.labels["age"])


def test_a_field_that_is_refused_in_one_row_is_unknown():
    rows = [record(2, y=1, age=60.0), record(3, y=1, age=Refused(ERROR, np.nan))]
    ((one,), repeated) = merge_repeats(rows, Rejections())
    assert np.isnan(one.labels["age"])
    assert (one.labels["y"], repeated) == (1, 1)
    ((one,), _) = merge_repeats(rows[1:], Rejections())
    assert np.isnan(one.labels["age"])


def test_a_refused_row_can_contradict():
    rejections = Rejections()
    rows = [
        record(2, faults=(ERROR,), patient_id="q", y=Refused(ERROR, -1)),
        record(3, y=1),
    ]
    assert merge_repeats(rows, rejections) == ([], 0)
    assert rejections.examples() == [
        "a: contradictory rows: patient_id is p in t.csv:3 and q in t.csv:2"
    ]


def test_an_image_of_refused_rows_only_is_none():
    rejections = Rejections()
    rows = [record(n, faults=(ERROR,), y=Refused(ERROR, -1)) for n in (2, 3)]
    assert merge_repeats(rows, rejections) == ([], 0)
    assert len(rejections) == 0  # who reads the rows lists them
