"""The display curve: fixed points, order, equalisation, range of greys."""

import numpy as np
import pytest

from mdmt_tf.phantoms.chest import display
from mdmt_tf.phantoms.chest.detector import Appearance

RAMP = np.tile(np.linspace(0.0, 6.0, 120, dtype=np.float32), (80, 1))


@pytest.mark.parametrize("contrast", [1.0, 1.2, display.MAX_CONTRAST])
def test_display_curve_rises_through_its_fixed_points(contrast):
    x = np.linspace(-0.5, 1.5, 2001, dtype=np.float32)
    y = display.display_curve(x, contrast)
    assert (np.diff(y) > -1e-6).all()
    np.testing.assert_allclose(y[[500, 1000, 1500]], [0, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(y[:500], x[:500])  # outside the window: unchanged
    slope = (y[1001] - y[999]) / (x[1001] - x[999])
    assert slope == pytest.approx(contrast, rel=1e-3)


def shown(**look):
    return display.displayed(RAMP.copy(), Appearance(**look), np.zeros(3))


@pytest.mark.parametrize(
    "look",
    [{}, {"gamma": 0.5}, {"gamma": 2.0}, {"equalise": 0.9}, {"latitude": 2.0}]
    + [{"floor": 0.2, "ceiling": 0.7}, {"gamma": 1.7, "equalise": 0.4}],
)
def test_more_attenuation_is_never_darker(look):
    assert (np.diff(shown(**look)[0]) >= 0).all()


def test_gamma_is_the_exponent_inside_the_window():
    plain, dark = shown(contrast=1.0), shown(contrast=1.0, gamma=2.0)
    inside = (plain > 0.01) & (plain < 0.99)
    np.testing.assert_allclose(dark[inside], plain[inside] ** 2, atol=2e-3)
    np.testing.assert_array_equal(dark[plain < 0], plain[plain < 0])


def test_equalisation_spreads_the_greys():
    """Most pixels of this picture are alike; equalised, greys are as frequent."""
    picture = np.float32(3.0) * np.linspace(0, 1, 9600, dtype=np.float32) ** 6
    picture = picture.reshape(80, 120)
    spread = [
        np.ptp(np.quantile(display.displayed(picture.copy(), look, np.zeros(3)), q))
        for look in (Appearance(), Appearance(equalise=0.9))
        for q in [[0.25, 0.75]]
    ]
    assert spread[1] > 2 * spread[0]


def test_photographs_have_their_darkest_and_brightest_grey():
    seen = shown(floor=0.2, ceiling=0.7)
    assert seen.min() == pytest.approx(0.2) and seen.max() == pytest.approx(0.7)
