"""Moving pixels: affine maps, smooth random displacements, one bilinear resampling.

Coordinates are pixels; (0, 0) is the centre of the top left pixel, y points down. Maps
go from the place in the result to the place in the image where its value is taken.
Outside of the image is black: air, as where a radiograph is collimated. Reflected
borders would add ribs and lungs that nobody has.
"""

import functools

import numpy as np
import tensorflow as tf

# Side in pixels of the images for which the elastic deformation is stated.
REFERENCE_SIZE = 256


def affine_map(shift, zoom, degrees, flip, size: int) -> tf.Tensor:
    """Flip left and right, zoom, turn, then shift, about the centre of the image.

    Args:
        shift: (b, 2), how far the content moves down and right, as fraction of `size`.
        zoom: (b,), above 1 magnifies.
        degrees: (b,), anticlockwise.
        flip: bool (b,).
        size: pixels a side.
    Returns: float32 (b, 6), a b c d e f: the result at (x, y) is the image at
        (a x + b y + c, d x + e y + f).
    """
    centre = (size - 1) / 2
    radians = degrees * (np.pi / 180)
    cos, sin = tf.cos(radians) / zoom, tf.sin(radians) / zoom
    mirror = tf.where(flip, -1.0, 1.0)
    # The steps undone, the last one first.
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
    """Resample images at `maps` of the displaced places, in one step.

    Args:
        images: float32 (b, s, s, c).
        maps: (b, 6), see `affine_map`.
        displacement: (b, 2, s, s), pixels down and right.
    Returns: float32 (b, s, s, c). Without displacement that of `warp_affine`.
    """
    size, channels = images.shape[1], images.shape[-1]
    place = tf.range(size, dtype=tf.float32)
    y = place[:, None] + displacement[:, 0]
    x = place[None, :] + displacement[:, 1]
    a, b, c, d, e, f = (maps[:, None, None, i] for i in range(6))
    x, y = a * x + b * y + c, d * x + e * y + f
    # One row of black around, and everything further out is taken from there.
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

    In an image of 256 pixels a side: alpha times white noise, of variance 1/3 as
    between -1 and 1, smoothed by a Gaussian of `sigma` pixels. In other sizes the same
    deformation of the image as a whole, so the displacement in pixels is size / 256 of
    it. Standard deviation: alpha / (2 sqrt(3 pi) sigma) size / 256, which is 0.7 pixels
    at alpha 30, sigma 7 and 256 pixels.

    The noise lies on a grid of 2/3 sigma instead of one value a pixel. What a grid so
    fine cannot carry, the Gaussian would have removed (all but 2e-5 of it).

    Args:
        seeds: int64 (b, 2).
        alpha: (b,).
        size: pixels a side of the image.
        sigma: in pixels of an image of 256 pixels a side.
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
    """float32 (size, m): from noise on the grid to its smoothed value at each pixel."""
    spacing = 2 / 3 * sigma
    # 4 sigma beyond the border on both sides, as if the noise went on.
    points = int(np.ceil((REFERENCE_SIZE + 8 * sigma) / spacing)) + 1
    grid = (np.arange(points) - (points - 1) / 2) * spacing + REFERENCE_SIZE / 2
    place = (np.arange(size) + 0.5) * (REFERENCE_SIZE / size)
    gaussian = np.exp(-0.5 * ((place[:, None] - grid) / sigma) ** 2)
    gaussian /= np.sqrt(2 * np.pi) * sigma
    # One value stands for `spacing` pixels, whose sum has that variance.
    return (gaussian * np.sqrt(spacing)).astype(np.float32)
