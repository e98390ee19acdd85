"""Train the lung network, and convert it to the shipped weights."""

import logging

import keras
import numpy as np
import tensorflow as tf
from lung_data import Pictures

from mdmt_tf.imaging.lungs import network
from mdmt_tf.models.layers import BatchNormalization

logger = logging.getLogger(__name__)

POLICY = "mixed_bfloat16"  # three times as fast as float32 on CPUs with bfloat16

_BATCH_SIZE = 8
_WARM_UP = 0.1  # fraction of all steps
_WEIGHT_DECAY = 1e-2


def build() -> keras.Model:
    """Build the network with normalisation."""
    return network.build_network(
        lambda name: BatchNormalization(name=name, dtype=POLICY), POLICY
    )


def loss(targets, logits):
    """Cross-entropy plus 1 - Dice of each lung, averaged over the images.

        Dice = 2 sum(p t) / (sum(p^2) + sum(t^2))

    Args:
        targets: (n, h, w, 3), fractions of background, right and left lung.
        logits: the same shape.
    Source: Milletari et al. 2016 (the Dice term).
    """
    entropy = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    p, t = tf.nn.softmax(logits)[..., 1:], targets[..., 1:]
    common = tf.reduce_sum(p * t, axis=(1, 2))
    total = tf.reduce_sum(p * p + t * t, axis=(1, 2))
    dice = (2 * common + 1) / (total + 1)  # 1 if a lung is correctly absent
    return tf.reduce_mean(entropy) + tf.reduce_mean(1 - dice)


def fit(
    model: keras.Model,
    changed: list[Pictures],
    chosen: np.ndarray,
    *,
    epochs: int,
    learning_rate: float,
) -> None:
    """Train `model` in place, with AdamW and one cycle of the learning rate.

    Args:
        model: the network.
        changed: the pictures of each epoch, repeated if there are more epochs.
        chosen: numbers of the pictures to train with.
        epochs: number of epochs.
        learning_rate: highest learning rate of the cycle.
    """
    steps = epochs * (len(chosen) // _BATCH_SIZE)
    warm_up = int(_WARM_UP * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 25,
        steps - warm_up,
        warmup_target=learning_rate,
        warmup_steps=warm_up,
        alpha=1e-3,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images, masks):
        images = tf.cast(images, tf.float32)[..., tf.newaxis] / 255
        lungs = tf.cast(masks, tf.float32) / 255
        background = 1 - tf.reduce_sum(lungs, axis=-1, keepdims=True)
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            value = loss(tf.concat([background, lungs], -1), logits)
        variables = model.trainable_variables
        optimizer.apply_gradients(
            zip(tape.gradient(value, variables), variables, strict=True)
        )
        return value

    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        pictures = changed[epoch % len(changed)]
        order = rng.permutation(chosen)
        values = []
        for start in range(0, len(order) - _BATCH_SIZE + 1, _BATCH_SIZE):
            batch = order[start : start + _BATCH_SIZE]
            values.append(step(pictures.inputs[batch], pictures.masks[batch]))
        if (epoch + 1) % 10 == 0:
            logger.info("epoch %d: loss %.4f", epoch + 1, float(np.mean(values)))


def shipped(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights as float16 arrays, with normalisation merged into convolutions.

    With scale g, offset b, mean m and variance v of the normalisation after a
    convolution without bias of kernel k:

        kernel = k g / sqrt(v + epsilon)        bias = b - m g / sqrt(v + epsilon)
    """
    arrays = {}
    layers = {layer.name: layer for layer in model.layers}
    for name, layer in layers.items():
        if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            continue
        kernel = np.asarray(layer.kernel)
        norm = layers.get(f"{name}_norm")
        if norm is None:
            bias = np.asarray(layer.bias)
        else:
            std = np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
            scale = np.asarray(norm.gamma) / std
            kernel = kernel * scale
            bias = np.asarray(norm.beta) - np.asarray(norm.moving_mean) * scale
        arrays[f"{name}/kernel"] = kernel.astype(np.float16)
        arrays[f"{name}/bias"] = bias.astype(np.float16)
    return arrays
