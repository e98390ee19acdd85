"""Trunk, breasts and gas: in their places, and as faint as on a film."""

import dataclasses

import numpy as np
import pytest
from made_chests import CHEST

from mdmt_tf.phantoms.chest import anatomy, soft_tissue
from mdmt_tf.phantoms.chest.ingredients import Recipe
from mdmt_tf.phantoms.chest.pixel_grid import PixelGrid

# The trunk from the neck to the abdomen, 40 x 44 cm.
GRID = PixelGrid.over((-20.0, -8.0), (20.0, 36.0), 0.3)


def body_of(seed, male):
    return anatomy.Body.draw(Recipe(np.random.default_rng(seed)), male, False)


def test_the_abdomen_is_thicker_than_the_upper_chest():
    chord = soft_tissue.torso_chord(GRID, CHEST.body)
    assert chord.dtype == np.float32 and chord.min() >= 0.0
    middle = chord[:, np.abs(GRID.x[0]).argmin()]
    y = GRID.y[:, 0]
    upper = middle[(y > 0) & (y < 8)].mean()
    assert 1.15 * upper < middle[y > CHEST.body.lung_height + 4].mean()


@pytest.mark.parametrize("seed", range(5))
def test_breasts_are_faint_veils(seed):
    """A centimetre of tissue; through the lungs a ray meets ten cm and more."""
    body = body_of(seed, male=False)
    flat = dataclasses.replace(body, breast=0.0)
    veil = soft_tissue.torso_chord(GRID, body) - soft_tissue.torso_chord(GRID, flat)
    for side, half in enumerate((veil[:, GRID.x[0] < -1], veil[:, GRID.x[0] > 1])):
        assert half.max() == pytest.approx(body.breasts[side], rel=0.15)
        assert 0.2 < half.max() < 1.3
    assert body_of(seed, male=True).breast == 0.0


def test_gas_lies_below_the_diaphragm_and_is_often_absent():
    body = CHEST.body
    drawn = [
        soft_tissue.abdomen_gas(GRID, body, np.random.default_rng(seed))
        for seed in range(150)
    ]
    absent = np.mean([not gas.any() for gas in drawn])
    assert absent == pytest.approx(0.5 * 0.8, abs=0.12)
    total = sum(drawn)
    below = GRID.y[:, 0] > body.lung_height + body.left_dome
    assert total[below].sum() > 0.99 * total.sum()
