"""Zones and vessels of the lungs of a synthetic patient."""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.anatomy import LEFT, Body, lung_mask, wall_distance


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

    def shrunk(self, grid):
        """The same lungs on a coarser grid of the same area."""
        size = grid.shape[::-1]
        masks = (
            cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
            for mask in (self.lungs, self.zones)
        )
        distance = cv2.resize(self.distance, size, interpolation=cv2.INTER_LINEAR)
        return Chest(self.body, self.grades, *masks, distance)
