import numpy as np
import pytest

from mdmt_tf.saliency.lesions import enrichment, fraction_inside, fraction_of_region

SALIENCY = np.array([[3.0, 1.0, -5.0], [0.0, 4.0, 0.0]])
MASK = np.array([[0, 1, 1], [0, 1, 0]])
REGION = np.array([[1, 1, 1], [1, 1, 0]])


def test_only_what_speaks_for_the_score_counts():
    assert fraction_inside(SALIENCY, MASK) == (1 + 4) / (3 + 1 + 4)
    assert fraction_inside(SALIENCY, MASK * 7) == 5 / 8


def test_enrichment_is_relative_to_the_share_of_the_region():
    assert fraction_of_region(MASK, REGION) == 3 / 5
    assert enrichment(SALIENCY, MASK, REGION) == pytest.approx((5 / 8) / (3 / 5))
    # The mask outside of the region is no part of it.
    assert fraction_of_region(1 - REGION + MASK, REGION) == 3 / 5


def test_a_map_that_knows_nothing_has_enrichment_1():
    region = np.ones((4, 5, 6))
    mask = np.zeros_like(region)
    mask[1:3, 2:4, 3] = 1
    assert enrichment(0.3 * region, mask, region) == pytest.approx(1.0)


def test_what_is_not_defined_is_nan():
    nothing = np.zeros_like(SALIENCY)
    assert np.isnan(fraction_inside(nothing, MASK))
    assert np.isnan(fraction_inside(-np.abs(SALIENCY), MASK))
    assert np.isnan(enrichment(nothing, MASK, REGION))
    assert np.isnan(enrichment(SALIENCY, nothing, REGION))
    assert np.isnan(fraction_of_region(MASK, nothing))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(3, 2\)"):
        fraction_inside(SALIENCY, MASK.T)
