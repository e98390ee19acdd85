"""Columns as text: numbers, dates, what means unknown."""

import pytest

from mdmt_tf.planning.columns import Column


def marks(cells, name="x"):
    return {m.text: m.sure for m in Column(name, tuple(cells)).markers}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["0", "1", "0", "99"], {"99": True}),
        (["0", "1", "1", "9"], {"9": True}),
        (["0", "1", "2", "-1"], {"-1": True}),
        (["1", "2", "n/a", "N/A", ""], {"n/a": True, "N/A": True}),
        (["1", "2", "unknown"], {"unknown": True}),
        (["1", "2", "none"], {"none": True}),
        (["1", "2", "3", "-"], {"-": True}),
        (["45", "67", "81", "999"], {"999": True}),
        # Ages, scores and offsets of these values are what they are.
        (["45", "67", "81", "99"], {}),
        ([*map(str, range(19))], {}),
        (["-3", "4", "0", "-1"], {}),
        # Words that are classes.
        (["none", "mild", "severe"], {}),
        (["+", "-", "+"], {}),
        (["a", "b", "c", "-"], {"-": False}),
        (["7", "7", "99"], {}),
    ],
)
def test_what_means_unknown_has_a_reason(cells, expected):
    assert marks(cells) == expected
    assert all(m.reason for m in Column("x", tuple(cells)).markers)


def test_minus_one_is_a_day_in_a_column_of_days():
    assert marks(["0", "3", "5", "-1"], "death_offset") == {}
    assert marks(["0", "3", "5", "-1"], "score") == {"-1": True}


def test_known_cells_are_without_what_means_unknown():
    column = Column("x", ("1", "", "n/a", "2", "weg"), frozenset({"weg"}))
    assert column.or_empty == ("1", "", "", "2", "")
    assert column.numbers == (1.0, 2.0) and column.is_whole


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("x", ["2020-01-02", "2021-12-31"], True),
        ("x", ["2.1.2020", "31/12/2021"], True),
        ("x", ["20200102", "2020-01-02 12:30"], True),
        ("x", ["2020", "2021"], False),
        ("icu_offset", ["1", "2"], True),
        ("days_to_icu", ["1", "2"], True),
        ("day", ["-1", "2"], True),
        ("days in hospital", ["1", "2"], False),
        ("death_offset", ["yes", "no"], False),
        ("x", [""], False),
    ],
)
def test_dates_and_distances_of_days_are_times(name, cells, expected):
    assert Column(name, tuple(cells)).is_time is expected


def test_codes_with_leading_zeros_are_no_numbers():
    assert Column("x", ("007", "123")).numbers is None
    assert Column("x", ("0.5", "0", "-0.5")).numbers == (0.5, 0, -0.5)


def test_a_constant_is_told_from_a_flag_that_is_only_known_if_set():
    assert Column("x", ("a", "a")).is_constant
    assert Column("x", ("", "")).is_constant
    assert not Column("x", ("a", "")).is_constant
