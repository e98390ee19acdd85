"""What messages suggest."""

import pytest

from mdmt_tf.errors import closest, nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pid", "pid"),
        ("PID", "pid"),
        ("PATIENT", "Patient"),
        ("patent", "Patient"),
        ("NAME", "NAMES"),  # of two spellings the nearer one
        ("x", None),
        ("p" * 1000, None),
    ],
)
def test_the_nearest_name_in_any_case(word, expected):
    names = ["pid", "Patient", "names", "NAMES"]
    assert closest(word, names) == expected
    hint = f" Did you mean {expected!r}?" if expected else ""
    assert nearest(word, names) == hint


def test_an_exact_name_is_nearer_than_another_spelling():
    for names in (["died", "Died"], ["Died", "died"]):
        assert closest("died", names) == "died"
        assert closest("Died", names) == "Died"
