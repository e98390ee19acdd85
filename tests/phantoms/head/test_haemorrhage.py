"""Bleedings take room."""

import dataclasses

import numpy as np
import pytest

from mdmt_tf.phantoms.head import haemorrhage, head_ct

MATRIX = 64


def test_bleeding_displaces_half_its_volume(studies):
    bleed = haemorrhage.Bleed.draw(np.random.default_rng(0), studies[0])
    before = bleed.radius * np.array([0.5, 1.0, 1.5, 3.0])
    after = np.cbrt(before**3 + bleed.radius**3 / 2)
    direction = np.array([[2.0], [-1.0], [2.0]]) / 3
    points = (bleed.centre[:, None] + direction * after).astype(np.float32)
    for depth, moved in ((100.0, 1.0), (12.5, 0.5), (0.0, 0.0)):  # below the skull
        hull = np.full(4, depth, np.float32)
        found = haemorrhage.displaced(bleed, list(points), hull)
        expected = points - direction * moved * (after - before)
        assert np.stack(found) == pytest.approx(expected, abs=1e-3)


def test_a_large_bleeding_pushes_the_other_side(studies):
    """The ventricle across the midline, which the blood does not reach, moves away."""
    study = next(s for s in studies if s.place == "putamen" and not s.intraventricular)
    away = 1 if study.side == "left" else -1

    def place(volume):
        seen = head_ct.render(dataclasses.replace(study, volume_ml=volume), MATRIX)
        spread = np.argwhere(seen.regions == head_ct.VENTRICLE) @ seen.affine[:3, :3].T
        middle = np.argwhere(seen.regions > 0).mean(axis=0) @ seen.affine[:3, :3].T
        across = away * (spread - middle)[:, 0]
        return across[across > 3.0].mean()

    assert place(100.0) > place(3.0) + 0.5
