"""Random changes of training images, a pure function of (seed, epoch, sample).

Shift, zoom, flip, rotation and elastic deformation, each drawn for each image with a
probability of its own (Ruffini et al. 2024, and their code). What was drawn is put
together and the image resampled once, so that it is blurred once.

Neither the place in a batch nor what else is in it matters, nor how many threads work:
an interrupted training that goes on sees what it would have seen.
"""

from typing import NamedTuple

import tensorflow as tf

from mdmt_tf.config.schema import AugmentationSection
from mdmt_tf.data import warp


class Changes(NamedTuple):
    """What happens to each of b images; what changes nothing where none was drawn."""

    shift: tf.Tensor  # float32 (b, 2), down and right, fraction of the side
    zoom: tf.Tensor  # float32 (b,), above 1 magnifies
    degrees: tf.Tensor  # float32 (b,), anticlockwise
    flip: tf.Tensor  # bool (b,)
    alpha: tf.Tensor  # float32 (b,), strength of the elastic deformation, or 0
    noise_seed: tf.Tensor  # int64 (b, 2), of the elastic deformation


def draw_changes(seed, epoch, index, repeat, settings: AugmentationSection) -> Changes:
    """Draw for each sample whether and how it is changed.

    Args:
        seed, epoch: scalars, not negative.
        index: int64 (b,), which sample.
        repeat: int64 (b,), tells draws of one sample in one epoch apart.
        settings: probabilities and ranges; values are uniform in their range.
    """

    def draw(sample):
        key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
        for number in sample:
            key = tf.random.fold_in(key, number, alg="philox")
        noise_key = tf.random.fold_in(key, tf.constant(1, tf.int64), alg="philox")
        return tf.random.stateless_uniform((10,), key, alg="philox"), noise_key

    signature = (
        tf.TensorSpec((10,), tf.float32),
        tf.TensorSpec((2,), tf.int64),
    )
    samples = (tf.cast(index, tf.int64), tf.cast(repeat, tf.int64))
    uniform, noise_seed = tf.map_fn(draw, samples, fn_output_signature=signature)

    def drawn(column: int, probability: float, value, otherwise):
        return tf.where(uniform[:, column] < probability, value, otherwise)

    def signed(column: int, largest: float):
        return (2.0 * uniform[:, column] - 1.0) * largest

    shift = [
        drawn(0, settings.shift_probability, signed(c, settings.shift_fraction), 0.0)
        for c in (5, 6)
    ]
    low, high = settings.elastic_alpha
    return Changes(
        shift=tf.stack(shift, axis=1),
        zoom=drawn(
            1, settings.zoom_probability, 1.0 + signed(7, settings.zoom_fraction), 1.0
        ),
        degrees=drawn(
            2, settings.rotation_probability, signed(8, settings.rotation_degrees), 0.0
        ),
        flip=uniform[:, 3] < settings.flip_probability,
        alpha=drawn(
            4, settings.elastic_probability, low + (high - low) * uniform[:, 9], 0.0
        ),
        noise_seed=noise_seed,
    )


def apply_changes(images: tf.Tensor, changes: Changes, sigma: float) -> tf.Tensor:
    """Change each image as drawn.

    Args:
        images: float32 (b, s, s, c), s known.
        changes: of b images.
        sigma: smoothness of the elastic deformation, pixels at 256 a side.
    Returns: float32 (b, s, s, c).
    """
    size = images.shape[1]
    maps = warp.affine_map(
        changes.shift, changes.zoom, changes.degrees, changes.flip, size
    )
    # Only the images that need it go through the slower resampling.
    bent = changes.alpha > 0
    plain, elastic = (tf.where(rows)[:, 0] for rows in (~bent, bent))
    displacement = warp.elastic_displacement(
        tf.gather(changes.noise_seed, elastic),
        tf.gather(changes.alpha, elastic),
        size,
        sigma,
    )
    parts = [
        warp.warp_affine(tf.gather(images, plain), tf.gather(maps, plain)),
        warp.warp_elastic(
            tf.gather(images, elastic), tf.gather(maps, elastic), displacement
        ),
    ]
    rows = [tf.cast(plain, tf.int32), tf.cast(elastic, tf.int32)]
    return tf.ensure_shape(tf.dynamic_stitch(rows, parts), images.shape)


def augment(
    images: tf.Tensor, seed, epoch, index, repeat, settings: AugmentationSection
) -> tf.Tensor:
    """`draw_changes`, then `apply_changes`."""
    changes = draw_changes(seed, epoch, index, repeat, settings)
    return apply_changes(images, changes, settings.elastic_sigma)
