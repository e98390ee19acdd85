"""The bones of a synthetic patient: ribs, clavicles, shoulder blades, arms and spine.

Bones are drawn as lines on 8-bit layers (255 = `FULL_CM` of bone) and smoothed. Layers
add up where bones cross, as shadows do. `pixel_grid` defines the coordinates.
"""

import numpy as np

from mdmt_tf.phantoms.chest.anatomy import wall_at

FULL_CM = 3.0


def bone_chord(film, body, recipe):
    """Chord in cm through all bones, float32 (rows, columns).

    Args:
        film: `pixel_grid.Film`.
        body: `anatomy.Body`.
        recipe: `ingredients.Recipe`, for the small irregularities of the bones.
    """
    layers = np.zeros((4, *film.shape), np.uint8)
    if "ribs" in recipe:
        _ribs(film, body, recipe.rng("ribs"), *layers[:2])
    _shoulders(film, body, recipe.rng("shoulders"), layers[2])
    _spine(film, body, recipe.rng("spine"), layers[3])
    total = layers[0].astype(np.float32)
    for layer in layers[1:]:
        total += layer
    return film.blur(total, 0.05) * np.float32(body.mineral * FULL_CM / 255)


def _units(cm):
    return int(round(255 * cm / FULL_CM))


def _chest_half_width(body, y):
    """Half width of the rib cage at height y in cm: just outside the lungs."""
    level = y / body.lung_height
    outside = np.interp(level, [-0.12, 0.0, 1.3], [-0.08, 0.03, 0.04])
    return (wall_at(body, level) + outside) * body.half_width


def _rib_lines(body, jitter):
    """Centre lines of the twelve ribs of one side, from the spine to the front.

    Returns: (12, 33, 2) in cm on the image's right. The first 17 points of a line are
        the back of the rib, the others its front.
    """
    h = body.lung_height
    number = np.arange(1, 13)[:, None]
    start = h * (0.099 * (number - 1) - 0.085) + jitter[:, :1]
    drop = body.rib_drop * (3.4 + 1.25 * np.minimum(number, 7)) + jitter[:, 1:]
    lateral = _chest_half_width(body, start + 0.42 * drop)
    theta = np.linspace(0.0, np.pi, 33)[None, :]
    # The back of a rib rises a little over the transverse process, then descends.
    y = start + drop * (theta / np.pi) ** 1.08 - 0.3 * np.sin(np.minimum(2 * theta, 3))
    back = theta <= np.pi / 2
    inner = np.where(back, 0.9, 3.0 + 0.62 * number)
    x = inner + (lateral - inner) * np.sin(theta) ** np.where(back, 0.80, 0.9)
    return np.stack([x, y], axis=2)


def _ribs(grid, body, rng, behind, front):
    width = 1.1 if body.male else 1.0
    cortex, core = _units(0.95), _units(0.6)
    right = _rib_lines(body, rng.normal(0.0, 0.12, (12, 2)))
    lines = np.stack([right, right * (-1, 1)])
    # The last two ribs end at the flank; cartilage at the front casts no shadow.
    whole, floating = lines[:, :10, :17], lines[:, 10:, :11]
    fore = lines[:, :7, 16:31].reshape(14, -1, 2)
    for back in (whole.reshape(20, -1, 2), floating.reshape(4, -1, 2)):
        grid.stroke(behind, back, width, cortex)
        grid.stroke(behind, back, 0.66 * width, core)
    grid.stroke(front, fore, 1.1 * width, int(0.6 * cortex))
    grid.stroke(front, fore, 0.75 * width, int(0.64 * core))


def _shoulders(grid, body, rng, layer):
    lift = -0.9 - 0.5 * body.supine if body.ap else 0.3
    lift += rng.normal(0.0, 0.5)
    joint = body.half_width + body.fat + 1.7
    for side in (-1, 1):
        tilt, outward = rng.normal(0.0, 0.5, 2)

        def mirrored(points, side=side, tilt=tilt):
            points = np.array(points, dtype=np.float64)
            points[:, 1] += lift + tilt * points[:, 0] / joint
            points[:, 0] *= side
            return points

        # Shoulder blade: a thin plate with thicker borders; a PA film shows it farther
        # out.
        out = outward + (0.0 if body.ap else 1.6)
        blade = mirrored(
            [
                (8.6 + out, 1.2),
                (9.4 + out, 6.5),
                (10.9 + out, 12.6),
                (12.4 + out, 9.0),
                (joint - 1.0, 3.4),
                (joint - 1.6, 0.6),
                (11.0 + out, -0.6),
            ]
        )
        grid.fill(layer, [blade], _units(0.16))
        grid.stroke(layer, [blade[:3]], 0.35, _units(0.42))
        grid.stroke(layer, [blade[2:5]], 0.6, _units(0.5))
        spine = mirrored([(9.2 + out, 3.2), (12.5, 0.9), (joint - 1.2, -1.0)])
        grid.stroke(layer, [spine], 0.8, _units(0.45))
        # Upper arm.
        head = mirrored([(joint + 0.9, 2.0), (joint + 1.1, 2.2)])
        grid.stroke(layer, [head], 4.4, _units(0.95))
        elbow = (joint + 2.6 + 11.0 * body.arms_up, 22.0 - 7.0 * body.arms_up)
        shaft = mirrored([(joint + 1.4, 3.0), elbow])
        grid.stroke(layer, [shaft], 2.2, _units(0.95))
        grid.stroke(layer, [shaft], 1.2, _units(0.65))
        # Collar bone: an S from the breast bone to the shoulder.
        collar = mirrored(
            [
                (1.5 + side * body.turn, 3.3),
                (2.6 + side * body.turn, 3.0),
                (5.2 + 0.5 * side * body.turn, 2.2),
                (8.2, 0.9),
                (11.2, -0.4),
                (joint - 2.2, -1.4),
                (joint - 0.4, -1.2),
            ]
        )
        grid.stroke(layer, [collar], 1.35, _units(1.6))
        grid.stroke(layer, [collar], 0.8, _units(1.0))
        grid.stroke(layer, [collar[:2]], 1.8, _units(0.6))


def _spine(grid, body, rng, layer):
    """Vertebral bodies with their end plates, arches and spinous processes."""
    pitch = 0.098 * body.lung_height
    high = 0.42 * pitch  # half the height of a vertebral body
    number = np.arange(-5, 24)[:, None, None]
    curve = rng.normal(0.0, 0.35)
    centre = np.concatenate(
        [curve * np.sin(0.16 * number), pitch * number - 0.04 * body.lung_height],
        axis=2,
    )
    # Bodies widen downwards: scales of x and y.
    half = np.concatenate([1.53 + 0.035 * number, np.ones_like(number)], axis=2)

    def at(*points):
        """The points at every vertebra; x in half widths, y in cm."""
        return centre + half * np.array(points, dtype=np.float64)

    grid.fill(layer, at((-1, -high), (1, -high), (1, high), (-1, high)), _units(0.35))
    for side in (-1, 1):
        waist = at((side, -0.4 * high), (side, 0.4 * high))
        grid.stroke(layer, waist, 0.2, _units(0.3))
        plate = at((-1, side * high), (1, side * high))
        grid.stroke(layer, plate, 0.22, _units(0.5))
        process = at((1.9 * side, 0.35 - high), (side, -0.4 * high))
        grid.stroke(layer, process, 0.7, _units(0.15))
        pedicle = at((0.72 * side, -0.1), (0.72 * side, 0.1))
        grid.stroke(layer, pedicle, 0.75, _units(0.55))
    grid.stroke(layer, at((0, 0.3 * high), (0, 1.1 * high)), 0.55, _units(0.6))
