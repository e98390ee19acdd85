"""Cables, electrodes, tubes, implants and clothes on radiographs.

Devices are independent of the disease: they are a nuisance, not a hint at the outcome.
"""

import numpy as np

# Probabilities on bedside films and on upright (PA) films.
_OFTEN = {
    "leads": (0.55, 0.04),
    "central_line": (0.30, 0.02),
    "tracheal_tube": (0.20, 0.0),
    "gastric_tube": (0.20, 0.01),
    "drain": (0.04, 0.005),
    "wires": (0.04, 0.03),
    "pacemaker": (0.04, 0.03),
    "port": (0.02, 0.03),
    "buttons": (0.08, 0.08),
    "necklace": (0.03, 0.03),
    "tubing": (0.12, 0.01),
}


def device_thickness(film, body, rng):
    """Attenuation (no unit) of the devices on or in a patient, float32, or None.

    Args:
        film: `pixel_grid.Film`.
        body: `anatomy.Body`.
        rng: numpy Generator.
    """
    column = 0 if body.ap else 1
    chance = rng.random(len(_OFTEN)).tolist()
    found = [
        name
        for unit, (name, often) in zip(chance, _OFTEN.items(), strict=True)
        if unit < often[column]
    ]
    if not found:
        return None
    layer = np.zeros(film.shape, np.uint8)  # 100 grey values = attenuation 1
    for name in found:
        _DRAW[name](film, body, rng, layer)
    return film.blur(layer, 0.04) * np.float32(0.01 * rng.uniform(0.6, 1.3))


def _leads(film, body, rng, layer):
    """Electrodes of the electrocardiogram and their cables, which leave together."""
    w, h = body.half_width, body.lung_height
    exit_point = np.array([rng.choice([-1.2, 1.2]) * w, rng.uniform(0.0, 1.1) * h])
    disc, thick = rng.random() < 0.4, rng.uniform(0.12, 0.26)
    for _ in range(rng.integers(2, 6)):
        electrode = np.array([rng.uniform(-1.0, 1.0) * w, rng.uniform(0.02, 1.1) * h])
        bend = rng.normal(0.0, 5.0, (2, 2))
        cable = curve(electrode, electrode + bend[0], exit_point + bend[1], exit_point)
        film.stroke(layer, [cable], thick, 45)
        if disc:
            spot = [electrode, electrode + (0.02, 0.0)]
            film.stroke(layer, [spot], 1.3, 14)
            film.stroke(layer, [spot], 0.6, 45)
        else:
            pad = electrode + np.array([(-0.3, 0.0), (0.3, 0.0)])
            film.stroke(layer, [pad], 0.5, 90)
        exit_point = exit_point + rng.normal(0.0, 0.8, 2)


def _central_line(film, body, rng, layer):
    """A central venous line, from the neck or below a collar bone."""
    h = body.lung_height
    tip = np.array([-1.9 + body.lean, rng.uniform(0.32, 0.55) * h])
    if rng.random() < 0.6:
        line = curve((-4.5, -5.0), (-3.2, -1.0), (-2.2, 0.05 * h), tip)
    else:
        start = (rng.choice([-1, 1]) * 0.75 * body.half_width, 0.1 * h)
        line = curve(start, (0.4 * start[0], -0.5), (-1.5, 0.0), tip)
    film.stroke(layer, [line], 0.22, 38)


def _tracheal_tube(film, body, rng, layer):
    x, end = 0.3 * body.lean, rng.uniform(0.12, 0.28) * body.lung_height
    tube = curve((x, -9.0), (x, -5.0), (x + 0.2, -1.0), (x + 0.2, end))
    film.stroke(layer, [tube + (-0.45, 0), tube + (0.45, 0)], 0.12, 28)


def _gastric_tube(film, body, rng, layer):
    """A tube in the oesophagus that ends in the stomach."""
    h, x = body.lung_height, body.lean + rng.normal(0.3, 0.3)
    end = (rng.uniform(4.0, 8.0), h + rng.uniform(4.0, 7.0))
    upper = curve((x, -9.0), (x, -3.0), (x + 0.4, 0.3 * h), (x + 0.3, 0.6 * h))
    lower = curve(upper[-1], (x, 0.9 * h), (x + 1.0, h + 4.0), end)
    film.stroke(layer, [upper], 0.3, 26)
    film.stroke(layer, [lower], 0.3, 26)


def _drain(film, body, rng, layer):
    """A chest drain from the flank upwards."""
    side, h = rng.choice([-1, 1]), body.lung_height
    start = np.array([side * (body.half_width + 3), rng.uniform(0.5, 0.9) * h])
    tip = (side * rng.uniform(0.35, 0.6) * body.half_width, rng.uniform(0.1, 0.4) * h)
    line = curve(start, start - (3 * side, 0.0), (0.9 * start[0], 0.4 * h), tip)
    film.stroke(layer, [line], 0.6, 18)
    film.stroke(layer, [line], 0.18, 55)


def _wires(film, body, rng, layer):
    """Wires of the breast bone after an operation on the heart."""
    x, h = body.lean + 0.6 * body.turn, body.lung_height
    for y in np.linspace(0.18, 0.75, 6) * h:
        loop = np.array([(-0.9, 0.0), (0.0, 0.35), (0.9, 0.0), (0.0, -0.3), (-0.9, 0)])
        place = (x, y) + rng.normal(0.0, 0.15, 2)
        film.stroke(layer, [loop * rng.uniform(0.6, 1.1) + place], 0.1, 150)


def _pacemaker(film, body, rng, layer):
    """A pacemaker below a collar bone with one or two leads to the heart."""
    side, h = (1 if rng.random() < 0.8 else -1), body.lung_height
    centre = np.array([side * rng.uniform(0.62, 0.85) * body.half_width, 0.16 * h])
    angle = np.linspace(0, 2 * np.pi, 24)
    case = np.stack([2.4 * np.cos(angle), 2.0 * np.sin(angle)], axis=1)
    film.fill(layer, [centre + case], 110)
    film.fill(layer, [centre + 0.6 * case + (0.0, 0.5)], 170)
    for end in ((3.0, 0.95 * h), (-2.5, 0.7 * h))[: rng.integers(1, 3)]:
        vein = (-1.8 + body.lean, 0.25 * h)
        lead = curve(centre, (0.4 * centre[0], -1.5), (-2.0, 0.0), vein)
        film.stroke(layer, [lead], 0.16, 90)
        lead = curve(vein, (-2.4, 0.5 * h), (-2.6, 0.85 * h), end)
        film.stroke(layer, [lead], 0.16, 90)


def _port(film, body, rng, layer):
    """A port under the skin with its catheter."""
    h = body.lung_height
    centre = np.array([-rng.uniform(0.5, 0.75) * body.half_width, 0.2 * h])
    angle = np.linspace(0, 2 * np.pi, 20)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    film.stroke(layer, [centre + 1.2 * ring], 0.35, 60)
    tip = (-1.8 + body.lean, 0.42 * h)
    film.stroke(layer, [curve(centre, (-5.0, -1.0), (-2.5, -0.5), tip)], 0.2, 40)


def _buttons(film, body, rng, layer):
    """Snaps or buttons of a gown, in a row or at the shoulders."""
    x, step = rng.uniform(-0.7, 0.7) * body.half_width, rng.uniform(2.0, 5.0)
    down = rng.random() < 0.6
    for k in range(rng.integers(1, 6)):
        place = np.array([x, 1.0 + k * step] if down else [x + k * step, 0.5])
        film.stroke(layer, [[place, place + (0.02, 0)]], rng.uniform(0.6, 1.1), 60)


def _necklace(film, body, rng, layer):
    w, low = rng.uniform(4.0, 7.0), rng.uniform(1.0, 6.0)
    chain = curve((-w, -4.0), (-0.6 * w, low + 1), (0.6 * w, low + 1), (w, -4.0))
    film.stroke(layer, [chain], 0.18, 110)


def _tubing(film, body, rng, layer):
    """Tubes and lines that lie on the patient and lead nowhere."""
    w, h = body.half_width, body.lung_height
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform((-1.4 * w, -0.3 * h), (1.4 * w, 1.4 * h), (4, 2))
        line = curve(*points)
        if rng.random() < 0.5:
            film.stroke(layer, [line], rng.uniform(0.15, 0.4), int(rng.uniform(20, 60)))
        else:
            film.stroke(layer, [line - (0.4, 0), line + (0.4, 0)], 0.12, 30)


_DRAW = {
    "leads": _leads,
    "central_line": _central_line,
    "tracheal_tube": _tracheal_tube,
    "gastric_tube": _gastric_tube,
    "drain": _drain,
    "wires": _wires,
    "pacemaker": _pacemaker,
    "port": _port,
    "buttons": _buttons,
    "necklace": _necklace,
    "tubing": _tubing,
}


def curve(start, first, second, end):
    """Cubic Bezier curve, (20, 2)."""
    t = np.linspace(0.0, 1.0, 20)[:, None]
    start, first, second, end = (
        np.asarray(p, float) for p in (start, first, second, end)
    )
    u = 1.0 - t
    return u**3 * start + 3 * u**2 * t * first + 3 * u * t**2 * second + t**3 * end
