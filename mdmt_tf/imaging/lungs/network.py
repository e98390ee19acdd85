"""The network that finds the lungs: a compact U-Net, and its weights.

The input is SIZE x SIZE, the output half of that: outlines drawn by hand have no more
detail, and everything at full size would cost four times as much.

Keras is imported where it is used: most of `mdmt_tf.imaging` works without.
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
    """Radiographs to logits of background, right and left lung.

    Input: float32 (n, SIZE, SIZE, 1), see `inputs.network_input`. Output: float32
    (n, OUTPUT_SIZE, OUTPUT_SIZE, CLASSES).

    Args:
        normalization: makes a layer of a name, put between convolution and ReLU in
            training. None: the convolutions have a bias instead.
        dtype: policy of the layers but the last.
    Source: Ronneberger et al. 2015; here with padded convolutions, the way up added to
        the way down instead of put beside it (Chaurasia and Culurciello 2017), and no
        layer at the full size.
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
    """Logits of radiographs, by the weights that come with the package.

    They are read at the first call. One call at a time: Keras is not made for several
    threads in one model.

    Args:
        inputs: float32 (n, SIZE, SIZE), see `inputs.network_input`.
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
    """Name of each variable, "layer/kernel" or "layer/bias", to its value."""
    return {variable.path: np.asarray(variable) for variable in network.variables}


def set_weights(network: "keras.Model", arrays: dict[str, np.ndarray]) -> None:
    """The inverse of `get_weights`; arrays of any type of float.

    Raises: ValueError when names or shapes are not those of the network.
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
