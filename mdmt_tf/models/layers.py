"""Keras layers of the backbones that Keras lacks.

All layers are registered under the package name `mdmt_tf`, by which `.keras` files
refer to them. `mdmt_tf.training.keras_objects` is what to import before loading one.
"""

import os

import keras
import tensorflow as tf

# Input types of the fused kernel. Its scale, offset and statistics are always float32.
_FUSED_DTYPES = ("float16", "bfloat16", "float32")
_FUSED_RANKS = (4, 5)


@keras.saving.register_keras_serializable(package="mdmt_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation in one kernel, with PyTorch's defaults and statistics.

    For each channel, with n = batch x height x width values of mean m and (biased)
    variance s:

        y = gamma (x - m) / sqrt(s + epsilon) + beta
        moving_mean <- momentum moving_mean + (1 - momentum) m
        moving_variance <- momentum moving_variance + (1 - momentum) s n / (n - 1)

    Keras' own layer computes the same y from a dozen kernels, which is slower to trace
    and to run, and it keeps the biased s. Names, order and files of the weights are the
    same as Keras'.

    Images (N, H, W, C) and volumes (N, D, H, W, C) in 16 or 32 bits use the fused
    kernel. Other ranks and axes, float64, masks and `renorm` use Keras' code, with
    Keras' biased variance.

    Under `tf.distribute`, each replica normalises by its own slice of the batch, and
    the moving statistics are the mean over the replicas. (In Keras' layer the copies
    drift apart; each replica evaluates with its own copy, and the first is saved.) With
    `synchronized=True`, all replicas normalise by m and s of the whole batch, as one
    device would. This is slower, and helps when each replica has few images.

    If n = 1, y = beta, x gets no gradient, and moving_variance shrinks by `momentum`;
    PyTorch raises an error. This happens for one image per replica *and* a map of one
    pixel, so keep either above one. An empty batch makes the statistics NaN.

    Args:
        axis: axis of the channels; the kernel is fused if it is the last axis.
        momentum: weight of the old moving statistics, in [0, 1]. PyTorch's
            `momentum=0.1` is 0.9 here.
        epsilon: positive; added to the variance.
        **kwargs: as for `keras.layers.BatchNormalization`.
    Source: Ioffe and Szegedy 2015; defaults and unbiased moving variance of
        `torch.nn.BatchNorm2d`.

    Example:
        >>> x = keras.ops.convert_to_tensor([[[[0.0]], [[2.0]]]])  # (1, 2, 1, 1)
        >>> layer = BatchNormalization()
        >>> layer(x, training=True).numpy().ravel().round(3).tolist()
        [-1.0, 1.0]
        >>> round(float(layer.moving_variance[0]), 3)  # 0.9 * 1 + 0.1 * 2
        1.1
    """

    def __init__(self, axis=-1, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(axis=axis, momentum=momentum, epsilon=epsilon, **kwargs)

    def add_weight(self, *args, **kwargs):
        # Keras declares the moving statistics without aggregation: under
        # MirroredStrategy every replica would keep its own.
        if kwargs.get("trainable") is False:
            kwargs.setdefault("aggregation", "mean")
        return super().add_weight(*args, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self._can_fuse(inputs):
            return super().call(inputs, training=training, mask=mask)
        # A frozen layer is always in evaluation mode, as in Keras.
        update = bool(training) and self.trainable
        if update and self.synchronized and number_of_replicas() > 1:
            outputs, mean, variance = self._normalize_over_replicas(inputs)
        else:
            outputs, mean, variance = self._normalize_fused(inputs, update)
        if update:
            self.moving_mean.assign(mean)
            self.moving_variance.assign(variance)
        return tf.cast(outputs, self.compute_dtype)

    def _normalize_fused(self, x, update):
        """Return y and the moving statistics after this batch."""
        channels, shape = x.shape[-1], tf.shape(x)
        if _is_slow_in_16_bits(channels):
            x = tf.cast(x, tf.float32)
        # A volume becomes one high image, because the CPU kernel for volumes takes
        # twice as long.
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            tf.reshape(x, (shape[0], -1, shape[-2], channels)),
            _as_float32(self.gamma) if self.scale else tf.ones([channels]),
            _as_float32(self.beta) if self.center else tf.zeros([channels]),
            mean=_as_float32(self.moving_mean),
            variance=_as_float32(self.moving_variance),
            epsilon=self.epsilon,
            is_training=update,
            exponential_avg_factor=1.0 - self.momentum,
        )
        return tf.reshape(outputs, shape), mean, variance

    def _normalize_over_replicas(self, x):
        """Like `_normalize_fused`, by mean and variance over all replicas."""
        x = tf.cast(x, tf.float32)
        axes = list(range(len(x.shape) - 1))
        # The count is sent with the sums, because each exchange makes replicas wait.
        count = tf.cast(tf.size(x) / x.shape[-1], tf.float32)
        sums = tf.concat([tf.reduce_sum(x, axes), count[tf.newaxis]], axis=0)
        sums = sum_over_replicas(sums)
        total, count = sums[:-1], sums[-1]
        mean = total / count
        # The mean of squares would lose a small variance in float32.
        squares = tf.reduce_sum(tf.math.squared_difference(x, mean), axes)
        squares = sum_over_replicas(squares)
        outputs = tf.nn.batch_normalization(
            x,
            mean,
            squares / count,
            offset=_as_float32(self.beta) if self.center else None,
            scale=_as_float32(self.gamma) if self.scale else None,
            variance_epsilon=self.epsilon,
        )
        unbiased = squares / tf.maximum(count - 1.0, 1.0)
        return (
            outputs,
            self._moved(self.moving_mean, mean),
            self._moved(self.moving_variance, unbiased),
        )

    def _moved(self, variable, value):
        return self.momentum * _as_float32(variable) + (1.0 - self.momentum) * value

    def _can_fuse(self, inputs):
        rank = len(inputs.shape)
        return (
            rank in _FUSED_RANKS
            and self.axis in (-1, rank - 1)
            and keras.backend.standardize_dtype(inputs.dtype) in _FUSED_DTYPES
            and self.compute_dtype in _FUSED_DTYPES
            # `renorm` exists since Keras 3.13.
            and not getattr(self, "renorm", False)
        )


def number_of_replicas():
    """The number of devices that train copies of the model together.

    Example:
        >>> number_of_replicas()
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(values):
    """Sum over all replicas, on each replica; gradients flow back to all of them.

    Args:
        values: a tensor, or a nested structure of tensors.

    Example:
        >>> float(sum_over_replicas(tf.constant(2.0)))  # a single replica
        2.0
    """
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def _as_float32(variable):
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def _is_slow_in_16_bits(channels):
    """Whether float32 is faster than 16 bits for this number of channels.

    On CPU, oneDNN's kernel for bfloat16 works in blocks of 16 channels. For other
    numbers of channels it takes three times as long as the kernel for float32.
    """
    return channels % 16 != 0 and not tf.config.list_physical_devices("GPU")


@keras.saving.register_keras_serializable(package="mdmt_tf")
class Dropout(keras.layers.Dropout):
    """Dropout whose random state is saved with the weights, to resume training.

    Keras' own layer restarts its random numbers in a loaded model.

    Example:
        >>> layer = Dropout(0.5, seed=0)
        >>> float(keras.ops.sum(layer(keras.ops.ones((1, 4)), training=False)))
        4.0
    """

    def save_own_variables(self, store):
        if self.rate > 0:
            store["0"] = keras.ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        if self.rate > 0:
            self.seed_generator.state.assign(store["0"])


@keras.saving.register_keras_serializable(package="mdmt_tf")
class SpatialDropout(Dropout):
    """Dropout of whole channels of (N, ..., C), for images and volumes.

    Like `torch.nn.Dropout2d` and `Dropout3d`. Neighbouring values of a map are so
    similar that dropping single values removes little information. The random state is
    saved as in `Dropout`.
    Source: Tompson et al. 2015.

    Example:
        >>> ones = keras.ops.ones((1, 3, 3, 8))
        >>> maps = SpatialDropout(0.5, seed=0)(ones, training=True)
        >>> sorted(set(keras.ops.sum(maps, (0, 1, 2)).numpy().tolist()))  # 0 or 9 / 0.5
        [0.0, 18.0]
    """

    def build(self, input_shape):
        self.noise_shape = (None, *(1 for _ in input_shape[1:-1]), input_shape[-1])
        super().build(input_shape)


@keras.saving.register_keras_serializable(package="mdmt_tf")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' grouped convolution, channels last, by TensorFlow's own kernel.

    On CPU, Keras compiles a grouped convolution with XLA, which takes tens of times as
    long as TensorFlow's oneDNN kernel. Without oneDNN, TensorFlow has no kernel for the
    gradient, and Keras' code is used. Arguments, weights and files are Keras'.

    Example:
        >>> layer = GroupedConv2D(4, 1, groups=2)
        >>> layer(keras.ops.ones((1, 5, 5, 6))).shape
        TensorShape([1, 5, 5, 4])
    """

    def convolution_op(self, inputs, kernel):
        if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
            return super().convolution_op(inputs, kernel)
        return tf.nn.conv2d(
            inputs,
            kernel,
            self.strides,
            self.padding.upper(),
            dilations=self.dilation_rate,
        )


@keras.saving.register_keras_serializable(package="mdmt_tf")
class ZeroPadding3D(keras.layers.ZeroPadding3D):
    """Keras' padding of volumes, channels last, by TensorFlow's `PadV2`.

    TensorFlow's graph optimizer tries to fuse `Pad` with a convolution of volumes. If
    the gradient needs the padded volume, that fails: it prints an error and drops its
    other optimizations. It does not fuse `PadV2`.

    Example:
        >>> ZeroPadding3D(1)(keras.ops.ones((1, 2, 2, 2, 1))).shape
        TensorShape([1, 4, 4, 4, 1])
    """

    def call(self, inputs):
        paddings = tf.constant([(0, 0), *self.padding, (0, 0)])
        return tf.raw_ops.PadV2(
            input=inputs, paddings=paddings, constant_values=tf.zeros([], inputs.dtype)
        )


@keras.saving.register_keras_serializable(package="mdmt_tf")
class ChannelSplit(keras.layers.Layer):
    """Split (..., C), with even C, into the first and second half of the channels.

    Example:
        >>> first, second = ChannelSplit()(keras.ops.convert_to_tensor([[1, 2, 3, 4]]))
        >>> first.numpy().tolist(), second.numpy().tolist()
        ([[1, 2]], [[3, 4]])
    """

    def call(self, inputs):
        return tuple(tf.split(inputs, 2, axis=-1))

    def compute_output_shape(self, input_shape):
        half = (*input_shape[:-1], input_shape[-1] // 2)
        return half, half


@keras.saving.register_keras_serializable(package="mdmt_tf")
class ChannelInterleave(keras.layers.Layer):
    """Join a, b of (N, H, W, C) to (N, H, W, 2C) with channels a0 b0 a1 b1 ...

    Source: concatenation and channel shuffle in two groups, Zhang et al. 2018
        (ShuffleNet).

    Example:
        >>> a = keras.ops.reshape([1, 2], (1, 1, 1, 2))
        >>> b = keras.ops.reshape([10, 20], (1, 1, 1, 2))
        >>> ChannelInterleave()((a, b)).numpy().ravel().tolist()
        [1, 10, 2, 20]
    """

    def call(self, inputs):
        _, height, width, channels = inputs[0].shape
        # On CPU this is a little faster than stacking along a new last axis.
        joined = tf.reshape(
            tf.concat(inputs, axis=-1), (-1, height, width, 2, channels)
        )
        mixed = tf.transpose(joined, (0, 1, 2, 4, 3))
        return tf.reshape(mixed, (-1, height, width, 2 * channels))

    def compute_output_shape(self, input_shape):
        first, _ = input_shape
        return (*first[:-1], 2 * first[-1])


@keras.saving.register_keras_serializable(package="mdmt_tf")
class Renormalize(keras.layers.Layer):
    """Compute y = scale x + offset by channel; one channel is repeated if needed.

    This converts images from one normalisation to another. `scale` and `offset` are
    saved with the network's weights, but not trainable. A new layer returns its input
    in `channels` channels.

    Args:
        channels: number of channels of the result.

    Example:
        >>> layer = Renormalize(channels=3)
        >>> layer(keras.ops.ones((1, 2, 2, 1))).shape
        TensorShape([1, 2, 2, 3])
    """

    def __init__(self, channels=3, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, input_shape):
        shape = (self.channels,)
        self.scale = self.add_weight(
            name="scale", shape=shape, initializer="ones", trainable=False
        )
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros", trainable=False
        )

    def call(self, inputs):
        scale = tf.cast(tf.convert_to_tensor(self.scale), inputs.dtype)
        offset = tf.cast(tf.convert_to_tensor(self.offset), inputs.dtype)
        return inputs * scale + offset

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
