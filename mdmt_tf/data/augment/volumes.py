"""Random movements of training volumes: shift, zoom, flip, rotation about three axes.

Each movement is drawn with its own probability, and each axis of rotation separately,
as in Cobo et al. (MLMI 2024). All of them are combined and the volume is resampled
once, linearly, with 0 outside.
"""

import numpy as np
import scipy.ndimage
import tensorflow as tf

from mdmt_tf.data.augment.settings import Augmentation

# Whether to shift, zoom and flip; whether to rotate about each axis; then the amounts.
_DRAWS = 3 + 3 + 3 + 1 + 3


def move_volumes(
    volumes: tf.Tensor, keys: tf.Tensor, settings: Augmentation
) -> tuple[tf.Tensor, tf.Tensor]:
    """Move each volume as drawn by its key.

    Args:
        volumes: float32 (b, d, h, w, c), sizes known.
        keys: int64 (b, 2), see `augment.images.sample_keys`.
        settings: probabilities and ranges; values are uniform in their range.
    Returns: float32 (b, d, h, w, c); and bool (b,), which volumes were flipped.
    """
    uniform = tf.map_fn(
        lambda key: tf.random.stateless_uniform((_DRAWS,), key, alg="philox"),
        keys,
        fn_output_signature=tf.TensorSpec((_DRAWS,), tf.float32),
    )
    shape = tuple(volumes.shape[1:4])

    def resampled(values, draws):
        maps = [affine_map(row, shape, settings) for row in draws]
        pairs = zip(values, maps, strict=True)
        return np.stack([v if m is None else warp(v, *m) for v, m in pairs])

    moved = tf.numpy_function(resampled, [volumes, uniform], tf.float32, stateful=False)
    flipped = uniform[:, 2] < settings.flip_probability
    return tf.ensure_shape(moved, volumes.shape), flipped


def affine_map(
    uniform: np.ndarray, shape: tuple[int, int, int], settings: Augmentation
) -> tuple[np.ndarray, np.ndarray] | None:
    """Map from voxels of the result to the positions in the volume to sample.

    Args:
        uniform: (13,) numbers in [0, 1): whether to shift, zoom, flip; whether to
            rotate about each axis (depth, height, width); the shift along each axis;
            the zoom; the rotation about each axis.
        shape: (d, h, w).
        settings: as for `move_volumes`.
    Returns: matrix float64 (3, 3) and offset (3,) in voxels (depth, height, width), so
        that position = matrix voxel + offset; None if no movement was drawn.
    """
    whether, how_much = uniform[:6], 2 * uniform[6:].astype(np.float64) - 1
    shifts = whether[0] < settings.shift_probability
    zooms = whether[1] < settings.zoom_probability
    flips = whether[2] < settings.flip_probability
    turns = whether[3:] < settings.rotation_probability
    if not (shifts or zooms or flips or turns.any()):
        return None
    shift = how_much[:3] * settings.shift_fraction * np.array(shape) * shifts
    zoom = 1 + how_much[3] * settings.zoom_fraction * zooms
    degrees = how_much[4:] * settings.rotation_degrees * turns
    # Rotate in mm: slices are further apart than pixels.
    spacing = np.array([settings.slice_spacing, 1.0, 1.0])
    forward = zoom * rotation(np.deg2rad(degrees)) @ np.diag([1, 1, -1 if flips else 1])
    forward = forward * spacing / spacing[:, None]
    matrix = np.linalg.inv(forward)
    centre = (np.array(shape) - 1) / 2
    return matrix, centre - matrix @ (centre + shift)


def rotation(radians: np.ndarray) -> np.ndarray:
    """(3, 3): rotation about the axes depth, then height, then width, by three angles.

    A positive angle about an axis turns the next axis (in the order depth, height,
    width, depth) towards the one after it.
    """
    result = np.eye(3)
    for axis, angle in enumerate(radians):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first], turn[first, second] = np.sin(angle), -np.sin(angle)
        result = turn @ result
    return result


def warp(volume: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Resample a volume (d, h, w, c) by an affine map, linearly, with 0 outside."""
    channels = [
        scipy.ndimage.affine_transform(
            volume[..., channel],
            matrix,
            offset,
            output=np.float32,
            order=1,
            # The border fades over one voxel, as in the warping of images.
            mode="grid-constant",
        )
        for channel in range(volume.shape[-1])
    ]
    return np.stack(channels, axis=-1)
