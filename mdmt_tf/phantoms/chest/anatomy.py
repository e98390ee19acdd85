"""The body of a synthetic patient: the length of every tissue along each X-ray.

A radiograph is a shadow, so every structure is described by its chord, the length in
cm that a ray travels inside it. `pixel_grid` defines the coordinates. Sizes are those
of an adult chest film.
"""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.pixel_grid import spline

RIGHT, LEFT = 1, 2  # values of the lung mask; the patient's right is the image's left


@dataclasses.dataclass(frozen=True)
class Body:
    """Sizes of one patient in cm, and the position for the exposure.

    ap: taken from the front in bed, with a shallow breath, a wide heart and the
    shoulder blades over the lungs; otherwise taken upright from the back (PA).
    """

    male: bool
    ap: bool
    half_width: float  # of the chest's inside, at its widest
    lung_height: float  # apex to the top of the right diaphragm
    depth: float  # chord of soft tissue through the mediastinum
    lung_depth: float  # longest chord through one lung
    heart: float  # scale of the heart
    left_dome: float  # how much lower the left diaphragm lies
    sulcus: float  # depth of the costophrenic angle
    lean: float  # sideways offset of the mediastinum
    rib_drop: float  # how far ribs descend from back to front, relative
    fat: float  # thickness of the chest wall outside the ribs
    breast: float  # semi-axis of the breast shadow, 0 in men
    arms_up: float  # 0 along the body, 1 rotated away

    @classmethod
    def draw(cls, rng, male, ap, vary=True):
        """Draw an adult; no argument changes the number of draws.

        vary: False: an adult of average size.
        """
        size = np.clip(rng.normal(0.0, 1.0, 8), -2.0, 2.0)
        unit = rng.random(4)
        if not vary:
            size, unit = 0.0 * size, 0.0 * unit + 0.5
        size, unit = size.tolist(), unit.tolist()
        height = (20.6 if male else 19.2) + 1.1 * size[1] - (3.0 if ap else 0.0)
        return cls(
            male=bool(male),
            ap=bool(ap),
            half_width=(13.3 if male else 12.0) + 0.6 * size[0],
            lung_height=height,
            depth=(21.5 if male else 20.0) + 1.5 * size[2],
            lung_depth=(13.5 if male else 12.5) + 0.8 * size[3] - (1.0 if ap else 0),
            heart=(1.0 + 0.07 * size[4]) * (1.13 if ap else 1.0),
            left_dome=1.1 + 0.5 * size[5],
            sulcus=3.4 + 0.5 * size[6] - (0.8 if ap else 0.0),
            lean=0.35 * size[7],
            rib_drop=0.9 + 0.25 * unit[0] - (0.12 if ap else 0.0),
            fat=2.2 + 2.0 * unit[1],
            breast=0.0 if male else 4.0 + 2.2 * unit[2],
            arms_up=0.15 * unit[3] if ap else 0.6 + 0.4 * unit[3],
        )

    def with_heart(self, size):
        """The same body with a heart of `size` std from the mean, clipped to 2.5.

        One std is 12 % of the width, as of cardiothoracic ratios among inpatients; the
        hearts of `draw` vary by 7 %.
        """
        scale = 1.0 + 0.12 * float(np.clip(size, -2.5, 2.5))
        return dataclasses.replace(self, heart=scale * (1.13 if self.ap else 1.0))

    @property
    def chest(self):
        """Corners (x, y) in cm of a box that holds both lungs."""
        bottom = self.lung_height + self.left_dome + self.sulcus
        return (-self.half_width - 0.8, -0.8), (self.half_width + 0.8, bottom + 0.8)

    @property
    def zone_limits(self):
        """y in cm of the lower aortic arch and of the lower pulmonary veins.

        These two lines separate upper, middle and lower Brixia zones.
        """
        return 0.36 * self.lung_height, 0.66 * self.lung_height


def lung_outline(body, side):
    """Outline of one lung with the part behind the heart, (n, 2) in cm."""
    w, h = body.half_width, body.lung_height
    base = h + (body.left_dome if side == LEFT else 0.0)
    angle = base + body.sulcus
    lateral = [
        (0.42 * w, 0.00),
        (0.63 * w, 0.06 * h),
        (0.80 * w, 0.20 * h),
        (0.925 * w, 0.45 * h),
        (0.985 * w, 0.75 * h),
        (1.00 * w, base),
        (0.99 * w, angle - 0.8),
        (0.975 * w, angle),
        (0.955 * w, angle - 0.15),
        (0.90 * w, base + 0.42 * body.sulcus),
        (0.76 * w, base + 0.10 * body.sulcus),
        (0.56 * w, base),
        (0.36 * w, base + 0.35),
        (0.235 * w, base + 1.25),
        (0.20 * w, base + 0.9),
    ]
    medial = [(0.19 * w, 0.75 * h), (0.185 * w, 0.4 * h), (0.21 * w, 0.12 * h)]
    outline = spline([*lateral, *medial, (0.29 * w, 0.02 * h)])
    if side == RIGHT:
        outline[:, 0] *= -1.0
    return outline


def lungs(grid, body):
    """Mask of both lungs, and the distance of each pixel from the chest wall.

    Returns:
        mask: uint8 (rows, columns), 0, RIGHT or LEFT.
        distance: float32, cm to the chest wall. Mediastinum and diaphragm do not
            count as wall: lung wraps around the mediastinum and reaches behind the
            diaphragm, so it is thick next to both.
    """
    mask = np.zeros(grid.shape, np.uint8)
    h, w = body.lung_height, body.half_width
    base = h + body.left_dome + body.sulcus
    inner = np.array([(-0.42, 0.0), (0.42, 0.0), (0.98, h / base), (0.98, 1.0)])
    inner = np.concatenate([inner, inner[2:][::-1] * (-1, 1)])
    for side in (RIGHT, LEFT):
        grid.fill(mask, [lung_outline(body, side)], side)
    chest = (mask > 0).astype(np.uint8)
    grid.fill(chest, [inner * (w, base)], 1)
    chest[-1] = chest[-2]  # open towards the abdomen
    distance = cv2.distanceTransform(chest, cv2.DIST_L2, 3)
    return mask, distance * np.float32(grid.cm_per_px)


def lung_chord(grid, body, mask, distance):
    """Chord in cm through the lungs: round at the sides, thin at apex and base."""
    rim = np.minimum(distance * np.float32(1 / 4.5), 1.0)
    rim = np.sqrt(rim * (2.0 - rim))
    h = body.lung_height
    depth = np.interp(
        grid.y[:, 0], [0, 0.25 * h, 0.6 * h, h, h + 5], [0.65, 0.92, 1.0, 0.95, 0.7]
    )
    rim *= (body.lung_depth * depth[:, None]).astype(np.float32)
    # The borders move with heart beat and breath; spine and vessels indent the lungs
    # next to the midline.
    rim *= grid.blur((mask > 0).astype(np.float32), 0.18)
    aside = np.clip((np.abs(grid.x - np.float32(body.lean)) - 1.6) / 3.2, 0.0, 1.0)
    return rim * (0.45 + 0.55 * aside * (2.0 - aside)).astype(np.float32)


def torso_chord(grid, body):
    """Chord in cm through trunk and arms, as if they were solid soft tissue."""
    w = body.half_width + 1.0 + body.fat
    level = [-12, -6, -4.2, -2.8, -1.2, 1.0, 4.0, 8.0, 14, 22, 34]
    half = [5.6, 5.9, 7.5, 12.5, w + 1.5, w + 2.5, w + 1.8, w + 0.3, w, w, w + 0.6]
    thick = [0.62, 0.62, 0.66, 0.68, 0.72, 0.80, 0.92, 1.0, 1.0, 1.0, 1.04]
    half = np.interp(grid.y[:, 0], level, half)
    thick = np.interp(grid.y[:, 0], level, thick) * body.depth
    kernel = np.exp(-0.5 * (np.arange(-30, 31) * grid.cm_per_px / 0.7) ** 2)
    half = np.convolve(np.pad(half, 30, "edge"), kernel / kernel.sum(), "valid")
    r = np.abs(grid.x) * (1.0 / half[:, None]).astype(np.float32)
    chord = r * r
    chord *= np.sqrt(r)
    np.maximum(1.0 - chord, 0.0, out=chord)
    np.sqrt(chord, out=chord)
    chord *= thick[:, None].astype(np.float32)
    for side in (-1, 1):
        grid.limb(chord, *_arm(body, side), radius=4.2)
        if body.breast:
            a = body.breast
            centre = (side * 0.62 * body.half_width, 0.72 * body.lung_height + 0.35 * a)
            grid.ellipsoid(chord, centre, (a, 0.85 * a), 0, 0.5 * a)
    return chord


def _arm(body, side):
    """Shoulder and elbow of an arm, in cm."""
    shoulder = (side * (body.half_width + body.fat + 3.2), 2.8)
    elbow = (
        shoulder[0] + side * (1.5 + 11.0 * body.arms_up),
        2.8 + 20.0 * (1.0 - 0.35 * body.arms_up),
    )
    return shoulder, elbow


def heart_chord(grid, body):
    """Chord in cm through heart, aorta, pulmonary trunk and hila."""
    h, s = body.lung_height, body.heart
    x, y = body.lean, 0.76 * h
    parts = [  # centre, semi-axes, degrees, full chord
        ((x + 2.3 * s, y + 0.3), (6.3 * s, 4.5 * s), 36, 11.5 * s),  # left ventricle
        ((x - 0.9 * s, y), (3.4 * s, 5.2 * s), 0, 9.0 * s),  # right atrium
        ((x + 0.8, 0.53 * h), (3.2 * s, 4.6), 20, 6.5),  # great arteries
        ((x + 2.1, 0.30 * h), (2.1 * s, 2.1), 0, 8.0),  # aortic arch
        ((x + 1.2, 0.60 * h), (2.1, 7.5), -4, 4.5),  # descending aorta
        ((x - 2.0, 0.30 * h), (1.5, 6.5), 4, 4.5),  # superior vena cava
        ((x + 2.8, 0.44 * h), (1.9 * s, 2.2), -20, 6.0),  # pulmonary trunk
        ((x - 3.4, 0.53 * h), (1.3, 2.4), 15, 2.4),  # right hilum
        ((x + 3.9, 0.47 * h), (1.2, 1.9), -15, 2.2),  # left hilum
    ]
    total = np.zeros(grid.shape, np.float32)
    for centre, axes, degrees, chord in parts:
        grid.ellipsoid(total, centre, axes, degrees, chord, np.maximum)
    return total


def airway_chord(grid, body):
    """Chord in cm of air in the trachea and the main bronchi."""
    h, x = body.lung_height, 0.8 * body.lean + 0.2
    carina = (x, 0.36 * h)
    tube = np.zeros(grid.shape, np.uint8)
    grid.stroke(tube, [[(x * 0.3, -9.0), (x, 0.1 * h), carina]], 1.7, 160)
    grid.stroke(tube, [[carina, (x - 2.6, 0.36 * h + 2.6)]], 1.2, 110)
    grid.stroke(tube, [[carina, (x + 3.3, 0.36 * h + 2.3)]], 1.1, 100)
    return tube * np.float32(1.8 / 160)


def abdomen_gas(grid, body, rng):
    """Chord in cm of gas in stomach and colon under the left diaphragm."""
    top = body.lung_height + body.left_dome
    centre = (rng.uniform(4.5, 8.0), top + rng.uniform(2.4, 3.8))
    size = rng.uniform(0.5, 1.0)
    chord = np.zeros(grid.shape, np.float32)
    full, turn = rng.uniform(0.0, 4.0), rng.uniform(-20, 10)
    grid.ellipsoid(chord, centre, (3.2 * size, 1.6 * size), turn, full)
    if not body.ap and rng.random() < 0.4:  # fluid level in the upright stomach
        chord[grid.y[:, 0] > centre[1] + 0.4] = 0.0
    for _ in range(3):
        spot = (rng.uniform(-9, 11), top + rng.uniform(6, 12))
        axes, turn = rng.uniform(0.8, 2.2, 2), rng.uniform(0, 90)
        grid.ellipsoid(chord, spot, axes, turn, rng.uniform(0.0, 2.0))
    return chord
