"""Contents of the lungs of a synthetic patient: vessels, and opacities by Brixia zone.

Source of the grades: Borghesi & Maroldi 2020. 0 no abnormality, 1 interstitial
infiltrates, 2 interstitial and alveolar with interstitial predominance, 3 interstitial
and alveolar with alveolar predominance.
"""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.anatomy import LEFT, Body, lung_mask, wall_distance
from mdmt_tf.phantoms.chest.labels import ZONES
from mdmt_tf.phantoms.chest.pixel_grid import noise_field


def zone_map(canvas, body, mask):
    """Number of the Brixia zone of each pixel.

    Args:
        canvas: `PixelGrid` or `Film`.
        body: `anatomy.Body`.
        mask: uint8 lung mask with RIGHT and LEFT.
    Returns: uint8 (rows, columns), 0 outside the lungs, 1 to 6 for the zones A to F.
    """
    zones = np.ones(mask.shape, np.uint8)
    for number, top in enumerate(body.zone_limits, start=2):
        below = [(-99, top), (99, top), (99, 99), (-99, 99)]
        canvas.fill(zones, [below], number)
    zones += np.uint8(3) * (mask == LEFT)
    zones *= mask > 0
    return zones


def vessels(film, body, rng):
    """Arteries and veins of both lungs, float32, 1 where a ray has 1 cm in them.

    Trees start at the two hila, fork at every generation and become thinner towards the
    pleura. Each tree stands for a bundle, so it absorbs more than one tube.
    """
    layer = np.zeros(film.shape, np.uint8)
    h = body.lung_height
    strokes = []
    for side, hilum in ((-1, (-3.2, 0.52 * h)), (1, (3.6, 0.47 * h))):
        angles = np.deg2rad([-80, -62, -42, -20, -2, 18, 36, 52, 66, 80])
        angles = angles + rng.normal(0.0, 0.1, angles.size)
        start = np.array(hilum) + rng.normal(0.0, 0.6, (angles.size, 2)) * (0.5, 1.0)
        length = rng.uniform(0.12, 0.20, angles.size) * h
        diameter = rng.uniform(0.40, 0.75, angles.size)
        for _ in range(5):
            curve = rng.normal(0.0, 0.16, angles.size)
            middle = start + _steps(angles - curve, 0.5 * length, side)
            end = middle + _steps(angles + curve, 0.5 * length, side)
            lines = np.stack([start, middle, end], axis=1)
            order = np.argsort(-diameter)
            for half in np.array_split(order, 2):
                strokes.append((diameter[half].mean(), lines[half]))
            # Fork: a thicker branch continues, a thinner one turns away.
            turn = rng.uniform(0.2, 0.55, angles.size)
            turn *= rng.choice([-1.0, 1.0], angles.size)
            angles = np.concatenate([angles - 0.4 * turn, angles + 1.2 * turn])
            start = np.concatenate([end, end])
            length = np.concatenate([0.86 * length, 0.72 * length])
            length *= rng.uniform(0.75, 1.2, length.size)
            diameter = np.concatenate([0.80 * diameter, 0.62 * diameter])
    for width, lines in sorted(strokes, key=lambda stroke: stroke[0]):
        film.stroke(layer, lines, width, 255 * min(0.785 * width, 1.0))
    return film.blur(layer, 0.04) * np.float32(1 / 255)


def _steps(angles, lengths, side):
    return np.stack([side * np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]


@dataclasses.dataclass(frozen=True)
class Grade:
    """Fractions of the air that fluid or tissue replaces in a zone of this grade.

    haze: everywhere.
    strands: along the network of interstitial lines.
    cover: fraction of the zone that is consolidated; above 0, so that there is an edge.
    density: inside the consolidations.
    """

    haze: float = 0.0
    strands: float = 0.0
    cover: float = 0.02
    density: float = 0.0


GRADES = (
    Grade(),
    Grade(haze=0.06, strands=0.24, cover=0.15, density=0.12),
    Grade(haze=0.10, strands=0.24, cover=0.50, density=0.36),
    Grade(haze=0.34, strands=0.08, cover=0.80, density=0.45),
)


@dataclasses.dataclass(frozen=True)
class Chest:
    """The lungs on a grid, for what is drawn into them.

    body: `anatomy.Body`.
    grades: six grades 0 to 3, in the order of `labels.ZONES`.
    lungs: uint8 (rows, columns), 0, anatomy.RIGHT or LEFT.
    zones: uint8, as `zone_map` returns them.
    distance: float32, cm to the chest wall.
    """

    body: Body
    grades: tuple[int, ...]
    lungs: np.ndarray
    zones: np.ndarray
    distance: np.ndarray

    @classmethod
    def on(cls, grid, body, grades):
        """The lungs of a body on a `PixelGrid`."""
        mask = lung_mask(grid, body)
        zones = zone_map(grid, body, mask)
        distance = wall_distance(grid, body, mask)
        return cls(body, tuple(grades), mask, zones, distance)


def opacity(grid, chest, rng):
    """Fraction of the lungs' air that disease has replaced, float32, 0 to 0.95.

    Consolidations are where a noise field is highest. Its mean and spread are known
    within each zone, so the grade determines the area and chance only the shape.
    Disease does not stop at the lines between zones: it fades over about 2 cm across a
    wavy border.

    Args:
        grid: `PixelGrid` with pixels of about 1 mm.
        chest: `Chest` on that grid. Disease prefers the periphery.
        rng: numpy Generator; the grades do not change the number of draws.
    """
    zones, distance, grades = chest.zones, chest.distance, chest.grades
    scale = rng.uniform(0.85, 1.15, len(ZONES))
    cells = rng.uniform(1.8, 3.0), rng.uniform(0.8, 1.1), 0.4
    blobs = noise_field(rng, grid, cells[0])
    blobs += np.float32(0.45) * noise_field(rng, grid, cells[1])
    blobs += np.float32(0.2) * noise_field(rng, grid, cells[2])
    ridges = [np.abs(noise_field(rng, grid, cell)) for cell in (0.7, 0.4)]
    border = noise_field(rng, grid, 2.5)
    if not any(grades):
        return np.zeros(grid.shape, np.float32)
    blobs += np.float32(0.6) * cv2.exp(distance * np.float32(-1 / 2.0))

    table = np.zeros((len(ZONES), 4), np.float32)
    for zone, grade in enumerate(grades):
        g, factor = GRADES[grade], scale[zone]
        inside = (zones == zone + 1).astype(np.uint8)
        mean, std = cv2.meanStdDev(blobs, mask=inside)
        spread = max(float(std[0, 0]), 1e-3)
        edge = float(mean[0, 0]) + spread * _normal_quantile(1.0 - g.cover)
        table[zone] = g.haze * factor, g.strands * factor, g.density * factor, edge

    level = grid.y + np.float32(0.7) * border
    below = [
        np.clip((level - np.float32(limit - 0.9)) * np.float32(1 / 1.8), 0, 1)
        for limit in chest.body.zone_limits
    ]

    def spread_out(values):
        """Spread the values of the six zones over one smooth map."""
        top, middle, base = np.where(
            grid.x < 0, values[:3, None], values[3:, None]
        )  # (columns,) each
        return top + (middle - top) * below[0] + (base - middle) * below[1]

    haze, strands, density, edge = (spread_out(column) for column in table.T)
    lines = [np.maximum(1.0 - np.float32(2.5) * r, 0.0) for r in ridges]
    broken = [np.minimum(r, np.float32(1.0)) for r in ridges]
    network = lines[0] * broken[1] + lines[1] * broken[0]
    patches = 1.0 / (1.0 + cv2.exp(np.float32(-1.8) * (blobs - edge)))
    fill = haze + strands * network + density * patches
    return np.minimum(fill, np.float32(0.95))


def _normal_quantile(p):
    """Quantile of the standard normal; Tukey's lambda with 0.1349, good to 0.01."""
    return (p**0.1349 - (1 - p) ** 0.1349) / 0.1975
