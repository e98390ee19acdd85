"""Synthetic chest radiographs with known Brixia grades, lungs and zones.

Nothing here comes from a patient. The pictures serve to try the programs, to test them,
and to measure their performance where the truth is known.
"""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest import (
    anatomy,
    bones,
    burned_text,
    detector,
    devices,
    distractors,
    lungs,
    opacities,
    pleura,
)
from mdmt_tf.phantoms.chest.ingredients import Recipe
from mdmt_tf.phantoms.chest.pixel_grid import PixelGrid, noise_field

VERSION = "2"
GENERATOR = "mdmt_tf.phantoms.chest.radiograph"

# Linear attenuation in 1/cm at the mean energy of a chest exposure, about 60 keV after
# beam hardening. Lung is a quarter of soft tissue. BONE is the excess over soft tissue.
SOFT = 0.19
LUNG = 0.05
BONE = 0.30


# The ingredients of other modules are called from these three tables, in their order.
# Each function draws from its own generator, `Recipe.rng`, and is left out by name.
# The grid is coarse, and the lungs' box: what they draw is smooth.

# function(grid, chest, rng): the fraction of the lungs' air that is replaced, float32
# or None, and the names of what is drawn. Fractions combine as 1 - (1 - a) (1 - b).
FILLINGS = {"effusion": pleura.effusion, "distractors": distractors.filling}
# function(grid, chest, rng): attenuation (no unit) that is added, float32 or None, and
# the names of what is drawn.
TISSUES = {"distractors": distractors.tissue}
# function(pixels, appearance, rng): the picture with something drawn into it.
OVERLAYS = {"text": burned_text.burn}


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
    disease: kind and extent of the opacities.
    findings: names of the findings that do not count in the score.
    """

    pixels: np.ndarray
    lungs: np.ndarray
    zones: np.ndarray
    ap: bool
    cm_per_px: float
    disease: opacities.Disease
    findings: tuple[str, ...]


def render(
    rng,
    grades,
    *,
    male=True,
    appearance=None,
    matrix=384,
    ap=None,
    heart=None,
    without=(),
):
    """Render one chest radiograph.

    Args:
        rng: numpy Generator; the same state gives the same picture.
        grades: six Brixia grades 0 to 3, zones A to F.
        male: sex of the patient.
        appearance: `detector.Appearance`; None: its defaults.
        matrix: nominal number of columns; the appearance scales it.
        ap: projection, or None to draw it with the appearance's fraction.
        heart: size of the heart in std from the mean, or None to draw it.
        without: names of `ingredients.INGREDIENTS` that are left out. All else of the
            picture stays as it is.
    Returns: `Radiograph`.
    Raises: ValueError when `grades` are not six numbers 0 to 3.
    """
    grades = [int(g) for g in grades]
    if len(grades) != 6 or not all(0 <= g <= 3 for g in grades):
        raise ValueError(f"Expected six grades 0 to 3. Received: grades={grades}")
    recipe = Recipe(rng, without)
    appearance = detector.plain(appearance or detector.Appearance(), recipe)
    drawn = recipe.rng("projections").random() < appearance.ap
    ap = "projections" in recipe and bool(drawn if ap is None else ap)
    body = anatomy.Body.draw(recipe.rng("habitus"), male, ap, "habitus" in recipe)
    if heart is None and "heart_size" in recipe:
        heart = recipe.rng("heart_size").normal(0.2, 1.0)
    if heart is not None:
        body = body.with_heart(heart)
    if "distractors" in recipe:
        body = distractors.inflated(body, recipe.rng("inflated"))
    shape = detector.film_shape(appearance, matrix)
    attenuation, masks, cm_per_px, facts = _shadow(
        recipe, body, grades, appearance, shape
    )
    pixels = detector.expose(attenuation, appearance, recipe, cm_per_px)
    pixels = detector.finish(pixels, appearance, recipe)
    for name, draw in OVERLAYS.items():
        if name in recipe:
            pixels = draw(pixels, appearance, recipe.rng(name))
    return Radiograph(pixels, *masks, ap, cm_per_px, *facts)


def _shadow(recipe, body, grades, appearance, shape):
    """Attenuation, (lungs, zones) and pixel size of a posed body on the film."""
    rows, columns = shape
    pose = recipe.rng("pose").normal(0.0, 1.0, 4) * ("pose" in recipe)
    pose = np.clip(pose, -2.0, 2.0).tolist()
    field = appearance.field_cm * (1.0 + 0.04 * pose[0])
    cm_per_px = field / columns
    margin = round(0.06 * max(shape))
    middle_y = 0.5 * body.lung_height + 1.7 + 0.7 * pose[2]
    origin = (
        0.7 * pose[1] - cm_per_px * (0.5 * (columns - 1) + margin),
        middle_y - cm_per_px * (0.5 * (rows - 1) + margin),
    )
    grid = PixelGrid((rows + 2 * margin, columns + 2 * margin), cm_per_px, origin)
    attenuation, masks, facts = _attenuation(grid, body, grades, recipe)

    degrees = 1.6 * pose[3]
    centre = (margin + 0.5 * (columns - 1), margin + 0.5 * (rows - 1))
    turn = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    turn[:, 2] -= margin
    size = (columns, rows)
    attenuation = cv2.warpAffine(
        attenuation, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    masks = [cv2.warpAffine(m, turn, size, flags=cv2.INTER_NEAREST) for m in masks]
    return attenuation, masks, cm_per_px, facts


def _attenuation(grid, body, grades, recipe):
    """Sum over the structures of attenuation coefficient times chord."""
    coarse = grid.coarse(0.15)
    tissue = anatomy.torso_chord(coarse, body)
    gas = anatomy.airway_chord(coarse, body)
    gas += anatomy.abdomen_gas(coarse, body, recipe.rng("gas"))
    tissue -= coarse.blur(gas, 0.2)
    total = grid.enlarge(np.float32(SOFT) * tissue)
    total += np.float32(BONE) * bones.bone_chord(grid, body, recipe)
    where, box = grid.crop(*body.chest)
    masks = np.zeros((2, *grid.shape), np.uint8)
    missing, masks[:, where[0], where[1]], facts = _air(box, body, grades, recipe)
    total[where] -= missing
    if body.ap and "devices" in recipe:
        total += devices.device_thickness(grid, body, recipe.rng("devices"))
    return np.maximum(total, 0.0, out=total), masks, facts


def _air(grid, body, grades, recipe):
    """Attenuation that a solid body loses by the air in its lungs.

    Returns: float32 attenuation, and the lung mask and the zones, all (rows, columns).
    """
    mask, distance = anatomy.lungs(grid, body)
    zones = lungs.zone_map(grid, body, mask)
    chord = anatomy.lung_chord(grid, body, mask, distance)
    grains = noise_field(recipe.rng("grains"), grid, 0.5)
    chord *= 1.0 + np.float32(0.022) * grains
    chord -= np.minimum(anatomy.heart_chord(grid, body), np.float32(0.8) * chord)
    # A vessel is seen only against air: next to consolidation it vanishes.
    if "vessels" in recipe:
        tubes = lungs.vessel_chord(grid, body, recipe.rng("vessels"), distance)
        chord -= np.minimum(tubes, np.float32(0.5) * chord)
    coarse = grid.coarse(0.11)
    chest = lungs.Chest.shrunk(coarse, body, grades, mask, zones, distance)
    types = "opacity_types" in recipe
    fill, disease = opacities.opacity(coarse, chest, recipe.rng("opacity"), types)
    left, found = 1.0 - fill, []
    for name, draw in FILLINGS.items():
        if name in recipe:
            fill, names = draw(coarse, chest, recipe.rng(name))
            found += names
            if fill is not None:
                left *= 1.0 - fill
    missing = np.float32(SOFT - LUNG) * grid.enlarge(left) * chord
    for name, draw in TISSUES.items():
        if name in recipe:
            added, names = draw(coarse, chest, recipe.rng(name))
            found += names
            if added is not None:
                missing -= grid.enlarge(added)
    return missing, (mask, zones), (disease, tuple(found))
