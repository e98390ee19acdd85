"""Random changes of training images, a pure function of (seed, epoch, sample).

Shift, zoom, flip, rotation and elastic deformation, each drawn for each image with a
probability of its own (Ruffini et al. 2024, and their code). What was drawn is put
together and the image resampled once, so that it is blurred once. Noise comes last.
Volumes: `augment_volumes`.

Neither the place in a batch nor what else is in it matters, nor how many threads work:
an interrupted training that goes on sees what it would have seen.
"""

from typing import NamedTuple

import tensorflow as tf

from mdmt_tf.data.augment import volumes as augment_volumes
from mdmt_tf.data.augment import warp
from mdmt_tf.data.augment.settings import Augmentation


class Changes(NamedTuple):
    """What happens to each of b images; what changes nothing where none was drawn."""

    shift: tf.Tensor  # float32 (b, 2), down and right, fraction of the side
    zoom: tf.Tensor  # float32 (b,), above 1 magnifies
    degrees: tf.Tensor  # float32 (b,), anticlockwise
    flip: tf.Tensor  # bool (b,)
    alpha: tf.Tensor  # float32 (b,), strength of the elastic deformation, or 0
    noise_seed: tf.Tensor  # int64 (b, 2), of the elastic deformation


def draw_changes(keys: tf.Tensor, settings: Augmentation) -> Changes:
    """Draw for each sample whether and how it is changed.

    Args:
        keys: of `sample_keys`.
        settings: probabilities and ranges; values are uniform in their range.
    """
    uniform = tf.map_fn(
        lambda key: tf.random.stateless_uniform((10,), key, alg="philox"),
        keys,
        fn_output_signature=tf.TensorSpec((10,), tf.float32),
    )

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
        noise_seed=fold_in(keys, _ELASTIC),
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


def add_noise(images, keys, settings: Augmentation) -> tf.Tensor:
    """Gaussian noise on some images, drawn for each.

    Args:
        images: float32 (b, ..., c), b known.
        keys: of `sample_keys`, for these images.
        settings: probability and standard deviation.
    """
    if not settings.noise_probability:
        return images

    def change(pair):
        image, key = pair
        chosen = tf.random.stateless_uniform((), key, alg="philox")
        return tf.cond(
            chosen < settings.noise_probability,
            lambda: (
                image
                + tf.random.stateless_normal(
                    tf.shape(image), key, stddev=settings.noise_deviation, alg="philox"
                )
            ),
            lambda: image,
        )

    signature = tf.TensorSpec(images.shape[1:], tf.float32)
    pairs = (images, fold_in(keys, _NOISE))
    return tf.map_fn(change, pairs, fn_output_signature=signature)


def augment(
    images: tf.Tensor, seed, epoch, index, repeat, settings: Augmentation
) -> tf.Tensor:
    """Change images (b, s, s, c) or volumes (b, d, h, w, c) as drawn for their samples.

    Args:
        images: float32 in [0, 1], sizes known.
        seed, epoch, index, repeat: see `sample_keys`.
        settings: probabilities and ranges.
    """
    keys = sample_keys(seed, epoch, index, repeat)
    if len(images.shape) == 5:
        moved = augment_volumes.move(images, keys, settings)
    else:
        changes = draw_changes(keys, settings)
        moved = apply_changes(images, changes, settings.elastic_sigma)
    return add_noise(moved, keys, settings)


# What a key is folded with for draws beside the first ones.
_ELASTIC, _NOISE = 1, 2


def sample_keys(seed, epoch, index, repeat) -> tf.Tensor:
    """int64 (b, 2), a key of random numbers for each sample.

    Args:
        seed, epoch: scalars, not negative.
        index: int64 (b,), which sample.
        repeat: int64 (b,), tells draws of one sample in one epoch apart.
    """

    def fold(sample):
        key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
        for number in sample:
            key = tf.random.fold_in(key, number, alg="philox")
        return key

    samples = (tf.cast(index, tf.int64), tf.cast(repeat, tf.int64))
    return tf.map_fn(fold, samples, fn_output_signature=tf.TensorSpec((2,), tf.int64))


def fold_in(keys: tf.Tensor, number: int) -> tf.Tensor:
    """Other keys (b, 2), for other draws of the same samples."""
    number = tf.constant(number, tf.int64)
    return tf.map_fn(lambda key: tf.random.fold_in(key, number, alg="philox"), keys)
