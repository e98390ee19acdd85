"""Which numbers stand for unknown."""

import pytest

from mdmt_tf.datasets._shared.number_codes import find_codes


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 1, 99], {99: True}),
        ([0, 1, 9], {9: True}),
        ([0, 1, 2, -1], {-1: True}),
        ([*range(12), 999, -9, 9], {-9: True, 999: True}),
        ([*range(40, 100), 250, 999], {999: False}),
        ([45, 67, 81, 99], {}),
        ([7, 99], {}),
        ([-3, 4, 0, -1], {}),
        ([1, 2, 500], {}),  # no usual code
        ([], {}),
    ],
)
def test_usual_codes_far_from_all_other_numbers(numbers, expected):
    assert {c.number: c.sure for c in find_codes("x", numbers)} == expected


def test_minus_one_is_a_day_in_a_column_of_days():
    assert [c.number for c in find_codes("death_offset", [0, 3, 5, -1, 999])] == [999]
