"""Where a curve has a height, and what that says in words."""

import math

import pytest

from mdmt_tf.reporting.worths import labels_at


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
    labels, reason = labels_at([10, 1000], [4.0, 2.0], 3.0)
    assert labels == pytest.approx(100) and not reason


@pytest.mark.parametrize(
    ("heights", "height", "words"),
    [
        ([0.6, 0.7, 0.75], 0.76, "above the curve"),
        ([0.6, 0.7, 0.75], 0.59, "below the curve"),
        ([0.6, 0.7, 0.65], 0.66, "not monotonic"),
        ([0.6, 0.6, 0.65], 0.6, "not monotonic"),
        ([0.6, math.nan, 0.65], 0.62, "not complete"),
        ([0.6, 0.7, 0.75], math.nan, "not complete"),
    ],
)
def test_nothing_is_extrapolated(heights, height, words):
    labels, reason = labels_at([50, 200, 800], heights, height)
    assert math.isnan(labels) and words in reason
