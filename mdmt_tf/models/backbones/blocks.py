"""Named Keras layers with a PyTorch network's padding and initial values."""

import dataclasses
import math
import zlib
from collections.abc import Callable
from typing import Any

import keras

from mdmt_tf.models.layers import BatchNormalization


def derived_seed(seed, name):
    """Seed in [0, 2**31) of the layer `name` in a model with the integer `seed`.

    It depends on nothing else: adding a layer leaves the values of the others alone.
    """
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def he_normal_fan_out(fan_in, fan_out, seed):
    """Normal(0, 2 / fan_out), the kernels of torchvision's ResNets.

    Source: He et al. 2015; `torch.nn.init.kaiming_normal_(mode="fan_out")`.
    """
    del fan_in
    return keras.initializers.RandomNormal(stddev=math.sqrt(2 / fan_out), seed=seed)


def uniform_fan_in(fan_in, fan_out, seed):
    """Uniform between -+1 / sqrt(fan_in), the default of `torch.nn.Conv2d`."""
    del fan_out
    limit = 1 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Makes the layers of one backbone.

    A layer bears the name of its module in the reference network ("layer1.0.conv1"),
    which is how `mdmt_tf.models.weights` finds it. Convolutions carry no bias: a
    normalisation follows each.

    Attributes:
        initializer: `(fan_in, fan_out, seed) -> keras.initializers.Initializer`, the
            fans counted as PyTorch does for an OIHW kernel.
        seed: of the model; see `derived_seed`.
        dtype: name or policy of every layer; None for the global policy.
    """

    initializer: Callable
    seed: int = 0
    dtype: Any = None

    def conv(self, x, filters, kernel_size, name, stride=1, groups=1):
        """Convolution of (N, H, W, C), padded by kernel_size // 2 on every side.

        `groups=C` with `filters=C` gives a depthwise convolution.
        """
        channels = x.shape[-1]
        area = kernel_size**2
        initializer = self.initializer(
            fan_in=channels // groups * area,
            fan_out=filters * area,
            seed=derived_seed(self.seed, name),
        )
        x, padding = self._pad(x, kernel_size, stride, name)
        options = {
            "kernel_size": kernel_size,
            "strides": stride,
            "padding": padding,
            "use_bias": False,
            "dtype": self.dtype,
            "name": name,
        }
        if groups == channels == filters and groups > 1:
            # On CPU TensorFlow has kernels for this case, not for groups in general.
            return keras.layers.DepthwiseConv2D(
                depthwise_initializer=initializer, **options
            )(x)
        return keras.layers.Conv2D(
            filters, groups=groups, kernel_initializer=initializer, **options
        )(x)

    def norm(self, x, name):
        return BatchNormalization(dtype=self.dtype, name=name)(x)

    def relu(self, x, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def max_pool(self, x, kernel_size, stride, name):
        """Max pooling of x >= 0, where padding with 0 equals PyTorch's with -inf."""
        x, padding = self._pad(x, kernel_size, stride, name)
        return keras.layers.MaxPooling2D(
            kernel_size, strides=stride, padding=padding, dtype=self.dtype, name=name
        )(x)

    def global_average(self, x, name):
        """(N, H, W, C) to the pooled features (N, C), in float32 under any policy."""
        return keras.layers.GlobalAveragePooling2D(dtype="float32", name=name)(x)

    def _pad(self, x, kernel_size, stride, name):
        """Pads by kernel_size // 2 a side; returns also Keras' name for the rest."""
        if stride == 1:
            return x, "same"  # symmetric, since kernels are odd
        if kernel_size > 1:
            # Keras' "same" would put the odd pixel at the end: a shifted network.
            x = keras.layers.ZeroPadding2D(
                kernel_size // 2, dtype=self.dtype, name=f"{name}.pad"
            )(x)
        return x, "valid"
