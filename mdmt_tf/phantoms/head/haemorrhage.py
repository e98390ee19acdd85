"""A synthetic intracerebral haemorrhage: its extent, oedema and mass effect."""

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
    radius: mm, of the ball of equal volume.
    shape: (3, 3), maps an offset in mm to one whose length is the distance from the
    centre of that ball.
    hu: of the clot. oedema: mean width of the rim in mm.
    filled: fraction of the ventricles that holds blood.
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
        """Draw the haemorrhage of a `HeadStudy`."""
        side = 1 if study.side == "right" else -1
        radius = (750.0 * study.volume_ml / np.pi) ** (1 / 3)
        centre = np.array(PLACES[study.place].centre) + rng.normal(0.0, 3.0, 3)
        # A large haemorrhage near the midline grows away from it.
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
    """Position, before the haemorrhage, of the tissue that is now at `points`.

    Half of the volume displaces tissue, as in an incompressible medium:
    r_before^3 = r^3 - radius^3 / 2. The displacement decreases to 0 at the skull.

    Args:
        points: x, y, z in mm, each (n,).
        hull: depth below the skull in mm, (n,).
    """
    offsets = [p - np.float32(c) for p, c in zip(points, bleed.centre, strict=True)]
    cube = sum(o * o for o in offsets) ** np.float32(1.5)
    lost = np.float32(0.5 * bleed.radius**3) / np.maximum(cube, np.float32(1.0))
    pull = 1 - np.cbrt(np.maximum(1 - lost, 0))
    pull *= np.clip(hull / np.float32(25.0), 0, 1)
    return [p - pull * o for p, o in zip(points, offsets, strict=True)]


@dataclasses.dataclass(frozen=True, eq=False)
class Tissue:
    """The healthy brain at n voxels.

    points: x, y, z in mm, each (n,).
    hu: float32 HU (n,).
    allowed: bool (n,), voxels that may hold blood of the tissue. Those inside a
    ventricle are used near the centre of the haemorrhage only.
    liquid: float32 (n,), fraction of liquid outside the ventricles.
    inside: float32 (n,), depth in mm inside the ventricles.
    """

    points: list[np.ndarray]
    hu: np.ndarray
    allowed: np.ndarray
    liquid: np.ndarray
    inside: np.ndarray


def bleed_into(rng, bleed, tissue, count):
    """Put the haemorrhage into the brain.

    Args:
        rng: numpy Generator.
        bleed: `Bleed`.
        tissue: `Tissue`; its `hu` are changed in place.
        count: volume of the haemorrhage in the tissue, in voxels.
    Returns: uint8 (n,), 1 blood in the tissue, 2 in the ventricles, 0 elsewhere, and
        bool (n,), oedema.
    """
    hu = tissue.hu
    offsets = [
        p - np.float32(c) for p, c in zip(tissue.points, bleed.centre, strict=True)
    ]
    away = np.sqrt(sum(_dot(row, offsets) ** 2 for row in bleed.shape.tolist()))
    # Neither blood nor oedema reaches further than this.
    near = np.flatnonzero(away < 2.0 * bleed.radius + 3.0 * bleed.oedema)
    away, local = away[near], [p[near] for p in tissue.points]
    allowed, depth = tissue.allowed[near], tissue.inside[near]
    scale = float(np.clip(0.4 * bleed.radius, 3.5, 11.0))
    away += np.float32(0.16 * bleed.radius + 0.5) * waves(rng, local, scale)[0]
    allowed &= (depth < 0) | (away < np.float32(0.85 * bleed.radius))
    # The clot is the voxels of smallest distance, so its volume is exact.
    ranked = np.where(allowed, away, np.float32(1e6))
    clot = np.argpartition(ranked, count - 1)[:count]
    edge = ranked[clot].max()
    mask = np.zeros(hu.shape, np.uint8)
    mask[near[clot]] = TISSUE_BLOOD

    mottled = waves(rng, local, 4.0)[0]
    width = np.float32(bleed.oedema) * (1 + np.float32(0.45) * mottled)
    rim = soft_step(edge + np.maximum(width, 1.0) - away, 0.8)
    rim *= 1 - tissue.liquid[near]
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
        _into_ventricles(rng, bleed, tissue, mask)
    return mask, oedema & (mask == 0)


def _dot(row, offsets):
    """Dot product in fixed order; a BLAS product rounds by the number of threads."""
    a, b, c = row
    return a * offsets[0] + b * offsets[1] + c * offsets[2]


def _into_ventricles(rng, bleed, tissue, mask):
    """Fill the ventricles: first the side of the clot, then the lowest regions."""
    hu, inside = tissue.hu, tissue.inside
    cavity = np.flatnonzero((inside > 0) & (mask == 0))
    x, y, z = (p[cavity] for p in tissue.points)
    height = y + np.float32(5.0) * waves(rng, (x, y, z), 6.0)[0]
    height -= np.float32(35.0) * (x * bleed.side > 0)
    level = np.quantile(height, bleed.filled)
    mask[cavity[height <= level]] = VENTRICLE_BLOOD
    blood = soft_step(level - height, 1.0) * soft_step(inside[cavity], 0.5)
    target = np.float32(bleed.hu - rng.uniform(3.0, 9.0))
    hu[cavity] += blood * (target - hu[cavity])
