"""Synthetic chest radiographs with known Brixia grades, lungs and zones.

Nothing here comes from a patient. The pictures serve to try the programs, to test them,
and to measure their performance where the truth is known.
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.chest import (
    anatomy,
    bones,
    borders,
    burned_text,
    detector,
    devices,
    distractors,
    lungs,
    opacities,
    pleura,
    soft_tissue,
)
from mdmt_tf.phantoms.chest.ingredients import Recipe
from mdmt_tf.phantoms.chest.pixel_grid import Film, PixelGrid, noise_field

VERSION = "2"
GENERATOR = "mdmt_tf.phantoms.chest.radiograph"

# Linear attenuation in 1/cm at the mean energy of a chest exposure, about 60 keV after
# beam hardening. Lung is a quarter of soft tissue. BONE is the excess over soft tissue.
SOFT = 0.19
LUNG = 0.05
# Behind thick tissue the beam is harder and bone absorbs less: BONE times this straight
# line in the attenuation of the tissue, 0.25 to 1 of BONE.
BONE = 0.30
_HARDENED = (1.5, 0.3)
# Pixels in cm of the grids on which the lungs and the rest of the body are drawn.
LUNGS_CM = 0.12
TORSO_CM = 0.24


# The ingredients of other modules are called from these three tables, in their order.
# Each function draws from its own generator, `Recipe.rng`, and is left out by name.
# The grid, `LUNGS_CM` wide pixels, covers the lungs: what is drawn on it is smooth.

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
    body = anatomy.Body.draw(recipe, male, ap)
    if heart is None and "heart_size" in recipe:
        heart = recipe.rng("heart_size").normal(-0.1, 1.0)
    if heart is not None:
        body = body.with_heart(heart)
    if "distractors" in recipe:
        body = distractors.inflated(body, recipe.rng("inflated"))
    film = _film(recipe, body, appearance, detector.film_shape(appearance, matrix))
    mask = anatomy.lung_mask(film, body)
    zones = lungs.zone_map(film, body, mask)
    attenuation, facts = _attenuation(film, body, grades, recipe)
    pixels = detector.expose(attenuation, appearance, recipe, film.cm_per_px)
    pixels = borders.finish(pixels, appearance, recipe, mask)
    for name, draw in OVERLAYS.items():
        if name in recipe:
            pixels = draw(pixels, appearance, recipe.rng(name))
    pixels = borders.store(pixels, appearance)
    return Radiograph(pixels, mask, zones, ap, film.cm_per_px, *facts)


def _film(recipe, body, appearance, shape):
    """The film and how the patient stands in front of it."""
    pose = np.clip(recipe.rng("pose").normal(0.0, 1.0, 5), -2.0, 2.0)
    pose = (appearance.pose * pose * ("pose" in recipe)).tolist()
    cm_per_px = appearance.field_cm * (1.0 + 0.04 * pose[0]) / shape[1]
    # Errors of position seldom cut the lungs.
    low, high = np.array(body.chest)
    most = np.maximum(0.5 * (cm_per_px * np.array(shape[::-1]) - (high - low)), 0.3)
    offset = np.clip((0.8 * pose[1], 0.8 + 1.1 * pose[2]), -most, most)
    return Film(
        shape, cm_per_px, 0.5 * (low + high) + offset, 1.6 * pose[3], 0.02 * pose[4]
    )


def _attenuation(film, body, grades, recipe):
    """Sum over the structures of attenuation coefficient times chord.

    Smooth structures are drawn on coarse upright grids, those with edges on the film.
    The disease and the names of the other findings are returned with it.
    """
    grid = film.grid(TORSO_CM)
    tissue = soft_tissue.torso_chord(grid, body)
    gas = soft_tissue.airway_chord(grid, body)
    gas += soft_tissue.abdomen_gas(grid, body, recipe.rng("gas"))
    tissue -= grid.blur(gas, 0.2)
    total = film.enlarge(grid, np.float32(SOFT) * tissue)
    grid = PixelGrid.over(*body.chest, LUNGS_CM)
    missing, visible, facts = _air(grid, body, grades, recipe)
    total -= film.enlarge(grid, missing)
    bone = np.float32(BONE) * bones.bone_chord(film, body, recipe)
    bone *= np.clip(
        np.float32(_HARDENED[0]) - np.float32(_HARDENED[1]) * total, 0.25, 1
    )
    total += bone
    if "vessels" in recipe:
        tubes = lungs.vessels(film, body, recipe.rng("vessels"))
        tubes *= film.enlarge(grid, visible)
        total += tubes
    if "devices" in recipe:
        metal = devices.device_thickness(film, body, recipe.rng("devices"))
        if metal is not None:
            total += metal
    return np.maximum(total, 0.0, out=total), facts


def _air(grid, body, grades, recipe):
    """Attenuation that a solid body loses by the air in its lungs.

    Returns: two float32 maps (rows, columns), that attenuation and how much of it 1 cm
        of vessels takes back; and the disease with the names of the other findings.
    """
    chest = lungs.Chest.on(grid, body, grades)
    chord = anatomy.lung_chord(grid, body, chest.lungs, chest.distance)
    grains = noise_field(recipe.rng("grains"), grid, 0.5)
    chord *= 1.0 + np.float32(0.022) * grains
    chord -= np.minimum(anatomy.heart_chord(grid, body), np.float32(0.85) * chord)
    types = "opacity_types" in recipe
    fill, disease = opacities.opacity(grid, chest, recipe.rng("opacity"), types)
    air, found = 1.0 - fill, []
    for name, draw in FILLINGS.items():
        if name in recipe:
            fill, names = draw(grid, chest, recipe.rng(name))
            found += names
            if fill is not None:
                air *= 1.0 - fill
    air *= np.float32(SOFT - LUNG)
    # A vessel is seen only against air: next to consolidation it vanishes.
    visible = air * np.minimum(chest.distance * np.float32(1.6), 3.6)
    air *= chord
    visible = np.minimum(visible, np.float32(0.5) * air)
    for name, draw in TISSUES.items():
        if name in recipe:
            added, names = draw(grid, chest, recipe.rng(name))
            found += names
            if added is not None:
                air -= added
    return air, visible, (disease, tuple(found))
