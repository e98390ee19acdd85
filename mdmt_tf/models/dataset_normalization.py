"""Batch normalisation with the statistics of each dataset.

Datasets differ in their acquisition, so one mean and one variance fit none of them. A
network with `DatasetBatchNormalization` has two inputs, the images and the number of
the dataset of each image. Everything else is shared, also gamma and beta: the layers
after a normalisation see the same distribution whatever the dataset is.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.models.layers import (
    BatchNormalization,
    number_of_replicas,
    sum_over_replicas,
)

# The number of the dataset of an image that is of none of them.
UNSEEN = -1
# Rows of a dataset that a batch must have for its statistics to be used.
_LEAST_ROWS = 2


@keras.saving.register_keras_serializable(package="mdmt_tf")
class DatasetBatchNormalization(BatchNormalization):
    """Normalise each row with the statistics of its dataset.

    The inputs are x, (N, ..., C), and the number of the dataset of each row, int (N,).
    For each channel, with the mean m_d and variance s_d of the values of dataset d:

        y_i = gamma (x_i - m_d(i)) / sqrt(s_d(i) + epsilon) + beta
        moving_mean_d <- momentum moving_mean_d + (1 - momentum) m_d,  variance likewise

    In training, m_d and s_d are those of the rows of d in the batch, of all replicas
    together. If there are fewer than two, their spread says little: such a row is
    normalised by the running statistics of its dataset, which do not change. In
    evaluation, m_d and s_d are the running statistics.

    A row of no dataset, number -1, is normalised by the mixture with the fractions p_d

        m = sum_d p_d m_d,   s = sum_d p_d (s_d + (m_d - m)^2)

    in evaluation and in training.

    Weights: gamma and beta (C,), moving_mean and moving_variance (D, C), and
    dataset_fractions (D,), the p_d, which are equal until they are set.

    Args:
        datasets: D, the number of datasets.
        **kwargs: as for `BatchNormalization`.
    Source: statistics per domain, Karani et al. 2018 (A Lifelong Learning Approach to
        Brain MR Segmentation) and Liu et al. 2020 (MS-Net), which have gamma and beta
        per domain, too.

    Example:
        >>> layer = DatasetBatchNormalization(datasets=2)
        >>> x = keras.ops.reshape([0.0, 2.0, 50.0, 90.0], (4, 1, 1, 1))
        >>> dataset = keras.ops.convert_to_tensor([0, 0, 1, 1])
        >>> layer((x, dataset), training=True).numpy().ravel().round(3).tolist()
        [-1.0, 1.0, -1.0, 1.0]
        >>> layer.moving_mean.numpy().ravel().tolist()  # 0.1 * 1, 0.1 * 70
        [0.10000000149011612, 7.0]
    """

    def __init__(self, datasets, **kwargs):
        super().__init__(**kwargs)
        self.datasets = datasets

    def build(self, input_shape):
        of_images, _ = input_shape
        super().build(of_images)
        # It describes a single input.
        self.input_spec = None
        self.dataset_fractions = super().add_weight(
            name="dataset_fractions",
            shape=(self.datasets,),
            initializer=keras.initializers.Constant(1 / self.datasets),
            trainable=False,
            autocast=False,
        )

    def add_weight(self, *args, **kwargs):
        if kwargs.get("trainable") is False:
            kwargs["shape"] = (self.datasets, *kwargs["shape"])
        return super().add_weight(*args, **kwargs)

    def call(self, inputs, training=None, mask=None):
        x, dataset = inputs
        values = tf.cast(x, tf.float32)
        mean = tf.convert_to_tensor(self.moving_mean)
        variance = tf.convert_to_tensor(self.moving_variance)
        unseen = _mixture(tf.convert_to_tensor(self.dataset_fractions), mean, variance)
        # A frozen layer is always in evaluation mode, as in Keras.
        if training and self.trainable:
            mean, variance = self._of_batch(values, dataset, mean, variance)
        number = tf.where(dataset < 0, self.datasets, dataset)
        outputs = tf.nn.batch_normalization(
            values,
            _of_rows(tf.concat([mean, unseen[0]], axis=0), number, values),
            _of_rows(tf.concat([variance, unseen[1]], axis=0), number, values),
            offset=tf.convert_to_tensor(self.beta) if self.center else None,
            scale=tf.convert_to_tensor(self.gamma) if self.scale else None,
            variance_epsilon=self.epsilon,
        )
        return tf.cast(outputs, self.compute_dtype)

    def _of_batch(self, values, dataset, moving_mean, moving_variance):
        """Mean and variance of each dataset in this step, (D, C); updates the moving.

        Args:
            moving_mean, moving_variance: before the step.
        """
        axes = list(range(1, len(values.shape) - 1))
        positions = tf.reduce_prod(tf.shape(values)[1:-1])
        rows = self._sums(tf.ones_like(dataset, tf.float32), dataset)[:, tf.newaxis]
        # The numbers of rows are sent with the sums: each exchange makes replicas wait.
        sums = self._sums(tf.reduce_sum(values, axes), dataset)
        sums = _exchanged(tf.concat([sums, rows], axis=1))
        rows, count = sums[:, -1:], sums[:, -1:] * tf.cast(positions, tf.float32)
        mean = tf.math.divide_no_nan(sums[:, :-1], count)
        # The mean of squares would lose a small variance in float32.
        centred = values - _of_rows(mean, tf.maximum(dataset, 0), values)
        squares = self._sums(tf.reduce_sum(tf.square(centred), axes), dataset)
        squares = _exchanged(squares)
        unbiased = squares / tf.maximum(count - 1.0, 1.0)
        enough = rows >= _LEAST_ROWS
        for variable, before, value in (
            (self.moving_mean, moving_mean, mean),
            (self.moving_variance, moving_variance, unbiased),
        ):
            moved = self.momentum * before + (1.0 - self.momentum) * value
            variable.assign(tf.where(enough, moved, before))
        variance = tf.math.divide_no_nan(squares, count)
        return (
            tf.where(enough, mean, moving_mean),
            tf.where(enough, variance, moving_variance),
        )

    def _sums(self, values, dataset):
        """Sums of (N, ...) over the rows of each dataset, (D, ...)."""
        return tf.math.unsorted_segment_sum(values, dataset, self.datasets)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "datasets": self.datasets}


def set_fractions(network: keras.Model, fractions: Sequence[float]) -> None:
    """Set what is served to images of no dataset, in every normalisation.

    Args:
        network: a backbone.
        fractions: p_d of each dataset, with the sum 1.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> options = {"batch_norm": "per_dataset", "datasets": 2}
        >>> network = build_backbone("resnet18", (32, 32, 1), **options)
        >>> set_fractions(network, [0.25, 0.75])
        >>> network.get_layer("bn1").dataset_fractions.numpy().tolist()
        [0.25, 0.75]
    """
    for layer in _normalizations(network):
        layer.dataset_fractions.assign(np.asarray(fractions, np.float32))


def fractions_of(model: keras.Model) -> list[float]:
    """The fractions p_d of a backbone or of a model with one, in single precision.

    Example:
        >>> image, dataset = keras.Input((2, 2, 1)), keras.Input((), dtype="int32")
        >>> norm = DatasetBatchNormalization(datasets=4)
        >>> fractions_of(keras.Model((image, dataset), norm((image, dataset))))
        [0.25, 0.25, 0.25, 0.25]
    """
    (first, *_) = _normalizations(model)
    return keras.ops.convert_to_numpy(first.dataset_fractions).tolist()


def fill_from_plain(network: keras.Model, plain: keras.Model) -> None:
    """Give a network the weights of the same backbone with one set of statistics.

    Each dataset gets the same statistics. The fractions do not change.

    Args:
        network: with `DatasetBatchNormalization`.
        plain: with `BatchNormalization`, otherwise the same.

    Example:
        >>> image, dataset = keras.Input((2, 2, 1)), keras.Input((), dtype="int32")
        >>> plain = keras.Model(image, BatchNormalization(name="norm")(image))
        >>> _ = plain.get_layer("norm").moving_mean.assign([5.0])
        >>> norm = DatasetBatchNormalization(datasets=2, name="norm")
        >>> network = keras.Model((image, dataset), norm((image, dataset)))
        >>> fill_from_plain(network, plain)
        >>> norm.moving_mean.numpy().tolist()
        [[5.0], [5.0]]
    """
    for layer in network.layers:
        if not layer.weights:
            continue
        weights = plain.get_layer(layer.name).get_weights()
        if isinstance(layer, DatasetBatchNormalization):
            *affine, mean, variance = weights
            each = [np.tile(values, (layer.datasets, 1)) for values in (mean, variance)]
            own = keras.ops.convert_to_numpy(layer.dataset_fractions)
            weights = [*affine, *each, own]
        layer.set_weights(weights)


def fill_plain(plain: keras.Model, network: keras.Model, dataset: int = UNSEEN) -> None:
    """Give a backbone with one set of statistics the weights of one with several.

    It then computes what `network` computes for images of that dataset.

    Args:
        plain: with `BatchNormalization`, otherwise the same as `network`.
        network: with `DatasetBatchNormalization`.
        dataset: number of the dataset whose statistics are used; -1: the mixture.

    Example:
        >>> image, dataset = keras.Input((2, 2, 1)), keras.Input((), dtype="int32")
        >>> norm = DatasetBatchNormalization(datasets=2, name="norm")
        >>> network = keras.Model((image, dataset), norm((image, dataset)))
        >>> _ = norm.moving_mean.assign([[2.0], [4.0]])
        >>> plain = keras.Model(image, BatchNormalization(name="norm")(image))
        >>> fill_plain(plain, network)
        >>> float(plain.get_layer("norm").moving_mean[0])
        3.0
    """
    for layer in network.layers:
        if not layer.weights:
            continue
        weights = layer.get_weights()
        if isinstance(layer, DatasetBatchNormalization):
            *affine, mean, variance, fractions = weights
            if dataset == UNSEEN:
                mixed = _mixture(*map(tf.constant, (fractions, mean, variance)))
                statistics = [values.numpy()[0] for values in mixed]
            else:
                statistics = [mean[dataset], variance[dataset]]
            weights = [*affine, *statistics]
        plain.get_layer(layer.name).set_weights(weights)


def _normalizations(model):
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _normalizations(layer)
        elif isinstance(layer, DatasetBatchNormalization):
            found.append(layer)
    return found


def _mixture(fractions, mean, variance):
    """Mean and variance (1, C) of a mixture of distributions, from (D,), (D, C)."""
    of_each = fractions[:, tf.newaxis]
    mixed = tf.reduce_sum(of_each * mean, axis=0, keepdims=True)
    spread = variance + tf.math.squared_difference(mean, mixed)
    return mixed, tf.reduce_sum(of_each * spread, axis=0, keepdims=True)


def _of_rows(table, number, values):
    """The row of a table (D, C) for each of N numbers, (N, 1, ..., 1, C)."""
    ones = [1] * (len(values.shape) - 2)
    return tf.reshape(tf.gather(table, number), (-1, *ones, table.shape[-1]))


def _exchanged(sums):
    return sum_over_replicas(sums) if number_of_replicas() > 1 else sums
