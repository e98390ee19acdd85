"""From stored pixels to the input of the network, the same in training and serving.

The functions work on tensors inside a graph. Sizes, channels, mean and std are
arguments or come from the data, so that other modalities can differ.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from mdmt_tf.models.backbones.table import IMAGENET

# Mean and std of ImageNet's pixels in [0, 1], by channel, as backbones expect.
IMAGENET_MEAN, IMAGENET_STD = IMAGENET


def to_unit(images: tf.Tensor) -> tf.Tensor:
    """Convert stored pixels to float32 in [0, 1], with 0 black.

    Args:
        images: of any shape; integers from 0 to the maximum of their type, which is
            white, or floats in [0, 1].
    """
    if images.dtype.is_floating:
        return tf.cast(images, tf.float32)
    return tf.cast(images, tf.float32) / float(images.dtype.max)


def resize(images: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Resize linearly along each axis, with antialiasing.

    Args:
        images: float (n, h, w, c) or (h, w, c), or volumes (n, d, h, w, c) or
            (d, h, w, c), of any size.
        shape: (h, w) or (d, h, w) of the result. Images of this shape are returned
            unchanged.
    Returns: float32, with the axes of `images`.
    """
    shape = tuple(shape)
    if tuple(images.shape[-1 - len(shape) : -1]) == shape:
        return tf.cast(images, tf.float32)
    *planes, height, width = shape
    before, channels = tf.shape(images), images.shape[-1]
    flat = tf.reshape(images, tf.concat([[-1], before[-3:]], axis=0))
    flat = tf.image.resize(flat, (height, width), antialias=True)
    for depth in planes:
        # TensorFlow resizes two axes at a time: here depth, and all pixels of a slice.
        flat = tf.reshape(flat, (-1, before[-4], height * width, channels))
        flat = tf.image.resize(flat, (depth, height * width), antialias=True)
    lead = before[: -1 - len(shape)]
    resized = tf.reshape(flat, tf.concat([lead, (*shape, channels)], axis=0))
    return tf.ensure_shape(
        resized, (*images.shape[: -1 - len(shape)], *shape, channels)
    )


def normalize(images: tf.Tensor, mean=IMAGENET_MEAN, std=IMAGENET_STD) -> tf.Tensor:
    """Compute (x - mean) / std for each channel; a grey image is repeated if needed.

    Args:
        images: float (n, ..., c) in [0, 1] with any spatial axes; c is 1 or len(mean).
        mean, std: values of each channel of the result.
    Returns: float32 (n, ..., len(mean)).
    Raises: ValueError: another number of channels.
    """
    channels = images.shape[-1]
    if channels not in (1, len(mean)):
        raise ValueError(
            f"Expected images with 1 or {len(mean)} channels. "
            f"Received: shape={tuple(images.shape)}"
        )
    scale = 1.0 / np.asarray(std, np.float32)
    weights = scale[None] if channels == 1 else np.diag(scale)
    # A convolution with one weight per channel is five times as fast on CPU as
    # `images * scale + shift`, whose innermost loop would run over 3 elements.
    kernel = weights.reshape((1,) * (len(images.shape) - 2) + weights.shape)
    scaled = tf.nn.convolution(tf.cast(images, tf.float32), kernel)
    return tf.nn.bias_add(scaled, np.float32(-np.asarray(mean, np.float32) * scale))


def denormalize(images, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """The inverse of `normalize`, for display: float (..., len(mean)) in [0, 1]."""
    return images * np.asarray(std, np.float32) + np.asarray(mean, np.float32)
