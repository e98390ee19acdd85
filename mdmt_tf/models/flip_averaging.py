"""Answers for an image and its mirror image together."""

from collections.abc import Mapping

import keras


def flip_averaged(model: keras.Model, mirror: Mapping[str, str]) -> keras.Model:
    """A model whose outputs are the means of those for an image and its mirror image.

    It has the weights of `model`, and takes twice its time. Test-time augmentation by
    flipping: the error of one position of the image is averaged out.

    Args:
        model: of `build_model`, from images (N, H, W, C) or (N, D, H, W, C), or a pair
            of these and the numbers of their datasets, to {task: logits}. Left and
            right are along W.
        mirror: task -> the task whose output the mirror image has in its place, see
            `Task.mirror`; other tasks have the same in both.
    Returns: a model with the same inputs and the same names and shapes of outputs.

    Example:
        >>> image = keras.Input((2, 2, 1))
        >>> left = keras.layers.Lambda(lambda x: x[:, 0, :1, 0])(image)
        >>> right = keras.layers.Lambda(lambda x: x[:, 0, 1:, 0])(image)
        >>> model = keras.Model(image, {"left": left, "right": right})
        >>> batch = keras.ops.convert_to_tensor([[[[1.0], [5.0]], [[0.0], [0.0]]]])
        >>> plain = flip_averaged(model, {})(batch)
        >>> paired = flip_averaged(model, {"left": "right", "right": "left"})(batch)
        >>> [float(answers["left"][0, 0]) for answers in (plain, paired)]
        [3.0, 1.0]
    """
    images, *others = model.inputs
    inputs = (images, *others) if others else images
    flipped = keras.ops.flip(images, axis=-2)
    one = model(inputs)
    other = model((flipped, *others) if others else flipped)
    outputs = {name: 0.5 * (one[name] + other[mirror.get(name, name)]) for name in one}
    return keras.Model(inputs, outputs, name=f"{model.name}_flip_averaged")
