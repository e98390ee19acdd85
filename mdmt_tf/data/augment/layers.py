"""Keras preprocessing layers as further augmentation, by name and arguments.

A layer of `keras.layers` changes each image by itself, with random numbers that depend
on (seed, epoch, sample) only, like the changes of `augment.images`. A layer that mixes
the images of a batch (MixUp, CutMix) depends on the batch, whose order is a function of
(seed, epoch). A layer of keras_cv draws its own random numbers, so a resumed training
gets other ones.

A mixed sample has several labels. Row r of a mixed batch is sum_i m_ri x_i, and its
loss is the same mixture of the losses of eq. 2,

    sum_i  m_ri  w_i  L(o_r, y_i)  =  W_r  L(o_r, Y_r)  +  constant
    W_r = sum_i m_ri w_i,    Y_r = sum_i m_ri w_i y_i / W_r

with the sample weights w_i = I(x_i, t) c_t(y_i) of a task t. An unlabelled image thus
takes its part of the picture and leaves the target alone. The equation holds for losses
that are linear in the target, such as the cross-entropies, and for the squared error.
"""

import concurrent.futures
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.data.augment.images import fold_in
from mdmt_tf.data.augment.layer_names import build_layer
from mdmt_tf.data.augment.settings import LayerSettings
from mdmt_tf.errors import ConfigError
from mdmt_tf.tasks import Task

logger = logging.getLogger(__name__)

# Layers that mix the images of a batch, and their labels in the same proportions.
_MIXING = frozenset({"MixUp", "CutMix", "FourierMix"})

# The first number folded into the keys of a layer; `augment.images` uses smaller ones.
_FIRST_KEY = 100

Batch = tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]


class SampleSeeds(keras.random.SeedGenerator):
    """Random seeds of one sample: functions of its key and of how many were drawn."""

    def __init__(self, key: tf.Tensor):
        """
        Args:
            key: int64 (2,), see `augment.images.sample_keys`.
        """
        # The base class would create a variable, which a graph cannot repeat.
        self._key = key
        self._drawn = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """The next seed, int64 (2,)."""
        number = tf.constant(self._drawn, tf.int64)
        self._drawn += 1
        return tf.random.fold_in(self._key, number, alg="philox")


class AugmentationLayers:
    """The layers of a configuration, applied one after another to training batches."""

    def __init__(
        self,
        settings: Sequence[LayerSettings],
        tasks: Sequence[Task],
        shape: Sequence[int],
    ):
        """Build the layers and try each of them on a few grey images.

        Args:
            settings: name, arguments and probability of each layer.
            tasks: tasks whose targets are mixed, if a layer mixes images.
            shape: (height, width, channels) of the images.
        Raises: ConfigError for an unknown layer, wrong arguments, a layer that does not
            return finite images of the same shape, volumes, and a task whose targets
            cannot be mixed.
        """
        if settings and len(shape) != 3:
            raise ConfigError(
                "pipeline.augmentation.layers: volumes have no such layers. Expected []"
                f" for an image_size of three numbers. Received: {settings[0].layer}."
            )
        self._steps = []
        for number, one in enumerate(settings):
            where = f"pipeline.augmentation.layers[{number}]"
            layer = build_layer(one.layer, one.arguments, where)
            step = _Mixing if type(layer).__name__ in _MIXING else _OfEachImage
            if step is _Mixing:
                _check_mixing(tasks, f"{where} = {one.layer}")
            where = f"{where} = {one.layer}"
            self._steps.append(
                _tried(step(layer, one.probability, 2 * number), shape, where)
            )
        mixes = any(isinstance(step, _Mixing) for step in self._steps)
        self._mixed_tasks = tuple(tasks) if mixes else ()

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(
        self,
        images: tf.Tensor,
        targets: Mapping[str, tf.Tensor],
        weights: Mapping[str, tf.Tensor],
        keys: tf.Tensor,
    ) -> Batch:
        """Augment a batch.

        Args:
            images: float32 (b, h, w, 1) in [0, 1].
            targets, weights: {task: (b, ...)}, as the pipeline has them.
            keys: int64 (b, 2), see `augment.images.sample_keys`.
        Returns: the same three; if a layer mixes, targets are those of
            `Task.mixable_targets`.
        """
        targets, weights = dict(targets), dict(weights)
        for task in self._mixed_tasks:
            targets[task.name] = task.mixable_targets(targets[task.name], keras.ops)
        for step in self._steps:
            images, targets, weights = step(images, targets, weights, keys)
        return images, targets, weights


class _Step:
    """A layer with its probability and its random numbers."""

    def __init__(
        self,
        layer: keras.layers.Layer,
        probability: float,
        number: int,
    ):
        self._layer = layer
        # Layers of keras_cv branch on tensors, which needs AutoGraph.
        self.is_core = type(layer).__module__.startswith("keras.")
        self._call = layer if self.is_core else tf.function(layer)
        self._probability = probability
        self._number = _FIRST_KEY + number
        # How often channels are repeated, for layers of colours.
        self.repeats = 1

    def _drawn(self, key: tf.Tensor, apply: Callable, otherwise: Callable):
        """The result of `apply` with the layer's probability, or of `otherwise`."""
        if self._probability >= 1:
            return apply()
        uniform = tf.random.stateless_uniform((), key, alg="philox")
        return tf.cond(uniform < self._probability, apply, otherwise)

    def _seed(self, key: tf.Tensor) -> None:
        """Let the layer, and layers within it, draw from the key of a sample."""
        seeds = SampleSeeds(key)
        for layer in self._layer._flatten_layers(include_self=True):
            if hasattr(layer, "_get_seed_generator"):
                layer._get_seed_generator = lambda backend=None: seeds

    def _keys(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Keys for whether the layer is applied, and for the layer itself."""
        return fold_in(keys, self._number), fold_in(keys, self._number + 1)

    def _to_layer(self, images: tf.Tensor) -> tf.Tensor:
        return tf.repeat(images, self.repeats, axis=-1)

    def _from_layer(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        if self.repeats == 1:
            return images
        return tf.reduce_mean(images, axis=-1, keepdims=True)


class _OfEachImage(_Step):
    def layer_on(self, images: tf.Tensor) -> tf.Tensor:
        """The images after the layer, which keeps their shape."""
        changed = self._from_layer(self._call(self._to_layer(images), training=True))
        return tf.ensure_shape(changed, images.shape)

    def __call__(self, images, targets, weights, keys) -> Batch:
        def change(sample):
            image, whether, key = sample

            def apply():
                self._seed(key)
                return self.layer_on(image[tf.newaxis])[0]

            return self._drawn(whether, apply, lambda: image)

        signature = tf.TensorSpec(images.shape[1:], tf.float32)
        samples = (images, *self._keys(keys))
        return (
            tf.map_fn(change, samples, fn_output_signature=signature),
            targets,
            weights,
        )


class _Mixing(_Step):
    def layer_on(self, images: tf.Tensor) -> tf.Tensor:
        """The images after the layer, which keeps their shape."""
        return self._mixed(images, tf.eye(tf.shape(images)[0]))[0]

    def _mixed(self, images, rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixed images, and the rows (b, b) of a unit matrix mixed as their labels."""
        data = {"images": self._to_layer(images), "labels": rows}
        mixed = self._call(data, training=True)
        pixels = tf.ensure_shape(self._from_layer(mixed["images"]), images.shape)
        return pixels, tf.cast(mixed["labels"], tf.float32)

    def __call__(self, images, targets, weights, keys) -> Batch:
        whether, key = (each[0] for each in self._keys(keys[:1]))
        rows = tf.eye(tf.shape(images)[0])

        def apply():
            self._seed(key)
            return self._mixed(images, rows)

        images, parts = self._drawn(whether, apply, lambda: (images, rows))
        mixed = {name: mix(targets[name], weights[name], parts) for name in targets}
        return (
            images,
            {name: target for name, (target, _) in mixed.items()},
            {name: weight for name, (_, weight) in mixed.items()},
        )


def mix(
    targets: tf.Tensor, weights: tf.Tensor, parts: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Targets Y_r and weights W_r of mixed rows, see the module.

    Args:
        targets: float32 (b, k).
        weights: float32 (b,), or (b, k) with one weight for each element of a target.
        parts: float32 (b, b), m_ri: the part of row i in the mixed row r.
    Returns: targets (b, k), 0 where no labelled image is part of the row; weights of
        the shape given.
    """
    one_each = len(weights.shape) == 1
    each = weights[:, tf.newaxis] if one_each else weights
    total = parts @ each
    mixed = tf.math.divide_no_nan(parts @ (each * targets), total)
    return mixed, total[:, 0] if one_each else total


def _tried(step: _Step, shape: Sequence[int], where: str) -> _Step:
    """The step, after it has changed a few images as the pipeline does.

    A layer that fails on grey images gets three equal channels.

    Raises: ConfigError when it fails on both, changes the shape of images, or returns
        pixels that are not finite.
    """
    problem = None
    for step.repeats in (1, 3) if shape[-1] == 1 else (1,):
        try:
            # Batches of two sizes, as arguments may fit one of them by chance.
            results = [_try(step.layer_on, (count, *shape)) for count in (2, 3)]
            break
        # Layers pass on any exception of the operations within them.
        except Exception as error:
            problem = error
    else:
        # Keras colours its messages.
        text = re.sub(r"\x1b\[[0-9;]*m|\s+", " ", str(problem))[:300]
        raise ConfigError(
            f"{where}: expected a layer that keeps the shape of images. Received, for "
            f"images of {list(shape)}: {text}."
        ) from problem
    if not all(np.isfinite(images).all() for images in results):
        raise ConfigError(
            f"{where}: expected a layer that returns finite pixels. Received: NaN or "
            "infinity. Correct its arguments."
        )
    keys = tf.constant([[1, 2], [3, 4]], tf.int64)
    results = [
        _try(lambda images: step(images, {}, {}, keys)[0], (2, *shape)) for _ in "ab"
    ]
    # Two draws may agree by chance; those of keras_cv cannot be seeded in any case.
    if not step.is_core or not np.array_equal(*results):
        logger.warning(
            "%s: this layer draws random numbers of its own, so a resumed training "
            "differs from one without interruption.",
            where,
        )
    return step


def _try(change: Callable, shape: Sequence[int]) -> np.ndarray:
    """Images of a shape (b, h, w, channels) after a change in tf.data."""
    values = np.linspace(0, 1, math.prod(shape), dtype=np.float32)
    images = tf.data.Dataset.from_tensors(values.reshape(shape))
    change = tf.autograph.experimental.do_not_convert(change)
    # When the body of tf.map_fn fails, it leaves a caching device in the scope of
    # variables of its thread, with which a strategy fails later.
    with concurrent.futures.ThreadPoolExecutor(1, "layer") as thread:
        attempt = thread.submit(lambda: next(images.map(change).as_numpy_iterator()))
        return attempt.result()


def _check_mixing(tasks: Sequence[Task], where: str) -> None:
    for task in tasks:
        if not task.targets_can_be_mixed:
            raise ConfigError(
                f"{where}: mixes the targets of images, which the loss of the task "
                f"{task.name!r} cannot have. Choose another loss for it, or leave the "
                "layer out."
            )
