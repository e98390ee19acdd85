"""Variables that are no numbers any more."""

import keras
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.finite import check_finite, not_finite


def variables():
    values = {"good": [1.0, 2.0], "nan": [1.0, float("nan")], "inf": [float("-inf")]}
    made = [keras.Variable(value, name=name) for name, value in values.items()]
    return [*made, keras.Variable([3], dtype="int32", name="count")]


def test_nan_and_infinity_are_found_by_name():
    assert not_finite(variables()) == ["nan", "inf"]


def test_the_message_names_the_file_and_the_variable():
    with pytest.raises(DataError, match=r"start\.h5: .* in nan and 1 more\. Choose an"):
        check_finite(variables(), "start.h5", "Choose another.")
    check_finite(variables()[:1], "start.h5", "Choose another.")
