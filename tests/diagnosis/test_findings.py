"""Levels, order and exit status of findings."""

import pytest

from mdmt_tf.diagnosis.findings import (
    NOTE,
    SERIOUS,
    WARNING,
    Finding,
    counts,
    exit_status,
    ordered,
)


def of(*levels):
    return [
        Finding(level=x, kind="k", where="w", text=str(i)) for i, x in enumerate(levels)
    ]


def test_the_serious_ones_come_first_and_the_others_keep_their_order():
    found = ordered(of(NOTE, SERIOUS, WARNING, NOTE, SERIOUS))
    assert [finding.text for finding in found] == ["1", "4", "2", "0", "3"]
    assert counts(found) == {SERIOUS: 2, WARNING: 1, NOTE: 2}


@pytest.mark.parametrize(
    ("levels", "fail_on", "status"),
    [
        ((), "serious", 0),
        ((WARNING, NOTE), "serious", 0),
        ((SERIOUS,), "serious", 3),
        ((WARNING,), "warning", 3),
        ((SERIOUS,), "warning", 3),
        ((NOTE,), "warning", 0),
        ((SERIOUS,), "never", 0),
    ],
)
def test_exit_status(levels, fail_on, status):
    assert exit_status(of(*levels), fail_on) == status
