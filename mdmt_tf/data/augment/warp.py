"""Warping of images: affine maps, smooth random displacements, bilinear resampling.

Coordinates are pixels; (0, 0) is the centre of the top left pixel, y points down. Maps
go from positions in the result to the positions in the image to sample. Outside the
image is black, like air and like collimated borders. Reflected borders would add ribs
and lungs.
"""

import functools

import numpy as np
import tensorflow as tf

# Side in pixels of the images for which the elastic deformation is defined.
REFERENCE_SIZE = 256


def affine_map(shift, zoom, degrees, flip, size: int) -> tf.Tensor:
    """Flip left and right, zoom, rotate, then shift, about the centre of the image.

    Args:
        shift: (b, 2), shift of the content down and right, as fraction of `size`.
        zoom: (b,), above 1 magnifies.
        degrees: (b,), anticlockwise.
        flip: bool (b,).
        size: side of the images in pixels.
    Returns: float32 (b, 6), a b c d e f: the result at (x, y) is the image at
        (a x + b y + c, d x + e y + f).
    """
    centre = (size - 1) / 2
    radians = degrees * (np.pi / 180)
    cos, sin = tf.cos(radians) / zoom, tf.sin(radians) / zoom
    mirror = tf.where(flip, -1.0, 1.0)
    # The inverse steps, in reverse order.
    x = -centre - shift[:, 1] * size
    y = -centre - shift[:, 0] * size
    return tf.stack(
        [
            mirror * cos,
            mirror * -sin,
            mirror * (cos * x - sin * y) + centre,
            sin,
            cos,
            sin * x + cos * y + centre,
        ],
        axis=1,
    )


def warp_affine(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Resample images by their affine maps.

    Args:
        images: float32 (b, s, s, c).
        maps: (b, 6), see `affine_map`.
    Returns: float32 (b, s, s, c).
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.pad(maps, [[0, 0], [0, 2]]),
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def warp_elastic(
    images: tf.Tensor, maps: tf.Tensor, displacement: tf.Tensor
) -> tf.Tensor:
    """Resample images by `maps` of the displaced positions, in one step.

    Args:
        images: float32 (b, s, s, c).
        maps: (b, 6), see `affine_map`.
        displacement: (b, 2, s, s), pixels down and right.
    Returns: float32 (b, s, s, c). Equal to `warp_affine` if there is no displacement.
    """
    size, channels = images.shape[1], images.shape[-1]
    place = tf.range(size, dtype=tf.float32)
    y = place[:, None] + displacement[:, 0]
    x = place[None, :] + displacement[:, 1]
    a, b, c, d, e, f = (maps[:, None, None, i] for i in range(6))
    x, y = a * x + b * y + c, d * x + e * y + f
    # A black frame of one pixel provides all values outside the image.
    framed = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    pixels = tf.reshape(framed, [-1, (size + 2) ** 2, channels])
    x, y = (tf.clip_by_value(v, -1.0, float(size)) + 1.0 for v in (x, y))
    left, top = (tf.minimum(tf.floor(v), float(size)) for v in (x, y))
    right, down = (x - left)[..., None], (y - top)[..., None]
    corner = tf.cast(top * (size + 2) + left, tf.int32)

    def at(step: int) -> tf.Tensor:
        return tf.gather(pixels, corner + step, batch_dims=1)

    upper = at(0) + (at(1) - at(0)) * right
    lower = at(size + 2) + (at(size + 3) - at(size + 2)) * right
    return upper + (lower - upper) * down


def elastic_displacement(
    seeds: tf.Tensor, alpha: tf.Tensor, size: int, sigma: float
) -> tf.Tensor:
    """Smooth random displacements (Simard et al. 2003).

    In an image of side 256, the displacement is alpha times white noise, smoothed by a
    Gaussian of `sigma` pixels. The noise has variance 1/3, as uniform noise between -1
    and 1. Images of other sizes get the same deformation, scaled by size / 256. Its std
    is alpha / (2 sqrt(3 pi) sigma) size / 256: 0.7 pixels for alpha 30, sigma 7 and 256
    pixels.

    The noise is drawn on a grid of spacing 2/3 sigma, not at each pixel. The Gaussian
    would remove all but 2e-5 of what this grid cannot represent.

    Args:
        seeds: int64 (b, 2).
        alpha: (b,), strength of the deformation.
        size: side of the image in pixels.
        sigma: smoothness, in pixels of an image of side 256.
    Returns: float32 (b, 2, size, size), pixels down and right.
    """
    smoothing = _smoothing(size, sigma)
    shape = (2, smoothing.shape[1], smoothing.shape[1])
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_normal(
            shape, seed, stddev=3**-0.5, alg="philox"
        ),
        seeds,
        fn_output_signature=tf.TensorSpec(shape, tf.float32),
    )
    field = tf.matmul(tf.matmul(smoothing, noise), smoothing, transpose_b=True)
    return field * (alpha * (size / REFERENCE_SIZE))[:, None, None, None]


@functools.lru_cache(maxsize=8)
def _smoothing(size: int, sigma: float) -> np.ndarray:
    """float32 (size, m): maps noise on the grid to its smoothed value at each pixel."""
    spacing = 2 / 3 * sigma
    # The grid reaches 4 sigma beyond both borders.
    points = int(np.ceil((REFERENCE_SIZE + 8 * sigma) / spacing)) + 1
    grid = (np.arange(points) - (points - 1) / 2) * spacing + REFERENCE_SIZE / 2
    place = (np.arange(size) + 0.5) * (REFERENCE_SIZE / size)
    gaussian = np.exp(-0.5 * ((place[:, None] - grid) / sigma) ** 2)
    gaussian /= np.sqrt(2 * np.pi) * sigma
    # One value stands for the sum of `spacing` pixels, so it has that variance.
    return (gaussian * np.sqrt(spacing)).astype(np.float32)
