"""Statistics of normalisation, computed anew for the weights that a fit starts from.

The mean of the running statistics of two networks is not the statistics of the averaged
network. Training forgets them in a few dozen steps, but a frozen normalisation keeps
them. One pass over the training data replaces them, as `torch.optim.swa_utils.
update_bn` does after stochastic weight averaging.

The batches are those of the first epoch of training, with its sampling and its
augmentation. Running statistics that training itself collects estimate the same means.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.data import pipeline
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.models.from_config import build_backbone_from_config
from mdmt_tf.training.fit import Fit


def recalibrate(network: keras.Model, batches: Iterable) -> int:
    """Replace the running statistics with the mean of those of the batches.

        moving_mean     <- 1/K  sum_k  m_k
        moving_variance <- 1/K  sum_k  s_k n_k / (n_k - 1)

    m_k and s_k are mean and (biased) variance of the n_k values of a channel in batch
    k. The network runs in training mode, so each layer sees maps that the layers before
    it have normalised by the batch itself. Its weights do not change.

    Args:
        network: not frozen; its normalisations are `layers.BatchNormalization`.
        batches: inputs of the network, one batch or more.
    Returns: K, the number of batches.
    Source: Izmailov et al. 2018 (SWA), section 3.3.

    Example:
        >>> from mdmt_tf.models.layers import BatchNormalization
        >>> image = keras.Input((1, 2, 1))
        >>> network = keras.Model(image, BatchNormalization(name="norm")(image))
        >>> batches = [np.full((1, 1, 2, 1), value, "float32") for value in (1.0, 4.0)]
        >>> recalibrate(network, batches)
        2
        >>> float(network.get_layer("norm").moving_mean[0])
        2.5
    """
    norms = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    statistics = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # The running statistics after a step are then those of its batch.
        norm.momentum = 0.0
    step = tf.function(lambda inputs: network(inputs, training=True))
    # In double precision, the mean of equal values equals them.
    means = [np.zeros(variable.shape, np.float64) for variable in statistics]
    count = 0
    for count, inputs in enumerate(batches, start=1):
        step(inputs)
        for mean, variable in zip(means, statistics, strict=True):
            mean += (keras.ops.convert_to_numpy(variable) - mean) / count
    if count:
        for mean, variable in zip(means, statistics, strict=True):
            variable.assign(mean.astype(variable.dtype))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return count


def recalibrate_start(fit: Fit, model: keras.Model) -> None:
    """Recalibrate the backbone of a model that is not trained yet.

    The pass runs on one device in single precision, so its result does not depend on
    the devices of the fit. Layers that the settings freeze are recalibrated, too.
    """
    trained = model.get_layer(fit.config.model.backbone)
    network = build_backbone_from_config(fit.config)
    _copy(trained, network)
    for rows in _passes(fit):
        batches = pipeline.training_dataset(
            rows,
            fit.inputs.images,
            batch_size=fit.config.training.batch_size,
            seed=fit.config.seed,
            epochs=1,
            augmentation=Augmentation.of(fit.config.pipeline.augmentation),
            layers=fit.layers,
            normalization=fit.config.normalization,
            with_dataset=fit.config.model.is_per_dataset,
        )
        recalibrate(network, batches.map(lambda inputs, *_: inputs))
    _copy(network, trained)


def _passes(fit: Fit) -> Iterator[TrainingSet]:
    """The rows of all datasets together; or of each, if each has its statistics.

    A dataset that has only a few rows in a mixed batch fills those of its own.
    """
    rows = fit.training_set
    if not fit.config.model.is_per_dataset:
        yield rows
        return
    draws = rows.draws
    for dataset in np.unique(rows.samples.dataset):
        own = np.isin(
            np.arange(len(draws.counts)), draws.stream[rows.samples.dataset == dataset]
        )
        drawn = dataclasses.replace(draws, counts=np.where(own, draws.counts, 0))
        yield dataclasses.replace(rows, draws=drawn)


def _copy(source: keras.Model, target: keras.Model) -> None:
    for variable, other in zip(target.weights, source.weights, strict=True):
        variable.assign(keras.ops.convert_to_numpy(other))
