"""Fields that are mixed up."""

import pytest

from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.fields import exchanged_field, exchanged_tasks, repeated_terms


def zone(name, field, **facts):
    facts = {"kind": "ordinal", "classes": ("0", "1"), **facts}
    return make_task(name=name, sources={"ward": field}, **facts)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"a": "b", "b": "a"}, "a"),
        ({"a": "x", "b": "a", "c": "y"}, "b"),
        ({"pleural effusion": "x", "b": "Pleural_Effusion"}, "b"),
        ({"a": "a", "b": "b"}, None),
        ({"a": "x", "b": "y"}, None),
        # Two labels that differ in case alone.
        ({"t1": "T1", "T1": "t1"}, None),
        # Names without letters.
        ({"+": "-", "-": "x"}, "+"),
        ({"+": "!", "-": "?"}, None),
    ],
)
def test_a_label_does_not_take_the_field_with_the_name_of_another(fields, wrong):
    found = exchanged_field(fields)
    assert (found and found[0]) == wrong


def test_tasks_that_are_read_in_other_ways_may_share_a_field():
    severity = zone("severity", "severity", classes=("0", "1", "2"))
    is_severe = zone("is_severe", "severity", kind="binary", cut_points=(2,))
    alike = [zone("left", "right"), zone("right", "left")]
    assert list(exchanged_tasks([severity, is_severe], "ward")) == []
    # Read alike, the field is that of both.
    same = [severity, zone("again", "severity", classes=("0", "1", "2"))]
    assert list(exchanged_tasks(same, "ward")) == []
    names = [name for name, _ in exchanged_tasks([severity, *alike], "ward")]
    assert names == ["left"]
    assert list(exchanged_tasks(alike, "clinic")) == []


def test_a_sum_counts_no_label_twice():
    zones = [zone("z0", "scores[0]"), zone("z1", "scores[0]")]
    expected = "'scores[0]' is the field of both z0 and z1"
    assert repeated_terms(zones, "ward") == expected
    assert repeated_terms([zones[0], zone("z1", "scores[1]")], "ward") is None
    above = [zone(f"z{k}", "age", kind="binary", cut_points=(k,)) for k in (50, 70)]
    assert repeated_terms(above, "ward") is None
