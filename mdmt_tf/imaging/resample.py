"""Resampling of volumes from one grid of voxels to another, and the affines.

Voxels are boxes, and voxel i of an axis reaches from i - 0.5 to i + 0.5. World
coordinates are those of NIfTI: millimetres to the right, to the front, upwards.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage, sparse

# Axes may be so far from right angles; beyond it, boxes are no model of the voxels.
MOST_TILT_DEGREES = 1.0


def lengths(affine: np.ndarray) -> tuple[float, float, float]:
    """Distance of neighbouring voxels along each axis, in mm."""
    return tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist())


def shift(*offset: float) -> np.ndarray:
    """float64 (4, 4): adds `offset` to three coordinates."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def resized_affine(
    affine: np.ndarray, size: Sequence[int], resized: Sequence[int]
) -> np.ndarray:
    """Affine (4, 4) of a resized volume whose outer faces stay in place."""
    scale = np.divide(size, resized)
    return affine @ shift(*(scale - 1) / 2) @ np.diag([*scale, 1.0])


def resize(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize each axis by linear interpolation, without aliasing.

    Each new voxel is a mean, weighted by a triangle that reaches one voxel of the
    coarser grid to both sides. This is linear interpolation along an axis that grows.
    Along an axis that shrinks it is the filter of Pillow's BILINEAR and of
    tf.image.resize with antialias.

    Args:
        values: float32 (depth, rows, columns), or with other axes, each 1 or more.
    Returns: float32 of shape `size`, within the range of the input up to rounding.
    """
    for axis, (old, new) in enumerate(zip(values.shape, size, strict=True)):
        values = _mix(values, axis, _resizing(old, new))
    return np.ascontiguousarray(values)


def resample(
    values: np.ndarray,
    affine: np.ndarray,
    spacing_mm: Sequence[float],
    shape: Sequence[int],
    empty: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Resample a volume to voxels of a given spacing, then crop and pad it.

    The centre stays in place. An axis of n voxels that are a mm apart gets round(n a/b)
    voxels that are b mm apart, at least one. As many voxels are cropped, or added, on
    both sides of an axis; an odd one at its end. The filter is that of `resize`.

    Args:
        values: float32, three axes.
        affine: float64 (4, 4), from voxel indices to mm.
        spacing_mm: distance of the new voxels along each axis.
        shape: of the result.
        empty: value of added voxels.
    Returns: float32 of shape `shape`, and its affine.
    """
    scales = np.divide(spacing_mm, lengths(affine))
    first = []
    for axis, (new, scale) in enumerate(zip(shape, scales, strict=True)):
        old = values.shape[axis]
        kept = max(1, round(old / scale))
        before = int((new - kept) / 2)  # rounds towards 0
        number = np.arange(new) - before
        centres = (old - 1) / 2 + (number - (kept - 1) / 2) * scale
        first.append(centres[0])
        # The outermost centre may be up to half an old voxel outside.
        inside = (number >= 0) & (number < kept)
        centres = np.where(inside, centres, (old - 1) / 2)
        values = _mix(values, axis, _weights(centres, old, scale))
        np.moveaxis(values, axis, 0)[~inside] = empty
    result = np.ascontiguousarray(values)
    return result, affine @ shift(*first) @ np.diag([*scales, 1.0])


def to_original_grid(
    values: np.ndarray,
    prepared_affine: np.ndarray,
    original_affine: np.ndarray,
    original_shape: tuple[int, int, int],
) -> np.ndarray:
    """Map values of a prepared volume to the voxels of its original file.

    Args:
        values: float (depth, rows, columns), such as a saliency map.
        prepared_affine, original_affine: (4, 4), as in `volume.PreparedVolume`.
        original_shape: of the result.
    Returns: float32, interpolated linearly; 0 in voxels whose centre is outside the
        prepared volume.
    """
    matrix = np.linalg.inv(prepared_affine) @ original_affine
    options = {"matrix": matrix[:3, :3], "offset": matrix[:3, 3]}
    options["output_shape"] = tuple(original_shape)
    values = np.asarray(values, np.float32)
    # The outermost half voxel belongs to the volume but has no neighbour beyond it.
    result = ndimage.affine_transform(values, order=1, mode="nearest", **options)
    inside = np.ones(values.shape, np.uint8)
    return result * ndimage.affine_transform(
        inside, order=0, mode="grid-constant", **options
    )


def _mix(values: np.ndarray, axis: int, weights: np.ndarray) -> np.ndarray:
    """Apply weights (new, old) along an axis."""
    front = np.moveaxis(values, axis, 0)
    flat = np.ascontiguousarray(front).reshape(len(front), -1)
    # A sparse product takes a tenth of the work and starts no BLAS threads.
    mixed = sparse.csr_array(weights) @ flat
    return np.moveaxis(mixed.reshape(len(weights), *front.shape[1:]), 0, axis)


def _resizing(old: int, new: int) -> np.ndarray:
    """float32 (new, old), weights of `resize` along one axis."""
    if old == new:
        return np.eye(old, dtype=np.float32)
    scale = old / new
    return _weights((np.arange(new) + 0.5) * scale - 0.5, old, scale)


def _weights(centres: np.ndarray, old: int, scale: float) -> np.ndarray:
    """float32 (new, old): weight of each old voxel in a new one; rows sum to 1.

    Args:
        centres: positions of the new voxels on the old axis.
        old: number of old voxels.
        scale: distance of the new voxels on the old axis.
    """
    distance = np.abs(centres[:, np.newaxis] - np.arange(old)) / max(1.0, scale)
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
