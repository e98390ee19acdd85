"""Ingredients of the radiographs: each can be left out and changes nothing else."""

import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.chest import ingredients
from mdmt_tf.phantoms.chest.ingredients import INGREDIENTS, Recipe


def recipe(without=(), seed=3):
    return Recipe(np.random.default_rng(seed), without)


def test_a_use_has_the_same_draws_whatever_is_left_out_or_drawn_before():
    first, second = recipe(), recipe(["ribs", "text"])
    first.rng("noise").random(10)
    np.testing.assert_array_equal(
        first.rng("pose").random(4), second.rng("pose").random(4)
    )
    assert first.rng("pose").random() != first.rng("ribs").random()
    assert first.rng("pose").random() != recipe(seed=4).rng("pose").random()


def test_a_recipe_knows_what_is_left_out():
    made = recipe(["ribs"])
    assert "ribs" not in made and "vessels" in made
    with pytest.raises(ValueError, match="Expected one of .*'ribs'.*Got 'rib'"):
        assert "rib" in made


def test_names_are_sorted_and_unknown_ones_refused():
    assert ingredients.checked(["text", "ribs", "text"]) == ("ribs", "text")
    assert ingredients.checked(()) == ()
    assert ingredients.checked(INGREDIENTS) == tuple(sorted(INGREDIENTS))
    with pytest.raises(ConfigError, match="no ingredient 'rib'. Those .* are ribs,"):
        ingredients.checked(["ribs", "rib"])
