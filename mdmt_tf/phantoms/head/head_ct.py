"""Synthetic skull-stripped head CTs with a known intracerebral haemorrhage.

Nothing here comes from a patient. Voxels outside the brain are 0 HU, as skull stripping
leaves them. Inside are liquid (6 HU), white and grey matter (28 and 37), oedema (19)
and blood (65 to 74), each with the noise of the scan (std 3 to 5).
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.head import anatomy, haemorrhage
from mdmt_tf.phantoms.head.scan import Scan, grain

VERSION = "1"
OUTSIDE, TISSUE, LIQUID, VENTRICLE, OEDEMA, BLOOD = range(6)


@dataclasses.dataclass(frozen=True)
class HeadCT:
    """One synthetic head CT with its true regions; arrays (columns, rows, slices).

    hu: int16, in the order of the file's voxels.
    affine: float64 (4, 4), voxel indices -> RAS mm.
    spacing: mm along the axes.
    lesion: uint8, 0 no blood, 1 blood in the tissue, 2 blood in the ventricles.
    regions: uint8, `OUTSIDE` .. `BLOOD`.
    unsigned: to be stored as uint16 with an intercept of -1024.
    """

    hu: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, float, float]
    lesion: np.ndarray
    regions: np.ndarray
    unsigned: bool


def render(study, matrix=128):
    """Render the head CT of a patient.

    Args:
        study: `HeadStudy`.
        matrix: rows and columns of a slice, which is 230 mm wide.
    Returns: `HeadCT` with 29 to 45 slices of 3.5 to 5 mm.
    """
    rng = study.render_rng()
    scan = Scan.draw(rng, matrix)
    brain = anatomy.Brain.draw(rng, study.age, study.male, study.intraventricular)
    bleed = haemorrhage.Bleed.draw(rng, study)
    sd = rng.uniform(3.0, 5.0)

    # The field of view is mostly air, so only voxels near the brain are computed.
    x, y, z = scan.coordinates()
    near = (x / 80) ** 2 + (y / 98) ** 2 + (z / 86) ** 2 < 1.1
    voxels = np.flatnonzero(near)
    points = [axis.ravel()[voxels] for axis in (x, y, z)]
    where = anatomy.surface(rng, brain, points)
    chosen = where.hull > 0
    voxels, where = voxels[chosen], where.take(chosen)
    points = [axis[chosen] for axis in points]

    before = haemorrhage.displaced(bleed, points, where.hull)
    before = anatomy.warp(rng, before)
    hu, liquid, inside = anatomy.attenuation(rng, brain, before, where)
    allowed = (where.tissue > 1.0) & ~where.hind
    allowed &= points[0] * np.float32(bleed.side) > 2.0
    tissue = haemorrhage.Tissue(points, hu, allowed, liquid, inside)
    count = max(round(study.volume_ml / scan.voxel_ml), 1)
    lesion, oedema = haemorrhage.bleed_into(rng, bleed, tissue, count)
    hu += grain(rng, scan.shape, sd).ravel()[voxels]

    regions = np.select(
        [lesion > 0, oedema, inside > 0.7, liquid > 0.5],
        [np.uint8(kind) for kind in (BLOOD, OEDEMA, VENTRICLE, LIQUID)],
        np.uint8(TISSUE),
    )
    return HeadCT(
        hu=_volume(scan, voxels, np.rint(hu), np.int16),
        affine=scan.affine,
        spacing=scan.spacing,
        lesion=_volume(scan, voxels, lesion, np.uint8),
        regions=_volume(scan, voxels, regions, np.uint8),
        unsigned=scan.unsigned,
    )


def _volume(scan, voxels, values, dtype):
    volume = np.zeros(scan.shape, dtype)
    volume.ravel()[voxels] = values
    return volume
