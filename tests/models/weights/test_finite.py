"""Weights that are not finite."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.models.weights.finite import check_finite


def test_numbers_that_are_not_finite_are_named():
    arrays = {"a": np.ones(3), "b": np.array([1, np.nan, np.inf]), "c": np.array(["x"])}
    arrays["d"] = np.array([1e39])  # infinite in float32
    with pytest.raises(DataError) as raised:
        check_finite("net.pth", arrays)
    text = str(raised.value)
    assert text.startswith("net.pth: expected finite numbers.")
    assert "2 of 3 numbers of b are not; c of the type <U1; 1 of 1 numbers of d" in text
    check_finite("net.pth", {"a": np.ones(3), "count": np.array(5)})
