"""The voxels of a synthetic head CT: slices, orientation, and noise fields on them.

Coordinates of the brain are mm in the patient's frame: x to the right, y to the front,
z to the top, 0 in the middle of the brain.
"""

import dataclasses
import math

import numpy as np
from scipy import ndimage

FIELD_MM = 230.0  # side of a slice
_REACH_MM = 112.0  # half the side of the cube on which noise is defined


@dataclasses.dataclass(frozen=True)
class Scan:
    """Where the voxels of one volume lie.

    shape: (columns, rows, slices); spacing: mm along the same axes.
    affine: float64 (4, 4), voxel indices -> RAS mm of the scanner.
    to_brain: float64 (3, 4), voxel indices -> mm of the brain's frame.
    unsigned: stored as uint16 with an intercept of -1024, not as int16.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: np.ndarray
    to_brain: np.ndarray
    unsigned: bool

    @classmethod
    def draw(cls, rng, matrix):
        """Draw the geometry of a scan.

        Half of the scans store columns from right to left (LAS). Two of five are
        tilted about x by up to 15 degrees, with the head.
        """
        thickness = float(rng.choice([3.5, 4.0, 4.5, 5.0], p=[0.1, 0.2, 0.3, 0.4]))
        slices = math.ceil(rng.uniform(142.0, 156.0) / thickness)
        flipped, tilted, unsigned = rng.random(3) < (0.5, 0.4, 0.25)
        tilt = math.radians(rng.uniform(-15.0, 15.0)) if tilted else 0.0
        pixel = FIELD_MM / matrix
        shape = (matrix, matrix, slices)
        step = np.diag([-pixel if flipped else pixel, pixel, thickness])
        middle = (np.array(shape) - 1) / 2
        # The head follows the tilt of the gantry to within a few degrees.
        turn = rotation(np.radians(rng.normal(0.0, [3.0, 2.0, 3.0])))
        shift = rng.normal([0.0, 2.0, 2.0], [3.0, 4.0, 1.5])
        table = rng.normal(0.0, [4.0, 12.0, 60.0])
        affine = np.eye(4)
        affine[:3, :3] = rotation([tilt, 0.0, 0.0]) @ step
        affine[:3, 3] = table - affine[:3, :3] @ middle
        linear = turn @ step
        to_brain = np.column_stack([linear, shift - linear @ middle])
        spacing = (pixel, pixel, thickness)
        return cls(shape, spacing, affine, to_brain, bool(unsigned))

    @property
    def voxel_ml(self):
        """Volume of a voxel in ml."""
        return math.prod(self.spacing) / 1000.0

    def coordinates(self):
        """x, y, z of every voxel in mm of the brain, float32, each of `shape`."""
        i, j, k = (
            a.astype(np.float32) for a in np.ogrid[tuple(slice(n) for n in self.shape)]
        )
        # Python floats keep float32 arrays; numpy's scalars would make them float64.
        return [a * i + b * j + (c * k + d) for a, b, c, d in self.to_brain.tolist()]


def rotation(angles):
    """Rotation about x, then y, then z by angles in radians, float64 (3, 3)."""
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        cos, sin = math.cos(angle), math.sin(angle)
        one, two = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = cos
        turn[one, two], turn[two, one] = -sin, sin
        result = turn @ result
    return result


def waves(rng, points, scale_mm, fields=1, count=14):
    """Smooth noise like `smooth_noise`, from a few plane waves; for large scales.

    The sum over the waves of a cos(k . p) + b sin(k . p), with k normal of std
    1 / (sqrt(2) scale), has the spectrum of the blurred noise.

    Returns: list of `fields` independent fields, each float32 of the points' shape.
    """
    x, y, z = points
    vectors = rng.standard_normal((count, 3)) / (math.sqrt(2) * scale_mm)
    phases = rng.uniform(0.0, 2 * math.pi, count)
    # Fields of the same waves are independent: each draws its own weights.
    weights = rng.standard_normal((fields, count))
    weights *= math.sqrt(2) / np.linalg.norm(weights, axis=1, keepdims=True)
    result = [np.zeros(np.shape(x), np.float32) for _ in range(fields)]
    for (kx, ky, kz), phase, amplitudes in zip(
        vectors.tolist(), phases.tolist(), weights.T.tolist(), strict=True
    ):
        angle = kx * x
        angle += ky * y
        angle += kz * z
        angle += phase
        wave = np.cos(angle, out=angle)
        for field, amplitude in zip(result, amplitudes, strict=True):
            field += amplitude * wave
    return result


def smooth_noise(rng, points, scale_mm):
    """Smooth noise of about unit variance at points (x, y, z) in mm, float32.

    White noise blurred by a Gaussian of std s = `scale_mm`. A point of value v is about
    sqrt(2) s |v| away from the zero set, and a line crosses the zero set about every
    4.4 s. Interpolation between the nodes of the lattice loses some variance.
    """
    cell = scale_mm / 1.25
    side = math.ceil(2 * _REACH_MM / cell) + 2
    values = rng.standard_normal((side, side, side), dtype=np.float32)
    values = ndimage.gaussian_filter(values, 1.25, mode="wrap", truncate=3.0)
    values *= np.float32(1.0 / values.std())
    middle = np.float32((side - 1) / 2)
    where = np.stack([p * np.float32(1 / cell) + middle for p in points])
    return ndimage.map_coordinates(values, where, order=1, mode="nearest")


def grain(rng, shape, sd):
    """CT noise of std `sd`, correlated between neighbours in a slice."""
    columns, rows, slices = shape
    noise = rng.standard_normal((columns + 1, rows + 1, slices), dtype=np.float32)
    weight = 0.45  # of the next voxel, in each direction
    noise = noise[1:] + np.float32(weight) * noise[:-1]
    noise = noise[:, 1:] + np.float32(weight) * noise[:, :-1]
    return np.float32(sd / (1.0 + weight**2)) * noise


def soft_step(distance_mm, width_mm):
    """The edge of a structure: 0 far below 0 mm, 0.5 at 0 mm, 1 far above."""
    return 1.0 / (1.0 + np.exp(np.clip(distance_mm / np.float32(-width_mm), -30, 30)))
