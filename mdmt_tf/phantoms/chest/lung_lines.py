"""Lines in diseased lungs: interstitium, septa near the pleura, and bronchi with air.

All are maps on the coarse grid of the opacities, 0 to about 1. They become visible only
where there is disease.
"""

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.anatomy import wall_at
from mdmt_tf.phantoms.chest.pixel_grid import noise_field

HILA = ((-3.2, 0.52), (3.6, 0.47))  # x in cm, y relative to the height of the lungs


def network(rng, grid, cells=(0.85, 0.5)):
    """Thickened interstitium: a mesh of lines, and streaks that leave the hila.

    Lines of the mesh are where noise changes its sign. Each of its two systems of lines
    is broken by the other one.

    Returns: float32 (rows, columns), 0 to 1, mean about 0.15.
    """
    wide, narrow = (_lines(rng, grid, cell) for cell in cells)
    # Far from the lines of one system, those of the other one are seen.
    crossing = wide * narrow
    wide += narrow
    wide -= np.float32(1.6) * crossing
    wide *= np.float32(0.42)
    wide += streaks(rng, grid)
    return np.minimum(wide, np.float32(1.0), out=wide)


def _lines(rng, grid, cell):
    """Lines around the places where noise changes its sign, float32, 0 to 1."""
    noise = noise_field(rng, grid, cell)
    np.abs(noise, out=noise)
    noise *= np.float32(-3.0)
    noise += np.float32(1.0)
    return np.maximum(noise, np.float32(0.0), out=noise)


def streaks(rng, grid, count=260):
    """Short curved lines along the bronchi and vessels, float32, 0 to 1.

    They point away from the hila.
    """
    low, high = (grid.x[0, 0], grid.y[0, 0]), (grid.x[0, -1], grid.y[-1, 0])
    start = rng.uniform(low, high, (count, 2))
    hilum = np.where(start[:, :1] < 0, (-2.0, 0.0), (2.0, 0.0))
    hilum[:, 1] += 0.45 * high[1]
    out = start - hilum
    angle = np.arctan2(out[:, 1], out[:, 0]) + rng.normal(0.0, 0.45, count)
    bend = rng.normal(0.0, 0.25, count)
    length = rng.uniform(0.3, 1.3, count)
    lines = [start]
    for turn in (angle - bend, angle + bend):
        step = np.stack([np.cos(turn), np.sin(turn)], axis=1) * length[:, None]
        lines.append(lines[-1] + step)
    layer = np.zeros(grid.shape, np.uint8)
    lines = np.stack(lines, axis=1)
    grid.stroke(layer, lines[: count // 5], 0.22, 150)
    grid.stroke(layer, lines[count // 5 :], 0.1, 190)
    return cv2.blur(layer, (2, 2)) * np.float32(1 / 255)


def septa(rng, grid, body):
    """Kerley B lines: short horizontal lines next to the chest wall, above the angles.

    Returns: float32 (rows, columns), 0 or 1.
    """
    h, w = body.lung_height, body.half_width
    layer = np.zeros(grid.shape, np.uint8)
    y = np.sort(rng.uniform(0.62, 1.1, (2, 14)), axis=1) * h
    length = rng.uniform(0.8, 2.0, (2, 14))
    wall = w * wall_at(body, y / h)
    tilt = rng.normal(0.0, 0.12, (2, 14))
    for side, sign in enumerate((-1, 1)):
        outer = np.stack([sign * (wall[side] - 0.15), y[side]], axis=1)
        inner = np.stack(
            [sign * (wall[side] - length[side]), y[side] + tilt[side]], axis=1
        )
        grid.stroke(layer, np.stack([outer, inner], axis=1), 0.1, 1)
    return layer.astype(np.float32)


def bronchi(rng, grid, body):
    """Bronchi that stay open in consolidated lung, from the hila outwards.

    Returns: float32 (rows, columns), 0 to 1, blurred by their round cross-section.
    """
    h = body.lung_height
    layer = np.zeros(grid.shape, np.uint8)
    for sign, (x, y) in zip((-1, 1), HILA, strict=True):
        angles = np.deg2rad([-66, -30, 2, 30, 58]) + rng.normal(0.0, 0.12, 5)
        start = np.tile([x, y * h], (5, 1))
        length = rng.uniform(2.2, 3.2, 5)
        for width in (0.42, 0.32, 0.24):
            step = np.stack([sign * np.cos(angles), np.sin(angles)], axis=1)
            end = start + length[:, None] * step
            grid.stroke(layer, np.stack([start, end], axis=1), width, 255)
            turn = rng.uniform(0.2, 0.5, angles.size)
            angles = np.concatenate([angles - turn, angles + turn])
            start = np.concatenate([end, end])
            length = 0.8 * np.concatenate([length, length])
    return grid.blur(layer.astype(np.float32), 0.08) * np.float32(1 / 255)
