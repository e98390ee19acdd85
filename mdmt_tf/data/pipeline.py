"""Batches for training and evaluation as `tf.data`.

Each batch is (image, {task: target}, {task: weight}), of one specification whatever
the datasets: image float32 (b, h, w, c) or (b, d, h, w, c), normalised; targets see
`Task.targets`; weights float32 (b, *label_shape), I(x, task) times the weight of the
class, 0 where the batch was filled up. All batches are full.
"""

import functools

import tensorflow as tf

from mdmt_tf.config.schema import AugmentationSection
from mdmt_tf.data.augment.images import augment
from mdmt_tf.data.images import Images, threads
from mdmt_tf.data.normalize import normalize, to_unit
from mdmt_tf.data.samples import Samples
from mdmt_tf.data.sampling import Draws, epoch_batches, steps_per_epoch
from mdmt_tf.models.backbones.table import IMAGENET


def training_dataset(
    samples: Samples,
    images: Images,
    draws: Draws,
    *,
    batch_size: int,
    seed: int,
    epochs: int,
    first_epoch: int = 0,
    augmentation: AugmentationSection | None = None,
    normalization: tuple = IMAGENET,
) -> tf.data.Dataset:
    """The batches of the epochs `first_epoch` to `epochs` - 1, one after another.

    For `fit(steps_per_epoch=steps_per_epoch(draws.total, batch_size))`. Epoch e is the
    same whether or not it is the first one asked for, whatever the number of threads
    and wherever the pixels come from.

    Args:
        samples: training rows.
        images: of the same datasets.
        draws: of these rows, what an epoch takes.
        batch_size: rows a step, over all devices.
        seed: of the run, not negative.
        epochs: number of epochs of the whole training.
        augmentation: None for none.
        normalization: mean and standard deviation by channel.
    """

    def order(epoch):
        batches = epoch_batches(
            draws, batch_size=batch_size, seed=seed, epoch=int(epoch)
        )
        return batches.index, batches.repeat, batches.counted

    steps = steps_per_epoch(draws.total, batch_size)
    shape = (steps, batch_size)

    def batches_of(epoch):
        parts = tf.numpy_function(
            order, [epoch], (tf.int64, tf.int64, tf.float32), stateful=False
        )
        parts = [tf.ensure_shape(part, shape) for part in parts]
        return tf.data.Dataset.from_tensor_slices((tf.repeat(epoch, steps), *parts))

    rows = functools.partial(_rows, samples, images)

    # No Python control flow depends on a tensor: AutoGraph would only cost seconds.
    @tf.autograph.experimental.do_not_convert
    def load(epoch, index, repeat, counted):
        pixels, targets, weights = rows(index, counted)
        if augmentation is not None:
            pixels = augment(pixels, seed, epoch, index, repeat, augmentation)
        return normalize(pixels, *normalization), targets, weights

    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(batches_of)
    batches = batches.apply(
        tf.data.experimental.assert_cardinality(steps * (epochs - first_epoch))
    )
    return _finish(batches.map(load, num_parallel_calls=threads()))


def evaluation_dataset(
    samples: Samples,
    images: Images,
    *,
    batch_size: int,
    normalization: tuple = IMAGENET,
) -> tf.data.Dataset:
    """All rows once, in order, unchanged.

    The last batch is filled up with the first rows, weight 0, so that devices share it
    evenly: of the predictions, the first len(samples) are those of the samples.

    Args: as for `training_dataset`.
    """
    steps = steps_per_epoch(len(samples), batch_size)

    @tf.autograph.experimental.do_not_convert
    def load(step):
        position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        counted = tf.cast(position < len(samples), tf.float32)
        pixels, targets, weights = _rows(
            samples, images, position % len(samples), counted
        )
        return normalize(pixels, *normalization), targets, weights

    return _finish(tf.data.Dataset.range(steps).map(load, num_parallel_calls=threads()))


def _rows(samples: Samples, images: Images, index, counted):
    """Pixels in [0, 1], targets and weights of some rows."""
    pixels = to_unit(images.gather(tf.gather(samples.image, index)))
    targets = {
        name: tf.gather(values, index) for name, values in samples.targets.items()
    }
    weights = {
        name: tf.gather(values, index)
        * tf.reshape(counted, (-1, *(1,) * (values.ndim - 1)))
        for name, values in samples.weights.items()
    }
    return pixels, targets, weights


def _finish(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads()
    # One process feeds all devices of its machine: each gets a share of every batch.
    # Sharding by file or by element would look for files that this pipeline hides.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return batches.prefetch(2).with_options(options)
