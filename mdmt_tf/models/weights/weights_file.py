"""Write the weights of a network as Keras does, if there is space for them."""

import math
from pathlib import Path

import keras

from mdmt_tf.storage import check_space

# Bytes for the frame and for notes that are added later, and of the name of an array.
_MARGIN, _OF_NAME = 1 << 20, 1 << 12


def save(model: keras.Model, path: Path) -> None:
    """Write a `.weights.h5` file.

    Raises: OSError when there is no space for it; nothing is written then.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> path = Path(tempfile.mkdtemp()) / "net.weights.h5"
        >>> save(model, path)
        >>> model.load_weights(path)
    """
    size = _MARGIN
    for variable in model.variables:
        size += 4 * math.prod(variable.shape) + _OF_NAME
    check_space(path, size)
    model.save_weights(path)
