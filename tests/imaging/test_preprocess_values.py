"""Checks of single values of a preprocessing; the messages are in test_preprocess."""

import itertools

import pytest

from mdmt_tf.imaging.preprocess_values import check_orientation, limits, text_of


def test_the_48_orientations_are_accepted_and_no_other_letters():
    accepted = []
    for letters in itertools.product("RLAPSI", repeat=3):
        try:
            check_orientation("".join(letters))
            accepted.append(letters)
        except ValueError:
            pass
    assert len(accepted) == 6 * 2**3
    assert all(len({*"".join(axes)}) == 3 for axes in accepted)


@pytest.mark.parametrize("number", [0, 1, 0.5, -100, 99.5, 1e-4, 99999.9999, -0.25])
def test_the_text_of_a_number_is_short_and_exact(number):
    assert float(text_of(number)) == number
    assert "e" not in text_of(number)
    assert not text_of(number).endswith((".", ".0"))


def test_limits_are_floats():
    assert limits("window_hu", [-100, 300], -1000, 1000) == (-100.0, 300.0)
