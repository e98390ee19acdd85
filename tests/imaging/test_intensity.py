"""Values to fractions."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.intensity import (
    background,
    doubt_hounsfield,
    to_fraction,
    window,
)
from mdmt_tf.imaging.preprocess import VolumePreprocessing


def scale(**options):
    return VolumePreprocessing((4, 4, 4), **options)


@pytest.fixture
def brain():
    """A brain without skull: 0 outside, and a bright spot."""
    rng = np.random.default_rng(0)
    values = np.zeros((20, 20, 20), np.float32)
    values[5:15, 5:15, 5:15] = rng.uniform(300, 700, (10, 10, 10))
    values[7, 7, 7] = 5000
    return values


def test_percentiles_are_those_of_the_voxels_above_the_background(brain):
    inside = brain[5:15, 5:15, 5:15]
    found = to_fraction(brain, scale(percentile=(10, 90)))
    low, high = np.percentile(inside, [10, 90])
    np.testing.assert_allclose(
        found, np.clip((brain - low) / (high - low), 0, 1), atol=1e-5
    )
    # As many are black, and white, as the percentiles say.
    assert (found[5:15, 5:15, 5:15] == 0).mean() == pytest.approx(0.1, abs=0.002)
    assert (found == 1).sum() == pytest.approx(100, abs=2)


def test_all_percentiles_are_the_whole_range(brain):
    found = to_fraction(brain, scale(percentile=(0, 100)))
    smallest = brain[brain > 0].min()
    np.testing.assert_allclose(
        found, np.maximum(0, (brain - smallest) / (5000 - smallest)), atol=1e-6
    )


@pytest.mark.parametrize("clip", [1, 5])
def test_z_scores_are_those_of_the_foreground(brain, clip):
    inside = brain[5:15, 5:15, 5:15].astype(float)
    inside = inside[inside > brain.mean()]
    z = (brain - inside.mean()) / inside.std()
    found = to_fraction(brain, scale(z_score=clip))
    np.testing.assert_allclose(found, (np.clip(z / clip, -1, 1) + 1) / 2, atol=1e-5)
    assert found[7, 7, 7] == 1


@pytest.mark.parametrize("options", [{"z_score": 3}, {"percentile": (1, 99)}])
@pytest.mark.parametrize("factor, offset", [(0.01, 0), (3, -1000), (1, 250)])
def test_the_scale_of_the_scanner_cannot_matter(brain, options, factor, offset):
    expected = to_fraction(brain, scale(**options))
    other = brain * np.float32(factor) + np.float32(offset)
    np.testing.assert_allclose(
        to_fraction(other, scale(**options)), expected, atol=1e-4
    )


def test_noise_in_the_air_hardly_matters_for_z_scores(brain):
    noisy = brain + np.random.default_rng(1).uniform(0, 20, brain.shape).astype("f4")
    inside = (slice(5, 15),) * 3
    with_noise = to_fraction(noisy, scale(z_score=3))[inside]
    without = to_fraction(brain, scale(z_score=3))[inside]
    assert np.abs(with_noise - without).mean() < 0.01


@pytest.mark.parametrize("options", [{"z_score": 3}, {"percentile": (1, 99)}])
@pytest.mark.parametrize("value", [0, 7.5])
def test_without_contrast_there_is_no_scale(options, value):
    with pytest.raises(
        DataError, match=rf"contrast.* between {value} and {value}, too"
    ):
        to_fraction(np.full((3, 3, 3), value, np.float32), scale(**options))


def test_a_window_needs_no_contrast():
    found = to_fraction(np.full((3, 3, 3), 50, np.float32), scale(window_hu=(0, 100)))
    np.testing.assert_array_equal(found, 0.5)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    "options, smallest, expected",
    [
        ({"window_hu": (15, 100)}, 0.5, 0),  # 0 HU is below the window
        ({"window_hu": (-100, 300)}, 0, 0),  # air
        ({"window_hu": (-100, 300)}, 0.25, 0.25),  # a head without skull
        ({"window_hu": (-100, 300)}, 0.75, 0.25),
        ({"percentile": (1, 99)}, 0, 0),
        ({"z_score": 3}, 0.375, 0.375),
    ],
)
def test_what_is_added_is_as_dark_as_the_background(options, smallest, expected):
    fraction = np.float32([smallest, 1])
    assert background(fraction, scale(**options)) == expected


@pytest.mark.parametrize("low, high", [(-100, 300), (0, 80), (-1350, 150)])
def test_a_window_is_linear_between_its_ends(low, high):
    ramp = np.linspace(low, high, 9, dtype=np.float32)
    np.testing.assert_allclose(window(ramp, low, high), np.arange(9) / 8, atol=1e-6)
    np.testing.assert_array_equal(window(ramp - (high - low), low, high), 0)
    np.testing.assert_array_equal(window(ramp + (high - low), low, high), 1)


@pytest.mark.parametrize("values", [(0, 255), (30, 255), (0, 1), (0, 0.25), (0, 0)])
def test_pictures_are_hardly_hounsfield_units(values):
    doubt = doubt_hounsfield(np.float32([values]))
    assert doubt.startswith("expected Hounsfield units")
    assert f"values from {values[0]} to {values[1]}, as of a picture" in doubt


@pytest.mark.parametrize("values", [(-1024, 3071), (0, 95), (0, 256), (-1, 255)])
def test_heads_with_and_without_skull_may_be_hounsfield_units(values):
    assert doubt_hounsfield(np.float32([values])) == ""


def made(air, *tissue):
    """1000 values: a third air, and the rest in equal parts."""
    return np.float32([air] * 350 + list(np.repeat(tissue, 650 // len(tissue))))


@pytest.mark.parametrize(
    "values, expected",
    [
        (made(-1000, 10, 40, 900), ""),
        (made(0, 10, 40, 70), ""),  # a head without skull
        (made(0, 60, 110, 140), ""),  # organs with contrast agent
        (made(-3024, -1000, 40, 30000), ""),  # padding, metal
        (made(24, 1034, 1064, 1900), "1024 had been added"),
        (made(0, 1010, 1040, 1060), "1024 had been added"),
        (made(0, 100, 200, 248), "half of them above 200"),
        (made(0, 500, 700), "half of them above"),
        (made(-1, 0, 0.5, 1), "small range"),
        (made(64536, 10, 40, 60), "lost their sign"),
    ],
)
def test_values_of_a_ct(values, expected):
    doubt = doubt_hounsfield(values)
    assert expected in doubt
    assert bool(doubt) == bool(expected)
