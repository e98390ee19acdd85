"""The soft tissue of a synthetic patient: trunk, arms and breasts, and the gas in it.

Everything is smooth and described by its chord in cm, as in `anatomy`.
"""

import cv2
import numpy as np


def torso_chord(grid, body):
    """Chord in cm through trunk and arms, as if they were solid soft tissue."""
    w = body.half_width + 1.0 + body.fat
    level = [-12, -6, -4.2, -2.8, -1.2, 1.0, 4.0, 8.0, 14, 22, 34]
    half = [5.6, 5.9, 7.5, 12.5, w + 1.0, w + 2.5, w + 2.2, w + 0.8, w, w, w + 0.6]
    thick = [0.62, 0.62, 0.66, 0.70, 0.76, 0.84, 0.91, 0.94, 0.98, 1.10, 1.18]
    half = np.interp(grid.y[:, 0], level, half)
    thick = np.interp(grid.y[:, 0], level, thick) * body.depth
    kernel = np.exp(-0.5 * (np.arange(-12, 13) * grid.cm_per_px / 0.8) ** 2)
    half = np.convolve(np.pad(half, 12, "edge"), kernel / kernel.sum(), "valid")
    r = np.abs(grid.x) * (1.0 / half[:, None]).astype(np.float32)
    chord = cv2.pow(r, body.roundness)
    np.maximum(1.0 - chord, 0.0, out=chord)
    cv2.sqrt(chord, dst=chord)
    chord *= thick[:, None].astype(np.float32)
    # Lung in front of the great vessels and beside the spine makes the middle thinner.
    less = (0.02, 0.09, 0.06, 0.0)
    less = np.interp(grid.y[:, 0] / body.lung_height, (0, 0.15, 0.6, 1.1), less)
    less = cv2.exp(np.float32(-1 / 12) * grid.x * grid.x) * less[:, None]
    chord *= 1.0 - less.astype(np.float32)
    for side in (-1, 1):
        grid.limb(chord, *_arm(body, side), radius=3.9 + 0.25 * body.fat)
        if body.breast:
            _breast(grid, body, side, chord)
    return chord


def _breast(grid, body, side, target):
    """Add a faint veil that is thickest above its lower border, in place."""
    a = body.breast
    aside = 0.70 if body.supine else 0.58
    middle = side * aside * body.half_width, 0.66 * body.lung_height + 0.3 * a
    thick = body.breasts[int(side > 0)] * (0.5 if body.supine else 1.0)
    rows, columns = grid.window(np.array(middle) - a, np.array(middle) + a)
    u = (grid.x[:, columns] - np.float32(middle[0])) * np.float32(1 / a)
    v = (grid.y[rows] - np.float32(middle[1])) * np.float32(1 / (0.9 * a))
    inside = np.clip((1.0 - u * u - v * v) * np.float32(2.5), 0.0, 1.0)
    inside *= np.float32(thick) * np.clip(0.6 + 0.5 * v, 0.0, 1.0)
    target[rows, columns] += inside


def _arm(body, side):
    """Shoulder and elbow of an arm, in cm."""
    shoulder = (side * (body.half_width + body.fat + 3.2), 2.8)
    elbow = (
        shoulder[0] + side * (1.5 + 11.0 * body.arms_up),
        2.8 + 20.0 * (1.0 - 0.35 * body.arms_up),
    )
    return shoulder, elbow


def airway_chord(grid, body):
    """Chord in cm of air in the trachea and the main bronchi."""
    h, x = body.lung_height, 0.8 * body.lean + 0.4 * body.turn + 0.2
    carina = (x, 0.36 * h)
    tube = np.zeros(grid.shape, np.uint8)
    grid.stroke(tube, [[(x * 0.3, -9.0), (x, 0.1 * h), carina]], 1.7, 160)
    grid.stroke(tube, [[carina, (x - 2.6, 0.36 * h + 2.6)]], 1.2, 110)
    grid.stroke(tube, [[carina, (x + 3.3, 0.36 * h + 2.3)]], 1.1, 100)
    return tube * np.float32(0.9 / 160)


def abdomen_gas(grid, body, rng):
    """Chord in cm of gas in stomach and colon under the left diaphragm.

    Half of the films show gas in the stomach, a fifth in the bowel.
    """
    stomach, bowel, level = rng.random(3)
    top = body.lung_height + body.left_dome
    chord = np.zeros(grid.shape, np.float32)
    if stomach < 0.5:
        centre = np.array([rng.uniform(4.0, 8.5), top + rng.uniform(2.0, 4.2)])
        full = rng.uniform(0.5, 3.5)
        for place in rng.normal(centre, (1.3, 0.6), (3, 2)):
            axes, turn = rng.uniform((0.8, 0.5), (3.0, 1.7)), rng.uniform(-25, 25)
            place[1] = max(place[1], top + 0.5 + axes[1] + 0.4 * axes[0])
            grid.ellipsoid(chord, place, axes, turn, full, np.maximum)
        if not body.supine and level < 0.4:  # fluid in the upright stomach
            chord[grid.y[:, 0] > centre[1] + 0.4] = 0.0
    if bowel < 0.2:
        place, full = np.array([rng.uniform(-9, 10), top + 4.5]), rng.uniform(0.4, 1.6)
        for step in rng.normal(0.0, 1.0, (6, 2)):
            place = place + (1.4, 0.5) * step + (0.6, 0.4)
            axes, turn = rng.uniform(0.6, 1.8, 2), rng.uniform(0, 90)
            grid.ellipsoid(chord, place, axes, turn, full, np.maximum)
    return chord
