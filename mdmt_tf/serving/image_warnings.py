"""Warnings about images within the graph of an exported model.

They are the codes of `mdmt_tf.serving.oddities` that pixels alone can show, and
"aspect". A program that sends images which were not prepared as in training gets
probabilities that mean nothing; the warnings are all that it sees of that.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from mdmt_tf.data import profile
from mdmt_tf.serving.oddities import OF_FEATURES, SMALLEST_RANGE

# Name of the output.
OUTPUT = "image_warnings"
# Largest relative difference of height / width by rounding to whole pixels.
_ASPECT = 0.02
# How far pixels may be outside of [0, 1] because of resizing and rounding.
_ROUNDING = 1e-3


def checked(image: tf.Tensor) -> tf.Tensor:
    """The same image, or an error of TensorFlow if its values are not in [0, 1].

    Args:
        image: float32 (n, ..., 1), n >= 1; others are an error. NaN is in no range.
    """
    axes = ("depth", "height", "width")[5 - len(image.shape) :]
    image = shaped(image, f"image: expected float32 (n, {', '.join(axes)}, 1)")
    is_inside = (image >= -_ROUNDING) & (image <= 1 + _ROUNDING)
    text = (
        "image: expected finite numbers from 0, black, to 1, white, prepared as in "
        "training. Received NaN, infinite numbers, or others outside of this range "
        "(divide integers by their largest value). Least and largest:"
    )
    ends = [tf.reduce_min(image), tf.reduce_max(image)]
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_all(is_inside), [text, *ends])]
    ):
        return tf.identity(image)


def shaped(given: tf.Tensor, expected: str) -> tf.Tensor:
    """The same tensor, or an error of TensorFlow if it is of another shape, or empty.

    A signature takes tensors of any shape, whatever its specification says.

    Args:
        given: with the expected rank, and the lengths that are known.
        expected: for the message.
    """
    # Of a tensor that is known to have the right shape, the check would be left out.
    free = tf.raw_ops.PlaceholderWithDefault(input=given, shape=tf.TensorShape(None))
    shape, rank = tf.shape(free), len(given.shape)
    wanted = np.array([length or -1 for length in given.shape])
    lengths = tf.concat([shape, tf.zeros(rank, tf.int32)], 0)[:rank]
    is_known = (lengths == wanted) | (wanted == -1)
    is_right = (tf.size(shape) == rank) & tf.reduce_all(is_known & (lengths > 0))
    text = f"{expected}, each at least 1. Received shape:"
    check = tf.debugging.Assert(is_right, [text, shape], summarize=8)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.ensure_shape(tf.identity(free), given.shape)


def warn(image: tf.Tensor, given: tf.Tensor, about: Mapping) -> tf.Tensor:
    """The warnings about each image, string (n,): codes, with a blank between two.

    Args:
        image: float32 (n, *size, 1) in the size of the model's input.
        given: int (2,), or (n, 2): height and width before.
        about: the description of the model; without a profile of its training images,
            only contrast and aspect are looked at.
    """
    values = image[..., 0]
    axes = list(range(1, len(values.shape)))
    spread = tf.reduce_max(values, axes) - tf.reduce_min(values, axes)
    found = {"no_contrast": spread <= SMALLEST_RANGE}
    aspects = about.get("image", {}).get("aspects")
    if aspects:
        own = tf.cast(given[..., 0] / given[..., 1], tf.float32)
        differences = tf.abs(own[..., None] / tf.constant(aspects, tf.float32) - 1)
        is_other = tf.reduce_min(differences, -1) > _ASPECT
        found["aspect"] = is_other | tf.zeros_like(found["no_contrast"])
    training = about.get("training_images")
    if training:
        features = _features(values, training["mean_image"])
        for (name, direction), code in OF_FEATURES.items():
            if name in training["quantiles"]:
                low, high = profile.range_of(training, name)
                is_beyond = (
                    features[name] < low if direction < 0 else features[name] > high
                )
                found[code] = is_beyond & ~found["no_contrast"]
    words = [tf.where(is_so, f"{code} ", "") for code, is_so in found.items()]
    return tf.strings.strip(tf.strings.join(words))


def _features(values: tf.Tensor, mean_image: Sequence) -> dict[str, tf.Tensor]:
    """`profile.features` of images (n, h, w) or (n, d, h, w): name -> (n,)."""
    coarse = _block_means(values, profile.COARSE[1 - len(values.shape) :])
    axes = list(range(1, len(values.shape)))
    mean = functools.partial(tf.reduce_mean, axis=axes)
    std = tf.math.reduce_std(coarse, axes)
    steps = [
        mean(tf.abs(coarse[..., 1:, :] - coarse[..., :-1, :])),
        mean(tf.abs(coarse[..., 1:] - coarse[..., :-1])),
    ]
    average = np.asarray(mean_image, np.float32)
    reduced = _block_means(coarse, average.shape)
    centred = reduced - tf.reduce_mean(reduced, axes, keepdims=True)
    average = average - average.mean()
    scale = tf.sqrt(tf.reduce_sum(centred**2, axes) * np.sum(average**2))
    products = tf.reduce_sum(centred * average, axes)
    return {
        "mean": mean(coarse),
        "std": std,
        "black": mean(tf.cast(coarse <= profile.EDGE, tf.float32)),
        "white": mean(tf.cast(coarse >= 1 - profile.EDGE, tf.float32)),
        "detail": (steps[0] + steps[1]) / 2 / tf.maximum(std, 1e-6),
        "likeness": tf.math.divide_no_nan(products, scale),
    }


def _block_means(values: tf.Tensor, most: Sequence[int]) -> tf.Tensor:
    """`profile.block_means` of each image, by one matrix for each axis."""
    for axis, largest in enumerate(most, start=1):
        length = values.shape[axis]
        if length > largest:
            pixels = np.eye(length, dtype=np.float32)
            blocks = profile.block_means(pixels, (largest, length))
            moved = tf.tensordot(values, tf.constant(blocks.T), [[axis], [0]])
            order = [*range(len(values.shape) - 1)]
            order.insert(axis, len(order))
            values = tf.transpose(moved, order)
    return values
