"""A synthetic brain: its shape, fissures, ventricles and their attenuation in HU.

Every structure is a distance in mm, positive inside, evaluated at points of the
brain's frame (see `scan`). Left and right differ only by warping.
"""

import dataclasses

import numpy as np

from mdmt_tf.phantoms.head.scan import smooth_noise, soft_step, waves

CSF, WHITE, GREY, FALX = 5.5, 27.5, 37.5, 46.0  # HU

# Ellipsoids: centre and half axes in mm, of the right half where there are two.
_TEMPORAL = ((43.0, 2.0, -20.0), (21.0, 40.0, 21.0))
_CEREBELLUM = ((17.0, -47.0, -37.0), (35.0, 28.0, 22.0))
_STEM = ((0.0, -17.0, -36.0), (16.0, 13.0, 36.0))
_CISTERNS = (
    ((0.0, 12.0, -21.0), (13.0, 11.0, 9.0)),  # suprasellar
    ((0.0, -34.0, -8.0), (13.0, 5.0, 7.0)),  # quadrigeminal
)
_NUCLEI = (
    ((13.0, 15.0, 10.0), (5.0, 9.0, 9.0)),  # head of the caudate
    ((26.0, 2.0, 5.0), (6.0, 17.0, 11.0)),  # lentiform
    ((11.0, -14.0, 8.0), (8.0, 14.0, 9.0)),  # thalamus
)
# Lateral ventricle as capsules from point to point, (x, y, z, radius) in mm.
_LATERAL = (
    ((14.0, 31.0, 8.0, 3.0), (7.0, 18.0, 12.0, 4.5)),
    ((7.0, 18.0, 12.0, 4.5), (8.0, -8.0, 20.0, 4.0)),
    ((8.0, -8.0, 20.0, 4.0), (18.0, -32.0, 16.0, 5.5)),
    ((18.0, -32.0, 16.0, 5.5), (26.0, -42.0, 7.0, 6.0)),
    ((26.0, -42.0, 7.0, 6.0), (24.0, -60.0, 6.0, 2.0)),
    ((26.0, -42.0, 7.0, 5.0), (33.0, -22.0, -9.0, 2.5)),
    ((33.0, -22.0, -9.0, 2.5), (31.0, -6.0, -15.0, 2.0)),
)
_THIRD = ((0.0, -6.0, 3.0), (2.2, 14.0, 10.0))
_FOURTH = ((0.0, -34.0, -36.0), (7.0, 4.5, 10.0))


@dataclasses.dataclass(frozen=True)
class Brain:
    """The parameters of one brain.

    scale: along x, y, z.
    atrophy: 0 at 65 years, about 1 at 90.
    ventricles: factor of the radii of the ventricles.
    sulci, rim: mm of liquid within half a sulcus and over the surface.
    """

    scale: np.ndarray
    atrophy: float
    ventricles: float
    sulci: float
    rim: float

    @classmethod
    def draw(cls, rng, age, male, blood):
        """Draw a brain of `age` years; blood in the ventricles widens them."""
        scale = rng.normal(1.0 if male else 0.97, 0.02, 3)
        atrophy = float(np.clip((age - 65) / 25 + rng.normal(0.0, 0.35), -1.7, 1.6))
        widening = 0.3 * atrophy + rng.normal(0.0, 0.12) + 0.2 * blood
        return cls(
            scale=scale,
            atrophy=atrophy,
            ventricles=float(np.exp(np.clip(widening, -0.6, 0.75))),
            sulci=float(np.clip(0.75 + 0.55 * atrophy, 0.05, 1.7)),
            rim=float(np.clip(1.0 + 1.0 * atrophy, 0.2, 2.6)),
        )


def ellipsoid(points, centre, axes):
    """Depth below an ellipsoid's surface along the ray from its centre, mm."""
    # Not 0, so that the centre itself has a depth.
    radius, unit = np.float32(1e-6 * axes[0] ** 2), np.float32(1e-6)
    for p, c, a in zip(points, centre, axes, strict=True):
        square = p - np.float32(c)
        square *= square
        radius = radius + square
        square *= np.float32(a**-2)
        unit = unit + square
    return np.sqrt(radius) * (1 / np.sqrt(unit) - 1)


def _mirrored(points):
    x, y, z = points
    return np.abs(x), y, z


def _cerebrum(points):
    """Depth below the cerebral convexity, wider behind, flatter below."""
    x, y, z = points
    width = np.float32(1.0) - np.float32(0.0011) * np.clip(y, -60, 60)
    high = z - np.float32(8.0)
    high *= np.where(high > 0, np.float32(62.0 / 64.0), np.float32(62.0 / 33.0))
    return ellipsoid((x / width, y, high), (0, 0, 0), (66.0, 84.0, 62.0))


@dataclasses.dataclass(frozen=True)
class Surface:
    """Depths in mm below the surfaces at n points, float32 (n,).

    hull: below the surface that skull stripping leaves, with the liquid between lobes.
    tissue: below the nearest surface of the brain.
    cerebrum: below the convexity.
    hind: whether the point belongs to cerebellum or brainstem.
    """

    hull: np.ndarray
    tissue: np.ndarray
    cerebrum: np.ndarray
    hind: np.ndarray

    def take(self, chosen):
        """The depths at a subset of the points."""
        return Surface(*(values[chosen] for values in vars(self).values()))


def surface(rng, brain, points):
    """`Surface` at points in mm; the shape varies smoothly by some 2 mm."""
    points = [p / np.float32(s) for p, s in zip(points, brain.scale, strict=True)]
    mirrored = _mirrored(points)
    uneven = np.float32(1.6) * waves(rng, points, 16.0)[0]
    cerebrum = _cerebrum(points) + uneven
    fore = np.maximum(cerebrum, ellipsoid(mirrored, *_TEMPORAL) + uneven)
    hind = np.maximum(ellipsoid(mirrored, *_CEREBELLUM), ellipsoid(points, *_STEM))
    hind = hind + uneven
    tissue = np.maximum(fore, hind)
    # A soft maximum fills the clefts between cerebrum and cerebellum.
    soft = np.float32(7.0)
    hull = tissue + soft * np.log1p(np.exp(-np.abs(fore - hind) / soft))
    return Surface(hull + np.float32(brain.rim - 1.0), tissue, cerebrum, hind > fore)


def warp(rng, points):
    """Move the points smoothly by about 2 mm, so that no two brains are equal."""
    moves = waves(rng, points, 20.0, fields=3)
    return [p + np.float32(1.8) * m for p, m in zip(points, moves, strict=True)]


def ventricles(brain, points):
    """Depth in mm inside the ventricles, negative outside, float32 (n,)."""
    x, y, z = mirrored = _mirrored(points)
    size = np.float32(brain.ventricles)
    depth = size * ellipsoid((x / size, y, z), *_THIRD)  # wider, not longer
    depth = np.maximum(depth, ellipsoid(mirrored, *_FOURTH))
    for start, end in _LATERAL:
        *a, r0 = start
        *b, r1 = end
        along = [u - v for u, v in zip(b, a, strict=True)]
        length = sum(u * u for u in along)
        dx, dy, dz = x - np.float32(a[0]), y - np.float32(a[1]), z - np.float32(a[2])
        t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / length, 0, 1)
        dx, dy, dz = dx - t * along[0], dy - t * along[1], dz - t * along[2]
        radius = size * (np.float32(r0) + np.float32(r1 - r0) * t)
        depth = np.maximum(depth, radius - np.sqrt(dx * dx + dy * dy + dz * dz))
    return depth


def _sulci(rng, brain, points, where):
    """Distance in mm from the liquid of sulci and fissures, float32 (n,).

    The zero set of noise winds like the sulci; the noise is stretched towards the
    middle of the brain, since sulci stand upright on the surface.
    """
    x, y, z = points
    middle = [x, y, z - np.float32(8.0)]
    radius = np.sqrt(sum(m * m for m in middle))
    stretch = (np.maximum(radius, 1.0) / (radius + where.cerebrum)).clip(0.35, 1.2)
    stretch **= np.float32(-0.75)
    folded = smooth_noise(rng, [m * stretch for m in middle], 3.4)
    distance = np.float32(np.sqrt(2) * 3.4) * np.abs(folded)
    # Sulci narrow with depth and end; the folia of the cerebellum are too fine.
    narrowing = np.float32(0.045) * np.maximum(where.tissue, 0) + np.where(
        where.tissue > 19.0, where.tissue - np.float32(19.0), 0.0
    )
    distance += narrowing + np.where(where.hind, np.float32(2.5), 0.0)
    distance -= np.float32(brain.sulci)
    # Interhemispheric fissure down to the corpus callosum; none below the tentorium.
    deep = np.maximum(where.cerebrum - np.float32(36.0), 0.0)
    deep += np.maximum(np.float32(-14.0) - z, 0.0) * (y < 20.0)
    fissure = np.abs(x) + deep - np.float32(1.0 + 0.7 * brain.sulci)
    return np.minimum(
        np.minimum(distance, fissure), _sylvian(brain, points, np.float32(1.5) * folded)
    )


def _sylvian(brain, points, winding):
    """Distance in mm from the liquid of the lateral fissures, float32 (n,).

    One sheet runs from the surface inwards and rises to the back. A second one lies
    along the insula, where the opercula leave a wider space.
    """
    x, y, z = _mirrored(points)
    ahead = y - np.float32(4.0)
    level = z - np.float32(2.0) + np.float32(0.5) * ahead
    level += np.float32(0.5) * (x - np.float32(50.0)) + winding
    sheet = np.abs(level) + np.maximum(np.float32(40.0) - x, 0.0)
    sheet += np.maximum(np.abs(ahead) - np.float32(20.0), 0.0)
    insula = np.abs(x - np.float32(41.0) + np.float32(0.004) * ahead**2 + winding)
    insula += np.maximum(np.abs(ahead) - np.float32(15.0), 0.0)
    insula += np.maximum(np.abs(z - np.float32(3.0)) - np.float32(10.0), 0.0)
    return np.minimum(
        sheet - np.float32(0.3 + 0.9 * brain.sulci),
        insula - np.float32(0.7 + 0.9 * brain.sulci),
    )


def attenuation(rng, brain, points, where):
    """HU of the healthy brain.

    Args:
        rng: numpy Generator.
        brain: `Brain`.
        points: x, y, z in mm, warped, each (n,).
        where: `Surface` at the points.
    Returns: float32 HU (n,), fraction of liquid outside the ventricles (n,), and depth
        inside the ventricles in mm (n,).
    """
    sulci = _sulci(rng, brain, points, where)
    mirrored = _mirrored(points)
    x, y, z = mirrored
    core = np.flatnonzero((x < 50) & (np.abs(y + 12) < 62) & (np.abs(z + 8) < 46))
    middle = [p[core] for p in mirrored]
    inside = np.full(x.shape, np.float32(-20.0))
    inside[core] = ventricles(brain, middle)
    pial = np.minimum(sulci, where.tissue)
    grey = soft_step(np.float32(3.0) - pial, 0.9)
    nuclei = np.maximum.reduce([ellipsoid(middle, *nucleus) for nucleus in _NUCLEI])
    grey[core] = np.maximum(grey[core], soft_step(nuclei, 0.8))
    grey = np.where(where.hind, np.maximum(grey, np.float32(0.65)), grey)
    hu = np.float32(WHITE) + np.float32(GREY - WHITE) * grey
    # Small vessel disease of old age darkens the white matter around the ventricles.
    if brain.atrophy > 0:
        faded = np.exp(np.minimum(inside, 0) / np.float32(6.0)) * (1 - grey)
        hu -= np.float32(6.0 * brain.atrophy) * faded
    liquid = np.maximum(soft_step(-sulci, 0.6), soft_step(-where.tissue, 0.6))
    for cistern in _CISTERNS:
        liquid = np.maximum(liquid, soft_step(ellipsoid(points, *cistern), 0.8))
    dark = np.maximum(liquid, soft_step(inside, 0.5))
    hu += dark * (np.float32(CSF) - hu)
    falx = soft_step(np.float32(0.7) - np.abs(points[0]), 0.3)
    falx *= soft_step(np.float32(30.0) - where.cerebrum, 1.0) * (points[2] > -10.0)
    hu += falx * np.float32(0.6) * (np.float32(FALX) - hu)
    # Beam hardening leaves a bright rim below the skull.
    hu += np.float32(3.0) * np.exp(-np.maximum(where.hull, 0) / np.float32(6.0))
    return hu, liquid, inside
