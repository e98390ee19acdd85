"""Lines in diseased lungs: fine, and in their places."""

import cv2
import numpy as np
from made_chests import CHEST, GRID

from mdmt_tf.phantoms.chest import anatomy, lung_lines


def rng(seed=0):
    return np.random.default_rng(seed)


def test_network_is_thin_lines_over_the_whole_lung():
    lines = lung_lines.network(rng(), GRID)
    assert lines.dtype == np.float32 and lines.min() >= 0.0 and lines.max() <= 1.0
    assert 0.08 < lines.mean() < 0.25
    # Hardly anything is left where only structures of 5 mm and more survive.
    size = round(0.5 / GRID.cm_per_px)
    opened = cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones((size, size)))
    assert opened.mean() < 0.15 * lines.mean()
    quarters = [
        q.mean() for half in np.hsplit(lines, 2) for q in np.array_split(half, 2)
    ]
    assert max(quarters) < 1.4 * min(quarters)


def test_septa_lie_next_to_the_chest_wall_of_both_bases():
    lines = lung_lines.septa(rng(), GRID, CHEST.body)
    rows, columns = np.nonzero(lines)
    x, y = GRID.x[0, columns], GRID.y[rows, 0]
    w, h = CHEST.body.half_width, CHEST.body.lung_height
    wall = w * anatomy.wall_at(CHEST.body, y / h)
    assert (wall - np.abs(x)).max() < 2.5 and y.min() > 0.6 * h
    assert (x < 0).any() and (x > 0).any()
    # They are short and horizontal: each row of a line is wider than the line is high.
    assert np.abs(np.diff(lines, axis=1)).sum() < np.abs(np.diff(lines, axis=0)).sum()


def test_bronchi_become_thinner_away_from_the_hila():
    open_lung = lung_lines.bronchi(rng(), GRID, CHEST.body)
    assert open_lung.max() <= 1.0 + 1e-5
    for sign, (x, y) in zip((-1, 1), lung_lines.HILA, strict=True):
        away = np.hypot(GRID.x - x, GRID.y - y * CHEST.body.lung_height)
        side = np.sign(GRID.x) == sign
        near, far = side & (away < 2.5), side & (away > 4.5) & (away < 7.0)
        assert open_lung[near].max() > 0.9 > open_lung[far].mean() > 0.0
        assert open_lung[far].mean() < open_lung[near].mean()
        assert open_lung[side & (away > 10.0)].max() < 0.01
