"""What tasks of classes have in common: factors of the loss, and texts."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.tasks import make_task

TASK = make_task(name="t", kind="categorical", classes=("a", "b", "c"))


@pytest.mark.parametrize(
    "setting, counts, expected",
    [
        # 12 / (3 n_c)
        ("balanced", [2, 4, 6], [2.0, 1.0, 2 / 3]),
        ((1.0, 5.0, 0.5), [2, 4, 0], [1.0, 5.0, 0.5]),
        (None, [2, 4, 0], [1.0, 1.0, 1.0]),
    ],
)
def test_class_weights(setting, counts, expected):
    task = dataclasses.replace(TASK, class_weights=setting)
    weights = task.class_factors(np.array(counts))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_balanced_without_a_row_of_a_class():
    task = dataclasses.replace(TASK, class_weights="balanced")
    with pytest.raises(DataError, match="class 'b' has no image in the training split"):
        task.class_factors(np.array([1, 0, 1]))


def test_a_mixture_is_named_by_its_parts():
    assert TASK.mixture_text([0.0, 1.0, 0.0]) == "b"
    assert TASK.mixture_text([0.25, 0.75, 0.0]) == "0.25 a, 0.75 b"
