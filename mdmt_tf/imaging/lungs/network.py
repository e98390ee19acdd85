"""The network that finds the lungs: a compact U-Net, and its weights.

The input is SIZE x SIZE, the output half that size. Manual outlines have no more
detail, and output at full size would cost four times as much.

Keras is imported inside functions: most of `mdmt_tf.imaging` works without it.
"""

import functools
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

SIZE = 256
OUTPUT_SIZE = SIZE // 2
CLASSES = 3  # background, right lung (image left), left lung

WEIGHTS_FILE = "lungs.npz"

# Channels at 1/2, 1/4 ... of SIZE; multiples of 16, in which CPUs compute bfloat16.
_CHANNELS = (32, 64, 96, 128, 160)


def build_network(
    normalization: Callable[[str], "keras.Layer"] | None = None,
    dtype: Any = "float32",
) -> "keras.Model":
    """Build the network from radiographs to logits of background, right and left lung.

    The input is float32 (n, SIZE, SIZE, 1), see `network_input`. The output is float32
    (n, OUTPUT_SIZE, OUTPUT_SIZE, CLASSES).

    Args:
        normalization: called as normalization(name), returns a layer to insert between
            convolution and ReLU, for training. None: convolutions have a bias instead.
        dtype: policy of all layers except the last.
    Source: Ronneberger et al. 2015. Here convolutions are padded, skip connections are
        added instead of concatenated (Chaurasia and Culurciello 2017), and no layer has
        the full size.
    """
    import keras

    def conv(x, channels, name, stride=1):
        x = keras.layers.Conv2D(
            channels,
            3,
            strides=stride,
            padding="same",
            use_bias=normalization is None,
            kernel_initializer="he_normal",
            name=name,
            dtype=dtype,
        )(x)
        if normalization is not None:
            x = normalization(f"{name}_norm")(x)
        return keras.layers.ReLU(name=f"{name}_relu", dtype=dtype)(x)

    inputs = x = keras.Input((SIZE, SIZE, 1), name="radiograph")
    skips = []
    for level, channels in enumerate(_CHANNELS, 1):
        if level == 1:
            x = conv(x, channels, "down1_conv1", stride=2)
        else:
            x = keras.layers.MaxPooling2D(2, name=f"down{level}_pool", dtype=dtype)(x)
            x = conv(x, channels, f"down{level}_conv1")
            x = conv(x, channels, f"down{level}_conv2")
        skips.append(x)
    skips.pop()
    while skips:
        level, channels = len(skips), _CHANNELS[len(skips) - 1]
        x = keras.layers.Conv2DTranspose(
            channels, 2, strides=2, name=f"up{level}", dtype=dtype
        )(x)
        x = keras.layers.Add(name=f"up{level}_skip", dtype=dtype)([x, skips.pop()])
        x = conv(x, channels, f"up{level}_conv1")
        if level > 1:
            x = conv(x, channels, f"up{level}_conv2")
    x = keras.layers.Conv2D(CLASSES, 1, name="logits", dtype="float32")(x)
    return keras.Model(inputs, x, name="lungs")


def predict(inputs: np.ndarray) -> np.ndarray:
    """Logits of radiographs, by the weights in the package.

    The first call reads the weights. Calls must not overlap, because Keras models do
    not support several threads.

    Args:
        inputs: float32 (n, SIZE, SIZE), see `network_input`.
    Returns: float32 (n, OUTPUT_SIZE, OUTPUT_SIZE, CLASSES). An input without contrast,
        0 everywhere, is background.
    """
    logits = _trained().predict_on_batch(inputs[..., np.newaxis])
    logits[~inputs.any(axis=(1, 2))] = [1, 0, 0]
    return logits


@functools.lru_cache(maxsize=1)
def _trained() -> "keras.Model":
    network = build_network()
    file = resources.files(__package__) / WEIGHTS_FILE
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        set_weights(network, dict(arrays))
    return network


def get_weights(network: "keras.Model") -> dict[str, np.ndarray]:
    """The weights as {name: array}; names are "layer/kernel" or "layer/bias"."""
    return {variable.path: np.asarray(variable) for variable in network.variables}


def set_weights(network: "keras.Model", arrays: dict[str, np.ndarray]) -> None:
    """The inverse of `get_weights`; arrays may have any floating type.

    Raises: ValueError if names or shapes differ from those of the network.
    """
    expected = {variable.path: tuple(variable.shape) for variable in network.variables}
    received = {name: array.shape for name, array in arrays.items()}
    if expected != received:
        wrong = sorted(set(expected.items()) ^ set(received.items()))
        raise ValueError(
            f"these are not the weights of the network for lungs; first difference: "
            f"{wrong[0][0]}, expected {expected.get(wrong[0][0])}, received "
            f"{received.get(wrong[0][0])}"
        )
    for variable in network.variables:
        variable.assign(arrays[variable.path].astype(np.float32))
