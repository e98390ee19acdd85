"""Write and read the weights of a network as Keras does, without its optimizer's."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import keras

from mdmt_tf.storage import check_space

# Bytes for the frame and for notes that are added later, and of the name of an array.
_MARGIN, _OF_NAME = 1 << 20, 1 << 12


def save(model: keras.Model, path: Path) -> None:
    """Write a `.weights.h5` file.

    The moments of an optimizer, twice the size of the weights with Adam, stay out: what
    goes on training has them from its saved state.

    Raises: OSError when there is no space for it; nothing is written then.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> path = Path(tempfile.mkdtemp()) / "net.weights.h5"
        >>> save(model, path)
        >>> load(model, path)
    """
    size = _MARGIN
    for variable in model.variables:
        size += 4 * math.prod(variable.shape) + _OF_NAME
    check_space(path, size)
    with _without_optimizer(model):
        model.save_weights(path)


def load(model: keras.Model, path: Path) -> None:
    """Read a file of `save` into a model, which may be compiled.

    Raises: ValueError of Keras for the weights of another network.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> path = Path(tempfile.mkdtemp()) / "net.weights.h5"
        >>> save(model, path)
        >>> model.compile("adam", "mse")
        >>> load(model, path)
    """
    with _without_optimizer(model):
        model.load_weights(path)


@contextlib.contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    """Hide the optimizer, which Keras would write and look for."""
    # A model that was never compiled has no such attribute in all versions.
    optimizer, model.optimizer = getattr(model, "optimizer", None), None
    try:
        yield
    finally:
        model.optimizer = optimizer
