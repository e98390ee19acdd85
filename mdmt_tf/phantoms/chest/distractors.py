"""Findings in the chest that do not count in the Brixia score.

Each has its frequency among adults whose chest is examined, roughly. They are drawn
independently of the grades.
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.chest import lung_lines, pleura

# Attenuation in 1/cm: soft tissue in place of lung, and calcium beyond soft tissue.
_TISSUE, _CALCIUM = 0.14, 0.9

_OFTEN = {
    "veil": 0.6,
    "markings": 0.45,
    "fissure": 0.3,
    "bands": 0.14,
    "scars": 0.08,
    "collapse": 0.02,
    "pneumothorax": 0.008,
    "nodules": 0.12,
    "calcified_aorta": 0.14,
    "hilar_enlargement": 0.08,
    "nipples": 0.06,
    "skin_fold": 0.07,
}
_FILLING = ("veil", "markings", "fissure", "bands", "scars", "collapse", "pneumothorax")
_ADDED = ("nodules", "calcified_aorta", "hilar_enlargement", "nipples", "skin_fold")


def inflated(body, rng):
    """The body of a patient with emphysema, once in 16: long, wide and deep lungs."""
    present, amount = rng.random(2)
    if present >= 1 / 16:
        return body
    amount = 0.5 + amount
    return dataclasses.replace(
        body,
        lung_height=body.lung_height + 1.8 * amount,
        lung_depth=body.lung_depth + 1.5 * amount,
        half_width=body.half_width + 0.3 * amount,
        sulcus=max(body.sulcus - 1.0 * amount, 1.6),
        heart=body.heart * (1.0 - 0.1 * amount),
    )


def filling(grid, chest, rng):
    """Distractors in the lungs: the fraction of the air that they replace.

    Args:
        grid: `PixelGrid` with pixels of about 1 mm.
        chest: `lungs.Chest` on that grid.
        rng: numpy Generator.
    Returns: float32 (rows, columns) or None, and the names of what is drawn.
    """
    found = _found(rng, _FILLING)
    if not found:
        return None, ()
    fill = np.zeros(grid.shape, np.float32)
    if set(found) & set(_LINES):
        layer = np.zeros(grid.shape, np.uint8)  # 200 = all air
        for name, draw in _LINES.items():
            if name in found:
                draw(grid, chest.body, rng, layer)
        fill += grid.blur(layer, 0.09) * np.float32(1 / 200)
    if "veil" in found:
        fill += _veil(grid, chest.body, rng)
    if "markings" in found:
        fill += _markings(grid, chest, rng)
    if "collapse" in found:
        np.maximum(fill, _collapse(grid, chest.body, rng), out=fill)
    if "pneumothorax" in found:
        pleura.pneumothorax(grid, chest, rng, fill)
    return fill, found


def tissue(grid, chest, rng):
    """Distractors that add attenuation: nodules, calcium, hila, skin.

    Args: as `filling`.
    Returns: float32 (rows, columns), attenuation without unit, or None; and names.
    """
    rng = rng.spawn(1)[0]  # not the draws of `filling`
    found = _found(rng, _ADDED)
    if chest.body.ap is False:
        found = tuple(name for name in found if name != "skin_fold")
    if not found:
        return None, ()
    added = np.zeros(grid.shape, np.float32)
    for name, draw in _DRAW.items():
        if name in found:
            draw(grid, chest, rng, added)
    return added, found


def _found(rng, names):
    return tuple(
        name
        for name, unit in zip(names, rng.random(len(names)).tolist(), strict=True)
        if unit < _OFTEN[name]
    )


def _bent(start, end, bend):
    """A curve between two points that leaves the line by `bend`, (7, 2)."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    t = np.linspace(0.0, 1.0, 7)[:, None]
    across = np.array([start[1] - end[1], end[0] - start[0]])
    across /= np.hypot(*across) + 1e-6
    return start + t * (end - start) + 4 * bend * t * (1 - t) * across


def _veil(grid, body, rng):
    """Soft tissue over both lungs: even, denser at base or apex or on one side."""
    even, base, aside, top = (rng.random(4) * (0.14, 0.22, 0.14, 0.16)).tolist()
    side = np.float32(rng.choice([-1.0, 1.0]) / body.half_width)
    middle, height = rng.uniform(0.5, 0.9) * body.lung_height, rng.uniform(2.5, 5.0)
    level = 1.0 / (1.0 + np.exp((middle - grid.y) / np.float32(height)))
    across = even + aside * np.clip(side * grid.x, 0.0, 1.0)
    # Muscles of the shoulders.
    above = np.clip(1.0 - grid.y / np.float32(0.4 * body.lung_height), 0.0, 1.0)
    return (base * level + top * above + across).astype(np.float32)


def _markings(grid, chest, rng):
    """Thick walls of bronchi and wide vessels around the hila, as of smokers."""
    body = chest.body
    strength, reach = np.float32(rng.uniform(0.06, 0.26)), rng.uniform(3.5, 7.5)
    lines = lung_lines.streaks(rng, grid, 200)
    near = np.exp(-np.square((grid.y / body.lung_height - 0.6) / 0.35))
    inner = np.exp(-np.square((np.abs(grid.x) - 2.0) / reach))
    lines *= near.astype(np.float32) * (strength * inner.astype(np.float32))
    return lines


def _fissure(grid, body, rng, layer):
    """The horizontal fissure of the right lung, seen edge on."""
    h, w = body.lung_height, body.half_width
    y = h * rng.uniform(0.46, 0.56)
    line = _bent((-3.0, y), (-0.95 * w, y + rng.normal(0.0, 0.7)), rng.normal(0.0, 0.4))
    # With fluid in it, once in six, it is as broad as a pencil's line.
    thick = rng.random() < 1 / 6
    grid.stroke(layer, [line], 0.25 if thick else 0.1, 70 if thick else 26)


def _bands(grid, body, rng, layer):
    """Plates of atelectasis: horizontal bands above the diaphragm."""
    h, w = body.lung_height, body.half_width
    for _ in range(rng.integers(1, 4)):
        side = -1 if rng.random() < 0.5 else 1
        start = np.array([side * w * rng.uniform(0.3, 0.55), h * rng.uniform(0.68, 1)])
        step = (side * rng.uniform(2.5, 6.5), rng.normal(0.2, 0.9))
        line = _bent(start, start + step, rng.normal(0.0, 0.3))
        width = rng.uniform(0.12, 0.5)
        grid.stroke(layer, [line], width, int(rng.uniform(40, 90)))


def _scars(grid, body, rng, layer):
    """Strands below the apices, and thick pleura over them."""
    h, w = body.lung_height, body.half_width
    for side in ((-1, 1), (-1,), (1,))[rng.integers(3)]:
        place = np.array(
            [side * w * rng.uniform(0.4, 0.65), h * rng.uniform(0.05, 0.2)]
        )
        for _ in range(rng.integers(2, 6)):
            start = place + rng.normal(0.0, 0.9, 2)
            step = rng.normal(0.0, 1.0, 2) + (-0.7 * side, 1.2)
            line = _bent(start, start + step, rng.normal(0.0, 0.2))
            grid.stroke(layer, [line], rng.uniform(0.1, 0.25), int(rng.uniform(40, 90)))
        cap = (
            side * w * np.linspace(0.38, 0.68, 7),
            0.1 + h * 0.08 * np.linspace(-1, 1, 7) ** 2,
        )
        grid.stroke(layer, [np.stack(cap, axis=1)], rng.uniform(0.3, 0.8), 60)


def _collapse(grid, body, rng):
    """A lobe without air: behind the heart on the left, or above on the right."""
    h, w = body.lung_height, body.half_width
    layer = np.zeros(grid.shape, np.uint8)
    if rng.random() < 0.7:
        out = rng.uniform(0.35, 0.5) * w
        corners = [(1.5, 0.5 * h), (out, 1.02 * h), (out, 1.3 * h), (1.0, 1.3 * h)]
    else:
        low = rng.uniform(0.22, 0.32) * h
        corners = [(-1.5, -1.0), (-0.7 * w, -1.0), (-0.55 * w, 0.5 * low), (-2.5, low)]
    grid.fill(layer, [corners], 200)
    return grid.blur(layer.astype(np.float32), 0.2) * np.float32(0.85 / 200)


def _nodules(grid, chest, rng, added):
    """One to three nodules; small dense ones are calcified granulomas."""
    h, w = chest.body.lung_height, chest.body.half_width
    for _ in range(rng.integers(1, 4)):
        side = -1 if rng.random() < 0.5 else 1
        place = side * w * rng.uniform(0.3, 0.9), h * rng.uniform(0.1, 1.0)
        old = rng.random() < 0.6
        radius = rng.uniform(0.2, 0.4) if old else rng.uniform(0.4, 1.2)
        full = 2.5 * radius * (_CALCIUM if old else _TISSUE)
        axes = radius * rng.uniform(0.85, 1.15, 2)
        grid.ellipsoid(added, place, axes, rng.uniform(0, 90), full)


def _calcified_aorta(grid, chest, rng, added):
    """A shell of calcium in the wall of the aortic arch."""
    body, width = chest.body, chest.body.mediastinum
    middle = body.lean + 0.5 * body.turn
    centre = np.array([middle + 2.3 * width, 0.27 * body.lung_height])
    start, length = rng.uniform(-1.6, -0.6), rng.uniform(0.9, 2.2)
    angle = np.linspace(start, start + length, 12)
    radii = np.array([1.7 * width, 0.085 * body.lung_height])
    line = centre + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    layer = np.zeros(grid.shape, np.uint8)
    grid.stroke(layer, [line], 0.22, int(rng.uniform(60, 200)))
    added += grid.blur(layer.astype(np.float32), 0.05) * np.float32(0.8 / 200)


def _hilar_enlargement(grid, chest, rng, added):
    """Wide hila, of large arteries or lymph nodes; on one side once in three."""
    body = chest.body
    one_sided, right = rng.random(2)
    for side, (x, y) in ((-1, (-3.6, 0.52)), (1, (4.1, 0.47))):
        if one_sided < 1 / 3 and (right < 0.5) != (side < 0):
            continue
        for _ in range(2):
            place = np.array([body.lean + x, y * body.lung_height])
            place += rng.normal(0.0, 0.5, 2) * (1.0, 1.8)
            axes = rng.uniform(0.8, 1.5, 2) * (1.0, 1.4)
            full = _TISSUE * rng.uniform(1.8, 4.0)
            grid.ellipsoid(added, place, axes, 15 * -side, full, np.maximum)


def _nipples(grid, chest, rng, added):
    body = chest.body
    for side in (-1, 1):
        x = side * body.half_width * rng.uniform(0.55, 0.68)
        place = x, body.lung_height * rng.uniform(0.8, 1.0)
        radius = rng.uniform(0.3, 0.5)
        grid.ellipsoid(added, place, (radius, radius), 0, 0.19 * rng.uniform(1.0, 2.2))


def _skin_fold(grid, chest, rng, added):
    """A fold of the back in bed: an edge on one side, fading on the other."""
    w, h = chest.body.half_width, chest.body.lung_height
    side = -1 if rng.random() < 0.5 else 1
    x, tilt = side * w * rng.uniform(0.5, 0.9), rng.normal(0.0, 0.25)
    strength, middle = rng.uniform(0.1, 0.35), rng.uniform(0.4, 0.6) * h
    columns = slice(*np.searchsorted(grid.x[0], (x - 5.0, x + 5.0)))
    offset = side * (grid.x[:, columns] - x) - tilt * (grid.y - middle)
    fold = np.clip(offset * (1 / 0.15), 0.0, 1.0) * np.clip(
        1.0 - offset / 2.5, 0.0, 1.0
    )
    ends = np.clip(2.0 - np.abs(grid.y - middle) * (3.0 / h), 0.0, 1.0)
    added[:, columns] += (strength * fold * ends).astype(np.float32)


_LINES = {"fissure": _fissure, "bands": _bands, "scars": _scars}
_DRAW = {
    "nodules": _nodules,
    "calcified_aorta": _calcified_aorta,
    "hilar_enlargement": _hilar_enlargement,
    "nipples": _nipples,
    "skin_fold": _skin_fold,
}
