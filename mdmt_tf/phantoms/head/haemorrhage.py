"""A synthetic intracerebral haemorrhage: its extent, oedema, and what it displaces."""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.head.labels import PLACES
from mdmt_tf.phantoms.head.scan import rotation, soft_step, waves

OEDEMA = 19.0  # HU
TISSUE_BLOOD, VENTRICLE_BLOOD = 1, 2  # in the mask


@dataclasses.dataclass(frozen=True)
class Bleed:
    """One haemorrhage.

    centre: mm of the brain's frame; side: +1 the patient's right, -1 the left.
    radius: mm of the ball of its volume; shape: (3, 3), takes an offset in mm to one
    whose length is the distance from the centre of a ball of that volume.
    hu: of the clot. oedema: mean width of the rim in mm.
    filled: share of the ventricles that holds blood.
    """

    centre: np.ndarray
    side: int
    radius: float
    shape: np.ndarray
    hu: float
    oedema: float
    filled: float

    @classmethod
    def draw(cls, rng, study):
        """The haemorrhage of a `HeadStudy`."""
        side = 1 if study.side == "right" else -1
        radius = (750.0 * study.volume_ml / np.pi) ** (1 / 3)
        centre = np.array(PLACES[study.place].centre) + rng.normal(0.0, 3.0, 3)
        # A large one in the midst of the brain grows away from the midline.
        centre[0] = side * max(centre[0], 0.75 * radius)
        axes = np.exp(rng.normal(0.0, 0.16, 3))
        if study.place == "putamen":
            axes *= (0.8, 1.3, 1.0)
        axes /= axes.prod() ** (1 / 3)
        return cls(
            centre=centre,
            side=side,
            radius=radius,
            shape=np.diag(1 / axes) @ rotation(rng.normal(0.0, 0.3, 3)),
            hu=rng.uniform(65.0, 74.0),
            oedema=rng.uniform(0.8, 1.6) * (3.0 + 0.12 * radius),
            filled=rng.uniform(0.25, 0.85) if study.intraventricular else 0.0,
        )


def displaced(bleed, points, hull):
    """Where the tissue now at `points` lay before the haemorrhage pushed it aside.

    Half of the volume displaces tissue as from the centre of an incompressible medium,
    r_before^3 = r^3 - radius^3 / 2, and less and less towards the skull, which holds.

    Args:
        points: x, y, z in mm, each (n,). hull: depth below the skull in mm, (n,).
    """
    offsets = [p - np.float32(c) for p, c in zip(points, bleed.centre, strict=True)]
    cube = sum(o * o for o in offsets) ** np.float32(1.5)
    lost = np.float32(0.5 * bleed.radius**3) / np.maximum(cube, np.float32(1.0))
    pull = 1 - np.cbrt(np.maximum(1 - lost, 0))
    pull *= np.clip(hull / np.float32(25.0), 0, 1)
    return [p - pull * o for p, o in zip(points, offsets, strict=True)]


def bleed_into(rng, bleed, voxel_ml, volume_ml, points, hu, allowed, liquid, inside):
    """Put the haemorrhage into the brain.

    Args:
        rng: numpy Generator.
        bleed: `Bleed`; volume_ml: its volume, of voxels of `voxel_ml` each.
        points: x, y, z in mm, each (n,).
        hu: float32 HU (n,), changed in place.
        allowed: bool (n,), voxels that blood of the tissue may take; what of them is
            ventricle it takes near its centre alone, where nothing else is left.
        liquid: float32 (n,), share of liquid outside the ventricles.
        inside: float32 (n,), depth in mm inside the ventricles.
    Returns: uint8 (n,), 1 blood in the tissue, 2 in the ventricles, 0 elsewhere, and
        bool (n,), oedema.
    """
    offsets = [p - np.float32(c) for p, c in zip(points, bleed.centre, strict=True)]
    away = np.sqrt(sum(_dot(row, offsets) ** 2 for row in bleed.shape.tolist()))
    # Neither blood nor oedema gets further than this, so the rest is left alone.
    near = np.flatnonzero(away < 2.0 * bleed.radius + 3.0 * bleed.oedema)
    away, local = away[near], [p[near] for p in points]
    allowed, liquid, depth = allowed[near], liquid[near], inside[near]
    scale = float(np.clip(0.4 * bleed.radius, 3.5, 11.0))
    away += np.float32(0.16 * bleed.radius + 0.5) * waves(rng, local, scale)[0]
    allowed &= (depth < 0) | (away < np.float32(0.85 * bleed.radius))
    # The voxels of smallest distance are the clot: its volume is exact.
    count = max(round(volume_ml / voxel_ml), 1)
    ranked = np.where(allowed, away, np.float32(1e6))
    clot = np.argpartition(ranked, count - 1)[:count]
    edge = ranked[clot].max()
    mask = np.zeros(hu.shape, np.uint8)
    mask[near[clot]] = TISSUE_BLOOD

    mottled = waves(rng, local, 4.0)[0]
    width = np.float32(bleed.oedema) * (1 + np.float32(0.45) * mottled)
    rim = soft_step(edge + np.maximum(width, 1.0) - away, 0.8) * (1 - liquid)
    rim *= soft_step(-depth, 0.7) * allowed
    shown = hu[near]
    shown += rim * np.minimum(np.float32(OEDEMA) - shown, 0)
    blood = soft_step(edge - away, 0.5) * allowed
    blood[clot] = np.maximum(blood[clot], np.float32(0.5))
    shown += blood * (np.float32(bleed.hu) + np.float32(1.5) * mottled - shown)
    hu[near] = shown
    oedema = np.zeros(hu.shape, bool)
    oedema[near] = rim > 0.5
    if bleed.filled:
        _into_ventricles(rng, bleed, points, hu, inside, mask)
    return mask, oedema & (mask == 0)


def _dot(row, offsets):
    """Not a matrix product: how libraries round that depends on the threads."""
    a, b, c = row
    return a * offsets[0] + b * offsets[1] + c * offsets[2]


def _into_ventricles(rng, bleed, points, hu, inside, mask):
    """Fill the ventricles: the side of the clot first, then what lies lowest."""
    cavity = np.flatnonzero((inside > 0) & (mask == 0))
    x, y, z = (p[cavity] for p in points)
    height = y + np.float32(5.0) * waves(rng, (x, y, z), 6.0)[0]
    height -= np.float32(35.0) * (x * bleed.side > 0)
    level = np.quantile(height, bleed.filled)
    mask[cavity[height <= level]] = VENTRICLE_BLOOD
    blood = soft_step(level - height, 1.0) * soft_step(inside[cavity], 0.5)
    target = np.float32(bleed.hu - rng.uniform(3.0, 9.0))
    hu[cavity] += blood * (target - hu[cavity])
