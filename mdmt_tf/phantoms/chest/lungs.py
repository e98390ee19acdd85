"""Zones and vessels of the lungs of a synthetic patient."""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.anatomy import LEFT, RIGHT, Body


def zone_map(grid, body, mask):
    """Number of the Brixia zone of each pixel.

    Args:
        grid: `PixelGrid`.
        body: `anatomy.Body`.
        mask: uint8 lung mask with RIGHT and LEFT.
    Returns: uint8 (rows, columns), 0 outside the lungs, 1 to 6 for the zones A to F.
    """
    upper, lower = body.zone_limits
    y = grid.y[:, 0]
    third = (1 + (y >= upper) + (y >= lower)).astype(np.uint8)[:, None]
    zones = np.zeros(mask.shape, np.uint8)
    np.copyto(zones, third, where=mask == RIGHT)
    np.copyto(zones, third + np.uint8(3), where=mask == LEFT)
    return zones


def vessel_chord(grid, body, rng, distance):
    """Chord in cm through the arteries and veins of both lungs, float32.

    Trees start at the two hila, fork at every generation and become thinner towards the
    pleura. Each tree stands for a bundle, so it absorbs more than one tube.
    """
    layer = np.zeros(grid.shape, np.uint8)
    full = 1.0  # cm at grey value 255
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
        grid.stroke(layer, lines, width, 255 * min(0.785 * width / full, 1.0))
    fading = np.minimum(distance * np.float32(1 / 2.0), 1.0) * np.float32(
        2.6 * full / 255
    )
    return grid.blur(layer.astype(np.float32), 0.04) * fading


def _steps(angles, lengths, side):
    return np.stack([side * np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]


@dataclasses.dataclass(frozen=True)
class Chest:
    """The lungs on a grid, for what is drawn into them.

    body: `anatomy.Body`.
    grades: six grades 0 to 3, in the order of `labels.ZONES`.
    lungs: uint8 (rows, columns), 0, RIGHT or LEFT.
    zones: uint8, as `zone_map` returns them.
    distance: float32, cm to the chest wall.
    """

    body: Body
    grades: tuple[int, ...]
    lungs: np.ndarray
    zones: np.ndarray
    distance: np.ndarray

    @classmethod
    def shrunk(cls, grid, body, grades, lungs, zones, distance):
        """The lungs of a finer grid on `grid`."""
        size = grid.shape[::-1]
        lungs, zones = (
            cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
            for mask in (lungs, zones)
        )
        distance = cv2.resize(distance, size, interpolation=cv2.INTER_LINEAR)
        return cls(body, tuple(grades), lungs, zones, distance)
