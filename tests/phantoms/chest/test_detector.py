"""The synthetic detector: logarithm, noise, display curve, collimator, letters."""

import numpy as np
import pytest

from mdmt_tf.phantoms.chest import detector, display
from mdmt_tf.phantoms.chest.ingredients import Recipe

# Nothing but the logarithm: no scatter, no range control, a straight display.
LINEAR = detector.Appearance(
    exposure=1e9, scatter=0.0, blur_cm=0.0, flatten=0.0, contrast=1.0
)


def recipe(seed, without=()):
    return Recipe(np.random.default_rng(seed), without)


def wedge(steps, width=24, rows=96):
    """Vertical bars of the attenuations `steps`."""
    return np.repeat(np.array(steps, np.float32), width)[None].repeat(rows, 0)


def bars(picture, count):
    """Mean of the middle of each bar."""
    return np.array([b[:, 6:-6].mean() for b in np.array_split(picture, count, 1)])


def test_equal_steps_of_attenuation_are_equal_steps_of_grey():
    """-log(exp(-P)) = P: a wedge comes out as a wedge (the curve has slope 1)."""
    picture = detector.expose(wedge([1, 2, 3, 4, 5]), LINEAR, recipe(0), 0.1)
    steps = np.diff(bars(picture, 5))
    assert steps.min() > 0.05
    # A jittered contrast below 1 curves the ends a little.
    assert steps.max() / steps.min() < 1.35


def test_grey_is_exactly_linear_without_jitter(monkeypatch):
    monkeypatch.setattr(display, "display_curve", lambda picture, contrast: picture)
    picture = detector.expose(wedge([1, 2, 3, 4, 5]), LINEAR, recipe(0), 0.1)
    steps = np.diff(bars(picture, 5))
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.01)


def test_four_times_the_quanta_halve_the_noise(monkeypatch):
    monkeypatch.setattr(display, "display_curve", lambda picture, contrast: picture)

    def noise(exposure):
        look = detector.Appearance(
            exposure=exposure, scatter=0.0, blur_cm=0.0, flatten=0.0
        )
        flat = np.full((128, 128), 2.0, np.float32)
        return detector.expose(flat, look, recipe(5), 0.1).std()

    assert noise(2e4) / noise(8e4) == pytest.approx(2.0, rel=0.02)


def test_noise_has_mean_zero_and_variance_one():
    noise = detector.noise(np.random.default_rng(1), (500, 400))
    n = noise.size
    assert abs(noise.mean()) < 5 / np.sqrt(n)
    # Variance of the sample variance: (kurtosis - 1) / n, kurtosis 3 - 1.2 / 4.
    assert abs(noise.var() - 1) < 5 * np.sqrt(1.7 / n)
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02


def test_scatter_lowers_contrast():
    def contrast(scatter):
        look = detector.Appearance(scatter=scatter, flatten=0.0, exposure=1e9)
        signal = detector.expose(wedge([1.0, 4.0] * 3), look, recipe(0), 0.1)
        # The automatic window would hide the loss: compare in units of attenuation.
        return np.ptp(bars(signal, 6)[2:4])

    assert contrast(0.6) < 0.8 * contrast(0.0)
