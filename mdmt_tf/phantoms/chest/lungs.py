"""Zones and vessels of the lungs of a synthetic patient."""

import dataclasses
import functools

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
    h = body.lung_height
    trees = _trees()
    chosen = rng.integers(len(trees), size=2)
    turn, size = rng.normal(0.0, 0.07, 2), rng.uniform(0.92, 1.08, 2) * h
    calibre, full = rng.uniform(0.85, 1.3), rng.uniform(0.6, 1.4)
    sides = []
    for side, place in enumerate(((-3.2, 0.52 * h), (3.6, 0.47 * h))):
        cos, sin = size[side] * np.cos(turn[side]), size[side] * np.sin(turn[side])
        mirror = 2 * side - 1
        matrix = np.array([(mirror * cos, sin), (-mirror * sin, cos)])
        sides.append([lines @ matrix + place for _, lines in trees[chosen[side]]])
    layer = np.zeros(film.shape, np.uint8)
    for (width, _), right, left in zip(trees[chosen[0]], *sides, strict=True):
        value = 140 * min(0.785 * calibre * width, 1.0)
        film.stroke(layer, np.concatenate([right, left]), calibre * width, value)
    return film.blur(layer, 0.04) * np.float32(full / 140)


@functools.cache
def _trees():
    """Trees of vessels of one lung, thin branches first, from a fixed seed.

    Growing them anew took 8 % of the time per image.

    Returns: for each tree, pairs of a diameter in cm and lines (n, 3, 2) relative to
        the hilum, in heights of the lung, x away from the midline.
    """
    rng = np.random.default_rng(0)
    return [_tree(rng) for _ in range(96)]


def _tree(rng):
    angles = np.deg2rad([-80, -62, -42, -20, -2, 18, 36, 52, 66, 80])
    angles = angles + rng.normal(0.0, 0.1, angles.size)
    start = rng.normal(0.0, 0.03, (angles.size, 2)) * (0.5, 1.0)
    length = rng.uniform(0.12, 0.20, angles.size)
    diameter = rng.uniform(0.32, 0.66, angles.size)
    strokes = []
    for _ in range(5):
        curve = rng.normal(0.0, 0.16, angles.size)
        middle = start + _steps(angles - curve, 0.5 * length)
        end = middle + _steps(angles + curve, 0.5 * length)
        lines = np.stack([start, middle, end], axis=1)
        for half in np.array_split(np.argsort(-diameter), 2):
            strokes.append((float(diameter[half].mean()), lines[half]))
        # Fork: a thicker branch continues, a thinner one turns away.
        turn = rng.uniform(0.2, 0.55, angles.size)
        turn *= rng.choice([-1.0, 1.0], angles.size)
        angles = np.concatenate([angles - 0.4 * turn, angles + 1.2 * turn])
        start = np.concatenate([end, end])
        length = np.concatenate([0.86 * length, 0.72 * length])
        length *= rng.uniform(0.75, 1.2, length.size)
        diameter = np.concatenate([0.80 * diameter, 0.62 * diameter])
    return sorted(strokes, key=lambda stroke: stroke[0])


def _steps(angles, lengths):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]


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
