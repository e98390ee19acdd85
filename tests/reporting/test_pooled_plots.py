"""Stated probabilities against observed frequencies."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.reporting.pooled_plots import reliability
from mdmt_tf.tasks import make_task


def test_reliability_by_hand():
    task = make_task(name="t", kind="categorical", classes=("no", "yes"))
    p = np.array([0.0, 0.05, 0.32, 0.38, 1.0])
    rows = pd.DataFrame({"p_0": 1 - p, "p_1": p, "target": [0, 1, 0, 1, 1]})
    stated, observed, counts = reliability(task, rows)
    assert counts.tolist() == [2, 0, 0, 2, 0, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(stated[[0, 3, 9]], [0.025, 0.35, 1.0])
    np.testing.assert_allclose(observed[[0, 3, 9]], [0.5, 0.5, 1.0])
    assert np.isnan(stated[1]) and np.isnan(observed[1])


def test_reliability_of_several_classes_is_of_the_most_probable():
    task = make_task(name="t", kind="categorical", classes=("a", "b", "c"))
    rows = pd.DataFrame(
        {"p_0": [0.5, 0.2], "p_1": [0.3, 0.25], "p_2": [0.2, 0.55], "target": [0, 1]}
    )
    stated, observed, counts = reliability(task, rows)
    assert counts[5] == 2
    assert stated[5] == pytest.approx(0.525)
    assert observed[5] == 0.5
