"""Random augmentation of training images, a pure function of (seed, epoch, sample).

Shift, zoom, flip, rotation and elastic deformation are drawn for each image, each with
its own probability (Ruffini et al. 2024, and their code). All of them are combined and
the image is resampled once, so it is blurred only once. Noise is added last.
`augment.volumes` moves volumes.

The result does not depend on the batch, the position in it, or the number of threads.
A resumed training therefore gets the same images as one without interruption.
"""

from typing import NamedTuple

import tensorflow as tf

from mdmt_tf.data.augment import warp
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.augment.volumes import move_volumes


class Changes(NamedTuple):
    """The changes of b images; neutral values where a change was not drawn."""

    shift: tf.Tensor  # float32 (b, 2), down and right, fraction of the side
    zoom: tf.Tensor  # float32 (b,), above 1 magnifies
    degrees: tf.Tensor  # float32 (b,), anticlockwise
    flip: tf.Tensor  # bool (b,)
    alpha: tf.Tensor  # float32 (b,), strength of the elastic deformation, or 0
    noise_seed: tf.Tensor  # int64 (b, 2), of the elastic deformation


def draw_changes(keys: tf.Tensor, settings: Augmentation) -> Changes:
    """Draw the changes of each sample.

    Args:
        keys: from `sample_keys`.
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
    """Apply the drawn changes to each image.

    Args:
        images: float32 (b, s, s, c), s known.
        changes: changes of b images.
        sigma: smoothness of the elastic deformation, in pixels of images of side 256.
    Returns: float32 (b, s, s, c).
    """
    size = images.shape[1]
    maps = warp.affine_map(
        changes.shift, changes.zoom, changes.degrees, changes.flip, size
    )
    # Only images with an elastic deformation need the slower resampling.
    deformed = changes.alpha > 0
    plain, elastic = (tf.where(rows)[:, 0] for rows in (~deformed, deformed))
    displacement = warp.elastic_displacement(
        tf.gather(changes.noise_seed, elastic),
        tf.gather(changes.alpha, elastic),
        size,
        sigma,
    )
    warped = [
        warp.warp_affine(tf.gather(images, plain), tf.gather(maps, plain)),
        warp.warp_elastic(
            tf.gather(images, elastic), tf.gather(maps, elastic), displacement
        ),
    ]
    rows = [tf.cast(plain, tf.int32), tf.cast(elastic, tf.int32)]
    return tf.ensure_shape(tf.dynamic_stitch(rows, warped), images.shape)


def add_noise(images, keys, settings: Augmentation) -> tf.Tensor:
    """Add Gaussian noise to randomly chosen images.

    Args:
        images: float32 (b, ..., c), b known.
        keys: from `sample_keys`, for these images.
        settings: probability and std.
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
    images: tf.Tensor, keys: tf.Tensor, settings: Augmentation
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment images (b, s, s, c) or volumes (b, d, h, w, c).

    Args:
        images: float32 in [0, 1], sizes known.
        keys: from `sample_keys`, for these images.
        settings: probabilities and ranges.
    Returns: the images; and bool (b,), which of them were flipped left and right.
    """
    if len(images.shape) == 5:
        moved, flipped = move_volumes(images, keys, settings)
    else:
        changes = draw_changes(keys, settings)
        moved = apply_changes(images, changes, settings.elastic_sigma)
        flipped = changes.flip
    return add_noise(moved, keys, settings), flipped


# Numbers folded into a key for further draws.
_ELASTIC, _NOISE = 1, 2


def sample_keys(seed, epoch, index, repeat) -> tf.Tensor:
    """Random keys, int64 (b, 2), one for each sample.

    Args:
        seed, epoch: scalars, not negative.
        index: int64 (b,), numbers of the samples.
        repeat: int64 (b,), distinguishes draws of one sample in one epoch.
    """

    def fold(sample):
        key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
        for number in sample:
            key = tf.random.fold_in(key, number, alg="philox")
        return key

    samples = (tf.cast(index, tf.int64), tf.cast(repeat, tf.int64))
    return tf.map_fn(fold, samples, fn_output_signature=tf.TensorSpec((2,), tf.int64))


def fold_in(keys: tf.Tensor, number: int) -> tf.Tensor:
    """Derive keys (b, 2) for further draws of the same samples."""
    number = tf.constant(number, tf.int64)
    return tf.map_fn(lambda key: tf.random.fold_in(key, number, alg="philox"), keys)
