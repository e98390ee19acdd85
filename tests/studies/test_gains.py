"""Gains over independent datasets, by arithmetic and against scipy."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from mdmt_tf.studies.design import COLUMNS
from mdmt_tf.studies.gains import gains_of, interval


def test_the_interval_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    one, two = rng.normal(0.8, 0.05, (2, 12))
    mean, std, low, high = interval(one - two)
    expected = scipy.stats.ttest_rel(one, two).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert (mean, std) == pytest.approx(((one - two).mean(), (one - two).std(ddof=1)))


def test_one_dataset_has_no_interval():
    mean, std, low, high = interval([0.1])
    assert mean == 0.1 and all(map(math.isnan, (std, low, high)))
    assert math.isnan(interval([])[0])


def test_gains_are_within_the_same_dataset_and_cell():
    rows = []
    for cell, shift in enumerate(("none", "detector")):
        for dataset in range(3):
            control = 0.6 + 0.1 * dataset
            gain = 0.01 * (cell + 1) * (1 + dataset)
            for arm, auc in (("stl_matched", control), ("mdmt", control + gain)):
                rows.append(
                    ["features", 60, 300, 0.5, shift, dataset, arm, 9, auc, 0.5, auc]
                )
    rows.append(["features", 60, 300, 0.5, "none", 7, "mdmt", 9, 0.99, 0.5, 0.99])
    gains = gains_of(pd.DataFrame(rows, columns=COLUMNS), "stl_matched")
    found = gains[(gains["metric"] == "auc") & (gains["arm"] == "mdmt")]
    assert list(found["shift"]) == ["none", "detector"]
    # 0.01, 0.02, 0.03 and twice that; a dataset without the control does not count.
    assert found["gain"].tolist() == pytest.approx([0.02, 0.04])
    assert found["sd"].tolist() == pytest.approx([0.01, 0.02])
    assert found["n"].tolist() == [3, 3]
    assert found["mean"].tolist() == pytest.approx([0.72, 0.74])
    itself = gains[gains["arm"] == "stl_matched"]
    assert (itself["gain"] == 0).all()


def test_without_the_control_there_is_no_gain():
    rows = [["features", 60, 300, 0.5, "none", 0, "mdmt", 9, 0.9, 0.5, 0.9]]
    assert gains_of(pd.DataFrame(rows, columns=COLUMNS), "stl_matched").empty
