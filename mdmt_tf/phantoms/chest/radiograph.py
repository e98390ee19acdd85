"""Synthetic chest radiographs with known Brixia grades, lungs and zones.

Nothing here comes from a patient. The pictures serve to try the programs, to test them,
and to measure their performance where the truth is known.
"""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest import anatomy, bones, detector, devices
from mdmt_tf.phantoms.chest.lungs import opacity, vessel_chord, zone_map
from mdmt_tf.phantoms.chest.pixel_grid import PixelGrid, noise_field

VERSION = "1"
GENERATOR = "mdmt_tf.phantoms.chest.radiograph"

# Linear attenuation in 1/cm at the mean energy of a chest exposure, about 60 keV after
# beam hardening. Lung is a quarter of soft tissue. BONE is the excess over soft tissue.
SOFT = 0.19
LUNG = 0.05
BONE = 0.30


@dataclasses.dataclass(frozen=True)
class Radiograph:
    """One synthetic picture with its true regions.

    pixels: float32 (rows, columns), 0 air .. 1 white within the display window; not
        clipped, as devices store a little more than they show.
    lungs: uint8 (rows, columns), 0 background, 1 right lung (image left), 2 left lung,
        each with the part behind the heart.
    zones: uint8 (rows, columns), 0 outside the lungs, 1 to 6 for zones A to F.
    ap: bedside (AP) projection.
    cm_per_px: pixel size in cm.
    """

    pixels: np.ndarray
    lungs: np.ndarray
    zones: np.ndarray
    ap: bool
    cm_per_px: float


def render(rng, grades, *, male=True, appearance=None, matrix=384, ap=None, heart=None):
    """Render one chest radiograph.

    Args:
        rng: numpy Generator; the same state gives the same picture.
        grades: six Brixia grades 0 to 3, zones A to F.
        male: sex of the patient.
        appearance: `detector.Appearance`; None: its defaults.
        matrix: nominal number of columns; the appearance scales it.
        ap: projection, or None to draw it with the appearance's fraction.
        heart: size of the heart in std from the mean, or None to draw it.
    Returns: `Radiograph`.
    Raises: ValueError when `grades` are not six numbers 0 to 3.
    """
    grades = [int(g) for g in grades]
    if len(grades) != 6 or not all(0 <= g <= 3 for g in grades):
        raise ValueError(f"Expected six grades 0 to 3. Received: grades={grades}")
    appearance = appearance or detector.Appearance()
    drawn = rng.random() < appearance.ap
    ap = drawn if ap is None else ap
    body = anatomy.Body.draw(rng, male, ap)
    if heart is not None:
        body = body.with_heart(heart)
    shape = detector.film_shape(appearance, matrix)
    attenuation, lungs, zones, cm_per_px = _shadow(rng, body, grades, appearance, shape)
    pixels = detector.expose(attenuation, appearance, rng, cm_per_px)
    if rng.random() < appearance.border:
        pixels = detector.collimate(pixels, rng)
    if appearance.marker and rng.random() < 0.8:
        pixels = detector.letter(pixels, appearance.marker, rng)
    return Radiograph(pixels, lungs, zones, bool(ap), cm_per_px)


def _shadow(rng, body, grades, appearance, shape):
    """Attenuation, lungs and zones of a posed body on the film's grid."""
    rows, columns = shape
    pose = np.clip(rng.normal(0.0, 1.0, 4), -2.0, 2.0).tolist()
    field = appearance.field_cm * (1.0 + 0.04 * pose[0])
    cm_per_px = field / columns
    margin = round(0.06 * max(shape))
    middle_y = 0.5 * body.lung_height + 1.7 + 0.7 * pose[2]
    origin = (
        0.7 * pose[1] - cm_per_px * (0.5 * (columns - 1) + margin),
        middle_y - cm_per_px * (0.5 * (rows - 1) + margin),
    )
    grid = PixelGrid((rows + 2 * margin, columns + 2 * margin), cm_per_px, origin)
    attenuation, lungs, zones = _attenuation(grid, body, grades, rng)

    degrees = 1.6 * pose[3]
    centre = (margin + 0.5 * (columns - 1), margin + 0.5 * (rows - 1))
    turn = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    turn[:, 2] -= margin
    size = (columns, rows)
    attenuation = cv2.warpAffine(
        attenuation, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    lungs, zones = (
        cv2.warpAffine(m, turn, size, flags=cv2.INTER_NEAREST) for m in (lungs, zones)
    )
    return attenuation, lungs, zones, cm_per_px


def _attenuation(grid, body, grades, rng):
    """Sum over the structures of attenuation coefficient times chord."""
    coarse = grid.coarse(0.15)
    tissue = anatomy.torso_chord(coarse, body)
    gas = anatomy.airway_chord(coarse, body) + anatomy.abdomen_gas(coarse, body, rng)
    tissue -= coarse.blur(gas, 0.2)
    total = grid.enlarge(np.float32(SOFT) * tissue)
    total += np.float32(BONE) * bones.bone_chord(grid, body, rng)
    where, chest = grid.crop(*body.chest)
    lungs, zones = np.zeros((2, *grid.shape), np.uint8)
    missing, lungs[where], zones[where] = _air(chest, body, grades, rng)
    total[where] -= missing
    if body.ap and rng.random() < 0.6:
        total += devices.device_thickness(grid, body, rng)
    return np.maximum(total, 0.0, out=total), lungs, zones


def _air(grid, body, grades, rng):
    """Attenuation that a solid body loses by the air in its lungs.

    Returns: float32 attenuation, the lung mask and the zones, all (rows, columns).
    """
    lungs, distance = anatomy.lungs(grid, body)
    zones = zone_map(grid, body, lungs)
    chord = anatomy.lung_chord(grid, body, lungs, distance)
    chord *= 1.0 + np.float32(0.022) * noise_field(rng, grid, 0.5)
    chord -= np.minimum(anatomy.heart_chord(grid, body), np.float32(0.8) * chord)
    # A vessel is seen only against air: next to consolidation it vanishes.
    chord -= np.minimum(
        vessel_chord(grid, body, rng, distance), np.float32(0.5) * chord
    )
    filled = opacity(grid, body, rng, zones, distance, grades)
    return np.float32(SOFT - LUNG) * (1.0 - filled) * chord, lungs, zones
