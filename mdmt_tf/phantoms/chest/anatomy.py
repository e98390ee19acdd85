"""The body of a synthetic patient: the length of every tissue along each X-ray.

A radiograph is a shadow, so every structure is described by its chord, the length in
cm that a ray travels inside it. `pixel_grid` defines the coordinates. Sizes are those
of an adult chest film.
"""

import dataclasses
import functools

import cv2
import numpy as np

from mdmt_tf.phantoms.chest.pixel_grid import spline

RIGHT, LEFT = 1, 2  # values of the lung mask; the patient's right is the image's left


@dataclasses.dataclass(frozen=True)
class Body:
    """Sizes of one patient in cm, and the position for the exposure.

    ap: taken from the front, with a shallow breath, a wide heart and the shoulder
        blades over the lungs; otherwise taken upright from the back (PA).
    supine: an AP film of a patient who lies in bed.
    """

    male: bool
    ap: bool
    supine: bool
    half_width: float  # of the chest's inside, at its widest
    lung_height: float  # apex to the top of the right diaphragm
    depth: float  # chord of soft tissue through the mediastinum
    lung_depth: float  # longest chord through one lung
    heart: float  # scale of the heart
    mediastinum: float  # scale of the width of the great vessels
    left_dome: float  # how much lower the left diaphragm lies
    arch: float  # height of the diaphragm's domes
    sulcus: float  # depth of the costophrenic angle
    lean: float  # sideways offset of the mediastinum
    turn: float  # rotation around the long axis: the sternum's offset from the spine
    rib_drop: float  # how far ribs descend from back to front, relative
    mineral: float  # density of the bones
    fat: float  # thickness of the chest wall outside the ribs
    roundness: float  # exponent of the trunk's outline, 2 an ellipse
    breast: float  # semi-axis of the breast shadow, 0 in men
    breasts: tuple[float, float]  # thickness of the right and the left breast
    taper: float  # how much the lungs narrow from the base to the apex
    arms_up: float  # 0 along the body, 1 rotated away

    @classmethod
    def draw(cls, recipe, male, ap):
        """Draw an adult; neither sex nor projection changes the number of draws.

        recipe: `ingredients.Recipe`; average sizes without "habitus", and an average
            breath and no rotation without "pose".
        """
        sizes, breath = recipe.rng("habitus"), recipe.rng("breath")
        shape = recipe.rng("shape").random(4)
        size = np.clip(sizes.normal(0.0, 1.0, 12), -2.2, 2.2)
        unit = sizes.random(6)
        bedside = recipe.rng("supine").random()
        breath = np.clip(breath.normal(0.0, 1.0, 3), -2.2, 2.2)
        if "habitus" not in recipe:
            size, unit = 0.0 * size, 0.0 * unit + 0.5
            shape = 0.0 * shape + 0.5
        size, unit, shape = size.tolist(), unit.tolist(), shape.tolist()
        breath = (breath * ("pose" in recipe)).tolist()
        supine = bool(ap and bedside < 0.5)
        height = (20.6 if male else 19.4) + 1.2 * size[1] + 1.8 * breath[0]
        weight = max(size[9], -1.5)  # thin to obese
        return cls(
            male=bool(male),
            ap=bool(ap),
            supine=supine,
            half_width=(13.3 if male else 12.2) + 0.6 * size[0],
            lung_height=height - 2.2 * ap - 1.4 * supine - 0.4 * max(weight, 0.0),
            depth=(21.0 if male else 19.5) + 1.0 * size[2] + 1.6 * weight,
            lung_depth=(13.5 if male else 12.5) + 0.8 * size[3] - (1.0 if ap else 0),
            heart=(1.0 + 0.07 * size[4]) * (1.13 if ap else 1.0),
            mediastinum=1.0 + 0.10 * size[10] + 0.12 * ap + 0.10 * supine,
            left_dome=0.6 + 0.7 * size[5],
            arch=1.0 + 0.22 * size[11] - 0.08 * breath[0],
            sulcus=max(4.0 + 0.9 * size[6] + 0.4 * breath[0] - 0.6 * ap, 1.6),
            lean=0.35 * size[7],
            turn=0.8 * breath[1] * (1.3 if ap else 1.0),
            rib_drop=0.86 + 0.30 * unit[0] - 0.12 * ap + 0.05 * breath[2],
            mineral=0.55 + 0.5 * unit[4],
            fat=3.2 + 1.4 * unit[1] + (1.0 if weight < 0 else 2.2) * weight,
            roundness=3.0 + 2.5 * unit[5],
            breast=0.0 if male else 5.2 + 2.6 * unit[2] + 0.6 * weight,
            breasts=tuple(0.3 + 0.9 * u * shape[3] for u in shape[1:3]),
            taper=2.0 * shape[0] - 1.0,
            arms_up=0.25 * unit[3] if ap else 0.5 + 0.5 * unit[3],
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
        bottom = self.lung_height + max(self.left_dome, 0.0) + self.sulcus
        return (-self.half_width - 0.8, -0.8), (self.half_width + 0.8, bottom + 0.8)

    @property
    def zone_limits(self):
        """y in cm of the lower aortic arch and of the lower pulmonary veins.

        These two lines separate upper, middle and lower Brixia zones.
        """
        return 0.36 * self.lung_height, 0.66 * self.lung_height


def wall_at(body, level):
    """Distance of the lungs' outer border from the midline, in half widths.

    level: y in heights of the lung, a number or an array.
    """
    wide = np.interp(level, _LEVELS, _WALL)
    return wide - 0.06 * body.taper * np.interp(level, [0, 0.3, 1.0], [0.6, 1.0, 0.1])


# The lungs widen from the apex to the base.
_LEVELS = np.array([0.0, 0.04, 0.14, 0.3, 0.5, 0.75, 1.0])
_WALL = np.array([0.40, 0.51, 0.645, 0.745, 0.83, 0.92, 0.985])


@functools.lru_cache(maxsize=4)
def lung_outline(body, side):
    """Outline of one lung with the part behind the heart, (n, 2) in cm."""
    w, h = body.half_width, body.lung_height
    base = h + (body.left_dome if side == LEFT else 0.0)
    angle = base + body.sulcus
    fall = body.arch  # of the dome towards the heart and the chest wall
    lateral = [
        (0.35 * w, 0.00),
        *((wall_at(body, y) * w, y * h) for y in (0.04, 0.14, 0.3, 0.5, 0.75)),
        (wall_at(body, 1.0) * w, base),
        (0.99 * w, angle - 0.8),
        (0.975 * w, angle),
        (0.955 * w, angle - 0.3),
        (0.90 * w, base + 0.58 * body.sulcus),
        (0.79 * w, base + 0.22 * body.sulcus * fall),
        (0.62 * w, base + 0.02 * body.sulcus * fall),
        (0.47 * w, base),
        (0.32 * w, base + 0.6 * fall),
        (0.22 * w, base + 1.5 * fall),
        (0.19 * w, base + 1.1 * fall),
    ]
    medial = [(0.165 * w, 0.75 * h), (0.13 * w, 0.4 * h), (0.13 * w, 0.12 * h)]
    outline = spline([*lateral, *medial, (0.22 * w, 0.02 * h)])
    if side == RIGHT:
        outline[:, 0] *= -1.0
    return outline


def lung_mask(canvas, body):
    """Mask of both lungs, uint8 (rows, columns), 0, RIGHT or LEFT."""
    mask = np.zeros(canvas.shape, np.uint8)
    for side in (RIGHT, LEFT):
        canvas.fill(mask, [lung_outline(body, side)], side)
    return mask


def wall_distance(grid, body, mask):
    """Distance of each pixel from the chest wall in cm, float32.

    Mediastinum and diaphragm do not count as wall: lung wraps around the mediastinum
    and reaches behind the diaphragm, so it is thick next to both.
    """
    h, w = body.lung_height, body.half_width
    base = h + max(body.left_dome, 0.0) + body.sulcus
    inner = np.array([(-0.42, 0.0), (0.42, 0.0), (0.98, h / base), (0.98, 1.0)])
    inner = np.concatenate([inner, inner[2:][::-1] * (-1, 1)])
    chest = np.minimum(mask, 1)
    grid.fill(chest, [inner * (w, base)], 1)
    chest[-1] = chest[-2]  # open towards the abdomen
    distance = cv2.distanceTransform(chest, cv2.DIST_L2, 3)
    return distance * np.float32(grid.cm_per_px)


def lung_chord(grid, body, mask, distance):
    """Chord in cm through the lungs: round at the sides, thin at apex and base."""
    rim = np.minimum(distance * np.float32(1 / 4.5), 1.0)
    rim = cv2.sqrt(rim * (2.0 - rim))
    h = body.lung_height
    depth = np.interp(
        grid.y[:, 0], [0, 0.25 * h, 0.6 * h, h, h + 5], [0.5, 0.8, 1.0, 0.95, 0.7]
    )
    rim *= (body.lung_depth * depth[:, None]).astype(np.float32)
    # The borders move with heart beat and breath; spine and vessels indent the lungs
    # next to the midline.
    lungs = np.minimum(mask, 1).astype(np.float32)
    # Behind the domes of the diaphragm lung reaches far down.
    coarse = grid.coarse(0.5)
    behind = cv2.resize(lungs, coarse.shape[::-1], interpolation=cv2.INTER_AREA)
    behind = grid.enlarge(coarse.blur(behind, 1.7))
    lungs = grid.blur(lungs, 0.12)
    lungs += np.float32(0.35) * behind * (1.0 - lungs)
    rim *= lungs
    aside = (np.abs(grid.x - np.float32(body.lean)) - 1.5) * np.float32(1 / 3.4)
    aside = np.clip(aside, 0.0, 1.0)
    rim *= np.float32(0.1) + np.float32(0.9) * aside * (2.0 - aside)
    return rim


def heart_outline(body):
    """Outline of heart and great vessels, (n, 2) in cm.

    Clockwise from the neck: aortic arch, pulmonary trunk and left ventricle on the
    image's right, then right atrium and superior vena cava.
    """
    h, s, m = body.lung_height, body.heart, body.mediastinum
    # The right border moves less than the left one when a heart is large.
    right = 1.0 + 0.5 * (s - 1.0)
    outline = [
        (2.1 * m, -0.15), (2.2 * m, 0.08), (2.5 * m, 0.18), (3.3 * m, 0.235),
        (3.5 * m, 0.29), (3.0 * m, 0.36), (3.3 * m, 0.41), (3.8 * m, 0.48),
        (4.8 * s, 0.59), (6.2 * s, 0.73), (7.4 * s, 0.86), (8.1 * s, 0.98),
        (8.0 * s, 1.08), (5.5 * s, 1.14), (1.5, 1.14), (-2.8, 1.12),
        (-3.3 * right, 1.04), (-3.6 * right, 0.92), (-3.6 * right, 0.78),
        (-3.2 * right, 0.64), (-2.7 * m, 0.50), (-2.4 * m, 0.36), (-2.4 * m, 0.22),
        (-2.2 * m, 0.08), (-2.1 * m, -0.15),
    ]  # fmt: skip
    # A rotated patient shows more of the heart on the side to which the front turns.
    offset = (body.lean + 0.5 * body.turn, 0.0)
    return spline(np.array(outline) * (1.0, h) + offset)


def heart_chord(grid, body):
    """Chord in cm through heart, great vessels and hila."""
    h, s = body.lung_height, body.heart
    shape = np.zeros(grid.shape, np.uint8)
    grid.fill(shape, [heart_outline(body)], 1)
    inside = cv2.distanceTransform(shape, cv2.DIST_L2, 3)
    inside *= np.float32(grid.cm_per_px / 4.5)
    np.minimum(inside, 1.0, out=inside)
    total = cv2.sqrt(inside * (2.0 - inside))
    depth = np.interp(grid.y[:, 0], [0.0, 0.4 * h, 0.8 * h], [7.0, 8.0, 11.5 * s])
    total *= depth[:, None].astype(np.float32)
    x = body.lean
    hila = [  # centre, semi-axes, degrees, full chord
        ((x - 3.6, 0.52 * h), (1.4, 2.8), 18, 2.6),
        ((x + 4.3, 0.46 * h), (1.3, 2.3), -18, 2.4),
    ]
    for centre, axes, degrees, chord in hila:
        grid.ellipsoid(total, centre, axes, degrees, chord, np.maximum)
    return total
