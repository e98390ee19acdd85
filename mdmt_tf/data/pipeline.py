"""Batches for training and prediction as `tf.data`.

A training batch is (image, {task: target}, {task: weight}), with the same specification
for all datasets. Images are normalised float32 (b, h, w, c) or (b, d, h, w, c). For
targets see `Task.targets`. Weights are float32 (b, *label_shape): I(x, task) times the
weight of the class, and 0 for padding samples. A batch for prediction has images only.
All batches are full. For a network that normalises each dataset by itself, the images
come in a pair with int32 (b,), the numbers of their datasets.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mdmt_tf.data.augment.images import augment, sample_keys
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.images import Images, threads
from mdmt_tf.data.normalize import normalize, to_unit
from mdmt_tf.data.sampling import Draws, epoch_batches, steps_per_epoch
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.models.backbones.table import IMAGENET


def training_dataset(
    rows: TrainingSet,
    images: Images,
    *,
    batch_size: int,
    seed: int,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
    augmentation: Augmentation | None = None,
    layers: AugmentationLayers | None = None,
    normalization: tuple = IMAGENET,
    with_dataset: bool = False,
) -> tf.data.Dataset:
    """The batches of the epochs `first_epoch` to `epochs` - 1, one after another.

    For `fit(steps_per_epoch=steps_per_epoch(rows.draws.total, batch_size))`. An epoch
    does not depend on `first_epoch`, the number of threads, or the source of the
    pixels.

    Args:
        rows: training rows, with the number of their draws.
        images: images of the same datasets.
        batch_size: rows per step, over all devices.
        seed: seed of the run, not negative.
        epochs: number of epochs of the whole training.
        first_epoch: number of the first epoch, for a resumed training.
        first_step: steps of that epoch to leave out, because they are done.
        augmentation: settings of the augmentation; None: no augmentation.
        layers: Keras layers that are applied afterwards; None: none.
        normalization: mean and std by channel.
        with_dataset: whether images come with the numbers of their datasets.
    """
    samples = rows.samples
    dataset = samples.dataset.astype(np.int32) if with_dataset else None
    steps = steps_per_epoch(rows.draws.total, batch_size)
    mirror = {task.name: task.mirror for task in samples.tasks if task.mirror}

    # No Python control flow depends on a tensor, so AutoGraph would only cost seconds.
    @tf.autograph.experimental.do_not_convert
    def load(epoch, index, repeat, counted):
        pixels = to_unit(images.gather(tf.gather(samples.image, index)))
        targets = {
            name: tf.gather(values, index) for name, values in samples.targets.items()
        }
        weights = {
            name: _times_rows(tf.gather(values, index), counted)
            for name, values in rows.weights.items()
        }
        if augmentation is not None or layers:
            keys = sample_keys(seed, epoch, index, repeat)
        if augmentation is not None:
            pixels, flipped = augment(pixels, keys, augmentation)
            targets = _exchanged(targets, mirror, flipped)
            weights = _exchanged(weights, mirror, flipped)
        if layers:
            pixels, targets, weights = layers(pixels, targets, weights, keys)
        inputs = normalize(pixels, *normalization)
        if dataset is not None:
            inputs = (inputs, tf.gather(dataset, index))
        return inputs, targets, weights

    batches = tf.data.Dataset.range(first_epoch, epochs)
    batches = batches.flat_map(_order(rows.draws, batch_size, seed))
    batches = batches.apply(
        tf.data.experimental.assert_cardinality(steps * (epochs - first_epoch))
    )
    if first_step:
        batches = batches.skip(first_step)
    return _finish(batches.map(load, num_parallel_calls=threads()))


def _order(draws: Draws, batch_size: int, seed: int) -> Callable:
    """A function from an epoch to its batches (epoch, index, repeat, counted)."""
    steps = steps_per_epoch(draws.total, batch_size)

    def order(epoch):
        batches = epoch_batches(
            draws, batch_size=batch_size, seed=seed, epoch=int(epoch)
        )
        return batches.index, batches.repeat, batches.counted

    def batches_of(epoch):
        arrays = tf.numpy_function(
            order, [epoch], (tf.int64, tf.int64, tf.float32), stateful=False
        )
        arrays = [tf.ensure_shape(array, (steps, batch_size)) for array in arrays]
        return tf.data.Dataset.from_tensor_slices((tf.repeat(epoch, steps), *arrays))

    return batches_of


def image_dataset(
    numbers: np.ndarray,
    images: Images,
    *,
    batch_size: int,
    normalization: tuple = IMAGENET,
    dataset: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Images once, in order, without augmentation.

    The last batch is padded with the first images, so that all devices get equally
    many. The first len(numbers) predictions are those of the images.

    Args:
        numbers: int64 (n,), numbers of the images.
        images: see `Images.gather`.
        batch_size, normalization: as for `training_dataset`.
        dataset: int (n,), the number of the dataset of each image, if the network needs
            them; None: images alone.
    """
    if dataset is not None:
        dataset = np.asarray(dataset, np.int32)
    steps = steps_per_epoch(len(numbers), batch_size)

    @tf.autograph.experimental.do_not_convert
    def load(step):
        position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        row = position % len(numbers)
        pixels = to_unit(images.gather(tf.gather(numbers, row)))
        inputs = normalize(pixels, *normalization)
        # A pair alone would be taken for images and targets.
        return inputs if dataset is None else ((inputs, tf.gather(dataset, row)),)

    return _finish(tf.data.Dataset.range(steps).map(load, num_parallel_calls=threads()))


def _exchanged(values: dict, mirror: dict[str, str], flipped: tf.Tensor) -> dict:
    """Values (b, ...) of tasks; flipped rows have those of the task in `mirror`."""
    exchanged = dict(values)
    for name, other in mirror.items():
        rows = tf.reshape(flipped, (-1, *[1] * (len(values[name].shape) - 1)))
        exchanged[name] = tf.where(rows, values[other], values[name])
    return exchanged


def _times_rows(values: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Multiply each row of (b, ...) by its factor, (b,)."""
    return values * tf.reshape(factors, (-1, *[1] * (len(values.shape) - 1)))


def _finish(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads()
    # One process feeds all devices of its machine; each gets a slice of every batch.
    # Sharding by file or by element would require files, which this pipeline hides.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return batches.prefetch(2).with_options(options)
