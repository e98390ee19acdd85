"""Where a curve has a height, and what that says in words."""

import dataclasses
import math

import pytest

from mdmt_tf.reporting import worths
from mdmt_tf.reporting.gains import Gain
from mdmt_tf.reporting.worths import labels_at
from mdmt_tf.statistics.primary import Difference


def test_between_two_points_the_scale_is_logarithmic():
    labels, reason = labels_at([50, 200, 800], [0.6, 0.7, 0.75], 0.65)
    assert labels == pytest.approx(100) and not reason
    labels, _ = labels_at([50, 200, 800], [0.6, 0.7, 0.75], 0.725)
    assert labels == pytest.approx(400)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_point_of_the_curve_is_found(place):
    labels, heights = [50.0, 200.0, 800.0], [0.6, 0.7, 0.75]
    found, reason = labels_at(labels, heights, heights[place])
    assert found == pytest.approx(labels[place]) and not reason


def test_errors_fall_with_labels():
    labels, reason = labels_at([10, 1000], [4.0, 2.0], 3.0, falls=True)
    assert labels == pytest.approx(100) and not reason


@pytest.mark.parametrize(
    ("heights", "height", "words"),
    [
        ([0.6, 0.7, 0.75], 0.76, "above the curve"),
        ([0.6, 0.7, 0.75], 0.59, "below the curve"),
        ([0.6, 0.7, 0.65], 0.66, "not monotonic"),
        ([0.6, 0.6, 0.65], 0.6, "not monotonic"),
        ([0.74, 0.71, 0.68], 0.7, "does not improve"),
        ([0.7, 0.6, 0.7], 0.7, "does not improve"),
        ([0.6, math.nan, 0.65], 0.62, "not complete"),
        ([0.6, 0.7, 0.75], math.nan, "not complete"),
    ],
)
def test_nothing_is_extrapolated(heights, height, words):
    labels, reason = labels_at([50, 200, 800], heights, height)
    assert math.isnan(labels) and words in reason


def test_more_labels_that_raise_an_error_are_worth_nothing_that_can_be_said():
    labels, reason = labels_at([10, 1000], [2.0, 4.0], 3.0, falls=True)
    assert math.isnan(labels) and "does not improve" in reason


@pytest.mark.parametrize(
    ("metric", "heights", "value"),
    [("auc", [0.70, 0.74, 0.78], 0.02), ("mae", [4.0, 3.0, 2.0], -0.5)],
)
def test_a_better_candidate_has_a_positive_worth(metric, heights, value):
    difference = Difference(
        metric, "patient", value, value - 0.01, value + 0.01, 0.01, 200, 10, ""
    )
    gain = Gain(
        varied="death",
        fraction=0.5,
        labels=100.0,
        candidate="both",
        other="alone",
        without=False,
        rest="",
        at={},
        differences={metric: difference},
    )
    curve = [dataclasses.replace(gain, labels=n) for n in (50.0, 100.0, 200.0)]
    worth = worths._worth(gain, heights[1], curve, heights, "death", metric)
    assert worth.low < worth.equal < worth.high and worth.equal > worth.labels
    # The metric of the other falls with more labels, by chance.
    worth = worths._worth(gain, heights[1], curve, heights[::-1], "death", metric)
    assert math.isnan(worth.equal) and "does not improve" in worth.reason
