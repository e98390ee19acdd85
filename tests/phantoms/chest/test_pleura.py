"""Fluid at the base, air at the apex; neither depends on the grades."""

import numpy as np
import pytest
from made_chests import CHEST, GRID, chest_of

from mdmt_tf.phantoms.chest import pleura


def effusions(count=200, **changes):
    """Maps and names of the effusions among so many patients."""
    chest = chest_of([0] * 6, **changes)
    drawn = (
        pleura.effusion(GRID, chest, np.random.default_rng(seed))
        for seed in range(count)
    )
    return [(fill, names) for fill, names in drawn if names]


def test_effusions_are_as_frequent_as_stated_and_more_so_in_bed():
    upright, in_bed = effusions(), effusions(ap=True)
    assert 0.05 * 200 < len(upright) < 0.17 * 200
    assert len(upright) < len(in_bed) < 0.26 * 200
    assert {names for _, names in in_bed} == {
        ("effusion_right",),
        ("effusion_left",),
        ("effusion_right", "effusion_left"),
    }


def test_fluid_is_at_the_base_of_the_named_side():
    for fill, names in effusions():
        assert fill.dtype == np.float32 and 0.0 <= fill.min() <= fill.max() <= 0.95
        for lung, name in ((1, "effusion_right"), (2, "effusion_left")):
            inside = CHEST.lungs == lung
            if name in names:
                lowest = inside & (GRID.y > GRID.y[inside.any(axis=1)].max() - 1.0)
                assert fill[lowest].mean() > 0.3
                assert (
                    fill[inside & (GRID.y < 0.4 * CHEST.body.lung_height)].max() < 0.1
                )
            else:
                assert fill[inside].max() == 0.0


def test_fluid_rises_along_the_chest_wall():
    """A meniscus: at the wall its surface is higher than at the heart."""
    w = CHEST.body.half_width
    for fill, names in effusions():
        for sign, name in ((-1, "effusion_right"), (1, "effusion_left")):
            if name in names:
                wall, middle = (
                    np.argmin(np.abs(GRID.x[0] - sign * part * w))
                    for part in (0.97, 0.6)
                )
                surface = [(fill[:, c] > 0.5).sum() for c in (wall, middle)]
                assert surface[0] > surface[1]


def test_fluid_does_not_depend_on_the_grades():
    healthy, ill = (
        [
            pleura.effusion(GRID, chest_of(grades), np.random.default_rng(seed))
            for seed in range(40)
        ]
        for grades in ([0] * 6, [3] * 6)
    )
    for (first, some), (second, others) in zip(healthy, ill, strict=True):
        assert some == others
        if first is not None:
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed", range(4))
def test_air_lies_along_the_upper_chest_wall_of_one_side(seed):
    fill = np.zeros(GRID.shape, np.float32)
    names = pleura.pneumothorax(GRID, CHEST, np.random.default_rng(seed), fill)
    assert names == ("pneumothorax",)
    inside = CHEST.lungs > 0
    more_air = inside & (fill < -0.1)
    assert more_air.any() and CHEST.distance[more_air].max() < 4.5
    assert GRID.y[np.nonzero(more_air)[0]].max() < CHEST.body.lung_height
    assert np.unique(CHEST.lungs[more_air]).size == 1
    assert fill[inside].max() > 0.1  # the border of the lung
