"""Appearances of single images: valid, wide, and independent of one another."""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.chest import detector, display, looks
from mdmt_tf.phantoms.chest.ingredients import INGREDIENTS, Recipe

DRAWN = [looks.draw_appearance(np.random.default_rng(seed)) for seed in range(300)]


def test_the_same_generator_draws_the_same_look():
    again = [looks.draw_appearance(np.random.default_rng(seed)) for seed in range(5)]
    assert again == DRAWN[:5]
    assert len(set(DRAWN)) == len(DRAWN)


def test_every_look_is_possible():
    for look in DRAWN:
        assert 0 <= look.scatter < 1 and look.exposure > 0 and look.blur_cm > 0
        assert 1 <= look.contrast <= display.MAX_CONTRAST
        assert 0 <= look.floor < look.ceiling <= 1
        assert 0 < look.resolution <= 1 and 0 <= look.jpeg <= 100
        # Lungs are 25 cm high and 27 cm wide.
        assert look.field_cm > 27.9 and look.field_cm * look.aspect > 24.9
        assert look.bits == 8


def test_looks_are_wider_than_those_of_the_hospitals():
    for name in ("exposure", "flatten", "aspect", "gamma", "sharpen", "jpeg"):
        drawn = [getattr(look, name) for look in DRAWN]
        sites = [getattr(look, name) for look in detector.HOSPITALS.values()]
        assert np.ptp(drawn) > np.ptp(sites)


def test_without_its_ingredients_every_look_is_the_usual_one():
    """Shape, marker's side and file format are no ingredients."""
    named = ("exposure", "noise", "detector", "pose", "storage", "collimation", "text")
    assert set(named) <= set(INGREDIENTS)
    recipe = Recipe(np.random.default_rng(0), named)
    left = {"aspect", "modality", "bits", "ap"}
    usual = dataclasses.asdict(detector.Appearance(border=0.0, marker=""))
    for look in DRAWN[:20]:
        plain = dataclasses.asdict(detector.plain(look, recipe))
        assert {k for k in usual if plain[k] != usual[k]} <= left
        assert detector.plain(look, Recipe(np.random.default_rng(0))) == look
