"""How head CTs are scanned: noise, grids and the forms in which files store them."""

import math

import numpy as np
import pytest
from frequencies import assert_frequency

from mdmt_tf.phantoms.head.scan import Scan, grain, smooth_noise, waves


def test_noise_has_its_strength_and_some_correlation():
    noise = grain(np.random.default_rng(0), (64, 64, 40), 4.0)
    assert noise.std() == pytest.approx(4.0, abs=0.1)
    # White noise a, seen as a + 0.45 of its neighbour, along each of the axes.
    for pair, expected in (
        ((noise[1:], noise[:-1]), 0.45 / (1 + 0.45**2)),
        ((noise[:, 1:], noise[:, :-1]), 0.45 / (1 + 0.45**2)),
        ((noise[..., 1:], noise[..., :-1]), 0.0),
    ):
        found = np.corrcoef(*(p.ravel() for p in pair))[0, 1]
        assert found == pytest.approx(expected, abs=0.02)


def _lattice(rng, points):
    return [smooth_noise(rng, points, 6.0) for _ in range(16)]


def _waves(rng, points):
    return waves(rng, points, 6.0, fields=16, count=1000)


@pytest.mark.parametrize("make", [_lattice, _waves])
def test_smooth_noise_has_about_unit_variance_and_its_scale(make):
    """exp(-d^2 / (4 s^2)) is the correlation at distance d of noise blurred by s."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-70, 70, (3, 4000)).astype(np.float32)
    shifts = np.zeros((3, 3, 1), np.float32)
    shifts[1, 0], shifts[2, 0] = 6, 40
    together = np.concatenate(list(points + shifts), axis=1)
    one, near, far = np.split(np.stack(make(rng, together)), 3, axis=1)
    # Some 16 times (140 / 6)^3 / 10 independent places, or 1000 waves.
    variance = (one * one).mean()
    assert variance == pytest.approx(1.0, abs=0.2)
    assert (one * near).mean() / variance == pytest.approx(math.exp(-1 / 4), abs=0.05)
    assert abs((one * far).mean()) < 0.1


def test_scans_are_stored_in_many_ways():
    drawn = [Scan.draw(np.random.default_rng(i), 128) for i in range(400)]
    assert all(28 <= scan.shape[2] <= 45 for scan in drawn)
    assert {scan.spacing[2] for scan in drawn} == {3.5, 4.0, 4.5, 5.0}
    flipped = [scan.affine[0, 0] < 0 for scan in drawn]
    tilted = [scan.affine[1, 2] != 0 for scan in drawn]
    assert_frequency(flipped, 0.5)
    assert_frequency(tilted, 0.4)
    assert_frequency([scan.unsigned for scan in drawn], 0.25)
    for scan in drawn:
        lengths = np.linalg.norm(scan.affine[:3, :3], axis=0)
        assert lengths == pytest.approx(scan.spacing)
        degrees = math.degrees(math.asin(scan.affine[2, 1] / scan.spacing[1]))
        assert abs(degrees) <= 15
        assert scan.shape[2] * scan.spacing[2] >= 142
