"""Named Keras layers with the padding and the initial values of PyTorch networks."""

import dataclasses
import math
import zlib
from collections.abc import Callable
from typing import Any, Literal

import keras

from mdmt_tf.models.dataset_normalization import DatasetBatchNormalization
from mdmt_tf.models.layers import (
    BatchNormalization,
    GroupedConv2D,
    SpatialDropout,
    ZeroPadding3D,
)

# Layers by the number of spatial axes: 2 for images (N, H, W, C), 3 for volumes
# (N, D, H, W, C). Keras has no N-dimensional layers.
_CONVOLUTION = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
_ZERO_PADDING = {2: keras.layers.ZeroPadding2D, 3: ZeroPadding3D}
_MAX_POOLING = {2: keras.layers.MaxPooling2D, 3: keras.layers.MaxPooling3D}
_AVERAGE_POOLING = {2: keras.layers.AveragePooling2D, 3: keras.layers.AveragePooling3D}
_GLOBAL_POOLING = {
    2: keras.layers.GlobalAveragePooling2D,
    3: keras.layers.GlobalAveragePooling3D,
}


def global_average_pool(x, name):
    """Average (N, ..., C) to float32 (N, C), under any dtype policy."""
    return _GLOBAL_POOLING[_dimensions(x)](dtype="float32", name=name)(x)


def _dimensions(x):
    """Number of spatial axes of a map (N, ..., C)."""
    return len(x.shape) - 2


def derived_seed(seed, name):
    """Seed in [0, 2**31) of the layer `name` in a model with the integer `seed`.

    It depends on nothing else, so a new layer does not change the values of others.

    Example:
        >>> derived_seed(0, "conv1") != derived_seed(1, "conv1")
        True
    """
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def he_normal_fan_out(fan_in, fan_out, groups, seed):
    """Normal(0, 2 / fan_out): torchvision's ResNet and MobileNetV2.

    Source: He et al. 2015; `torch.nn.init.kaiming_normal_(mode="fan_out")`.
    """
    del fan_in, groups
    return _normal(math.sqrt(2 / fan_out), seed)


def he_normal_fan_out_of_group(fan_in, fan_out, groups, seed):
    """Normal(0, 2 groups / fan_out): timm's EfficientNet.

    Source: Tan and Le 2019 (the TensorFlow code, where the fan of a depthwise kernel is
        its area).
    """
    del fan_in
    return _normal(math.sqrt(2 * groups / fan_out), seed)


def he_normal_fan_in(fan_in, fan_out, groups, seed):
    """Normal(0, 2 / fan_in): torchvision's DenseNet.

    Source: He et al. 2015; the default of `torch.nn.init.kaiming_normal_`.
    """
    del fan_out, groups
    return _normal(math.sqrt(2 / fan_in), seed)


def normal_0_01(fan_in, fan_out, groups, seed):
    """Normal(0, 0.01 ** 2) for any fan: torchvision's GoogLeNet."""
    del fan_in, fan_out, groups
    return _normal(0.01, seed)


def uniform_fan_in(fan_in, fan_out, groups, seed):
    """Uniform between -1 / sqrt(fan_in) and 1 / sqrt(fan_in), as `torch.nn.Conv2d`."""
    del fan_out, groups
    limit = 1 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)


def _normal(std, seed):
    return keras.initializers.RandomNormal(stddev=std, seed=seed)


@dataclasses.dataclass(frozen=True)
class BackboneOptions:
    """Options of the builders of all backbones.

    Attributes:
        seed: integer; see `derived_seed`.
        dtype: dtype or policy of every layer; None: the global policy.
        batch_norm: statistics of a training step: "local", of each replica's slice of
            the batch; "synchronized", of the whole batch; "per_dataset", of the rows of
            each dataset in the whole batch.
        datasets: number of datasets, for "per_dataset".
        dataset: symbolic int32 (N,), the number of the dataset of each image, for
            "per_dataset".
        dropout: rate in [0, 1) of `Blocks.dropout`, if the network has such layers.
    """

    seed: int = 0
    dtype: Any = None
    batch_norm: Literal["local", "synchronized", "per_dataset"] = "local"
    datasets: int = 1
    dataset: Any = None
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Builds the layers of one backbone, for images or for volumes.

    Maps are (N, H, W, C) or (N, D, H, W, C). Kernels, strides and padding are the same
    along all spatial axes. A layer has the name of its module in the reference network
    ("layer1.0.conv1"), by which `mdmt_tf.models.weights.conversion` finds it.

    Attributes:
        initializer: initializer(fan_in, fan_out, groups, seed) returns the
            `keras.initializers.Initializer` of a kernel; fans are counted as in
            PyTorch for an OIHW kernel.
        options: see `BackboneOptions`.
        padding: "pytorch": kernel_size // 2 at both ends. "tensorflow": "same", with as
            many pixels as needed, and an odd one at the end.
        epsilon: of the normalisations; their momentum is 0.9 in every reference.
    """

    initializer: Callable
    options: BackboneOptions
    padding: Literal["pytorch", "tensorflow"] = "pytorch"
    epsilon: float = 1e-5

    @property
    def dtype(self):
        return self.options.dtype

    def conv(self, x, filters, kernel_size, name, stride=1, groups=1, bias=False):
        """Convolution of (N, H, W, C) or (N, D, H, W, C).

        `groups=C` with `filters=C` gives a depthwise convolution; images only.
        """
        channels = x.shape[-1]
        area = kernel_size ** _dimensions(x)
        initializer = self.initializer(
            fan_in=channels // groups * area,
            fan_out=filters * area,
            groups=groups,
            seed=derived_seed(self.options.seed, name),
        )
        x, padding = self._pad(x, kernel_size, stride, name)
        options = {
            "kernel_size": kernel_size,
            "strides": stride,
            "padding": padding,
            "use_bias": bias,
            "dtype": self.dtype,
            "name": name,
        }
        if groups == channels == filters and groups > 1:
            return keras.layers.DepthwiseConv2D(
                depthwise_initializer=initializer, **options
            )(x)
        if groups > 1:
            return GroupedConv2D(
                filters, groups=groups, kernel_initializer=initializer, **options
            )(x)
        convolution = _CONVOLUTION[_dimensions(x)]
        return convolution(filters, kernel_initializer=initializer, **options)(x)

    def norm(self, x, name):
        if self.options.batch_norm == "per_dataset":
            return DatasetBatchNormalization(
                self.options.datasets,
                epsilon=self.epsilon,
                dtype=self.dtype,
                name=name,
            )((x, self.options.dataset))
        return BatchNormalization(
            epsilon=self.epsilon,
            synchronized=self.options.batch_norm == "synchronized",
            dtype=self.dtype,
            name=name,
        )(x)

    def relu(self, x, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def relu6(self, x, name):
        return keras.layers.ReLU(max_value=6, dtype=self.dtype, name=name)(x)

    def silu(self, x, name):
        """x sigmoid(x), also called swish."""
        return keras.layers.Activation("silu", dtype=self.dtype, name=name)(x)

    def add(self, x, y, name):
        return keras.layers.Add(dtype=self.dtype, name=name)([x, y])

    def concatenate(self, maps, name):
        return keras.layers.Concatenate(dtype=self.dtype, name=name)(maps)

    def max_pool(self, x, kernel_size, stride, name):
        """Max pooling of x >= 0, where padding with 0 equals PyTorch's with -inf."""
        x, padding = self._pad(x, kernel_size, stride, name)
        return _MAX_POOLING[_dimensions(x)](
            kernel_size, strides=stride, padding=padding, dtype=self.dtype, name=name
        )(x)

    def average_pool(self, x, size, name):
        """Average over windows that do not overlap; a rest at the end is dropped."""
        return _AVERAGE_POOLING[_dimensions(x)](size, dtype=self.dtype, name=name)(x)

    def dropout(self, x, name):
        """Dropout of whole channels of a sample, at the rate of the options."""
        if not self.options.dropout:
            return x
        seed = derived_seed(self.options.seed, name)
        return SpatialDropout(
            self.options.dropout, seed=seed, dtype=self.dtype, name=name
        )(x)

    def _pad(self, x, kernel_size, stride, name):
        """Pad where Keras cannot; also returns Keras' `padding` for the layer."""
        if self.padding == "tensorflow" or stride == 1:
            return x, "same"  # symmetric with stride 1, since kernels are odd
        if kernel_size > 1:
            # Keras' "same" would put an odd pixel at the end and shift the network.
            x = _ZERO_PADDING[_dimensions(x)](
                kernel_size // 2, dtype=self.dtype, name=f"{name}.pad"
            )(x)
        return x, "valid"
