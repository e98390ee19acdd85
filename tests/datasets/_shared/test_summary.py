"""The closing table of a preparation."""

from mdmt_tf.datasets._shared import summary


def test_many_sites_are_summed_up():
    sites = {f"s{index:02}": 30 - index for index in range(20)}
    rows = summary.largest(sites)
    assert rows[:8] == [(f"s{index:02}", 30 - index) for index in range(8)]
    assert rows[8] == ("12 others", sum(30 - index for index in range(8, 20)))
    assert summary.largest({"b": 1, "a": 5, "c": 9}) == [
        ("a", 5),
        ("b", 1),
        ("c", 9),
    ]
