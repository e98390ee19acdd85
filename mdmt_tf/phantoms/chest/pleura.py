"""Fluid and air in the pleural space: findings that do not count in the score."""

import cv2
import numpy as np


def effusion(grid, chest, rng):
    """Pleural effusion: the fraction of the lungs' air that fluid replaces.

    Upright, fluid fills the angle and rises along the chest wall as a meniscus. In bed
    it spreads behind the lung as a veil, densest at the base. Most effusions only blunt
    the angle.

    Returns: float32 (rows, columns) or None, and the names of what is drawn.
    """
    present, both, on_right = rng.random(3)
    sizes = rng.random((2, 3))
    often = 0.18 if chest.body.ap else 0.10
    if present >= often:
        return None, ()
    both = both < 0.45
    fill = np.zeros(grid.shape, np.float32)
    names = []
    for side, name in ((-1, "effusion_right"), (1, "effusion_left")):
        if both or (on_right < 0.55) == (side < 0):
            columns = grid.x[0] < 0 if side < 0 else grid.x[0] >= 0
            unit = sizes[int(side > 0)].tolist()
            fill[:, columns] = _fluid(grid, chest.body, side, columns, unit)
            names.append(name)
    return fill, tuple(names)


def _fluid(grid, body, side, columns, unit):
    """Fluid of one side, float32 (rows, columns of the side)."""
    base = body.lung_height + (body.left_dome if side > 0 else 0.0)
    aside = np.abs(grid.x[0, columns]) / np.float32(body.half_width)
    angle = base + body.sulcus
    top = angle - (0.9 + 1.8 * unit[1]) * np.exp((aside - 1.0) / 0.12)
    if unit[0] > 0.45:  # more than a blunt angle
        amount = (unit[0] - 0.45) / 0.55
        middle = base + 1.2 - 3.2 * amount
        rise = (1.5 + 2.5 * unit[1]) * np.sqrt(amount)
        top = np.minimum(top, middle - rise * aside**3)
    soft = 0.45 if body.supine else 0.22
    fill = _step(grid.y - top.astype(np.float32), soft) * np.float32(0.95)
    if body.supine:
        veil = 0.25 * unit[2] * max(unit[0], 0.3)
        fill += np.float32(veil) * _step(grid.y - np.float32(0.8 * base), 2.0)
        np.minimum(fill, np.float32(0.95), out=fill)
    return fill


def _step(value, width):
    return 1.0 / (1.0 + cv2.exp(value * np.float32(-1.0 / width)))


def pneumothorax(grid, chest, rng, fill):
    """Air between chest wall and the upper lung of one side, in place.

    Args:
        fill: fraction of the lungs' air that is replaced; below 0 there is more air.
    Returns: the names of what is drawn.
    """
    side = int(rng.random() < 0.5)
    depth, waist = rng.uniform(1.2, 4.0), rng.uniform(0.5, 1.0)
    h = chest.body.lung_height
    reach = np.clip(1.0 - grid.y / np.float32(waist * h), 0.0, 1.0)
    gap = chest.distance - np.float32(depth) * np.sqrt(reach)
    gap[:, (grid.x[0] >= 0) != bool(side)] = 9.0
    gap[(reach <= 0)[:, 0]] = 9.0
    outside = _step(-gap, 0.04)
    fill -= np.float32(0.3) * outside
    line = (gap - np.float32(0.1)) * np.float32(1 / 0.1)
    fill += np.float32(0.3) * cv2.exp(-line * line)
    return ("pneumothorax",)
