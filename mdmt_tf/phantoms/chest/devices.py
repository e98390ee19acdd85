"""Cables, electrodes and tubes on bedside radiographs.

Devices are independent of the disease: they are a nuisance, not a hint at the outcome.
"""

import numpy as np


def device_thickness(grid, body, rng):
    """Attenuation (no unit) of the devices on or in a patient in bed, float32.

    Two in five patients have none.

    Args:
        grid: `pixel_grid.Film`.
        body: `anatomy.Body`.
        rng: numpy Generator.
    """
    if rng.random() >= 0.6:
        return np.zeros(grid.shape, np.float32)
    layer = np.zeros(grid.shape, np.uint8)  # 100 grey values = attenuation 1
    w, h = body.half_width, body.lung_height
    exit_point = np.array([rng.choice([-1.2, 1.2]) * w, rng.uniform(0.2, 1.0) * h])
    for _ in range(rng.integers(2, 5)):
        electrode = np.array([rng.uniform(-0.9, 0.9) * w, rng.uniform(0.05, 1.0) * h])
        offset = rng.normal(0.0, 4.0, 2)
        cable = _curve(electrode, electrode + offset, exit_point + offset, exit_point)
        grid.stroke(layer, [cable], 0.16, 45)
        pad = electrode + np.array([(-0.3, 0.0), (0.3, 0.0)])
        grid.stroke(layer, [pad], 0.5, 90)
        exit_point = exit_point + rng.normal(0.0, 0.8, 2)
    if rng.random() < 0.5:  # central venous line from the patient's right neck
        tip = np.array([-1.9 + body.lean, 0.45 * h])
        line = _curve((-4.5, -5.0), (-3.2, -1.0), (-2.2, 0.05 * h), tip)
        grid.stroke(layer, [line], 0.22, 38)
    if rng.random() < 0.3:  # tracheal tube
        x = 0.3 * body.lean
        tube = _curve((x, -9.0), (x, -5.0), (x + 0.2, -1.0), (x + 0.2, 0.2 * h))
        grid.stroke(layer, [tube + (-0.45, 0), tube + (0.45, 0)], 0.12, 28)
    return grid.blur(layer.astype(np.float32), 0.06) * np.float32(0.01)


def _curve(start, first, second, end):
    """Cubic Bezier curve, (20, 2)."""
    t = np.linspace(0.0, 1.0, 20)[:, None]
    start, first, second, end = (
        np.asarray(p, float) for p in (start, first, second, end)
    )
    u = 1.0 - t
    return u**3 * start + 3 * u**2 * t * first + 3 * u * t**2 * second + t**3 * end
