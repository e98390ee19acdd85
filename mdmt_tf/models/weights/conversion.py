"""Convert weights between reference (PyTorch) networks and Keras backbones.

The layers of a backbone have the names of the reference's modules, so the name of a
parameter follows from the layer and the variable, without a table of names.
"""

import keras
import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.models.layers import Renormalize
from mdmt_tf.models.weights.finite import check_finite

# The reference's name of each Keras variable of convolution, dense and normalisation.
_REFERENCE_WORDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def reference_state(model):
    """The weights of a backbone with the reference's names and axes.

    Args:
        model: `keras.Model` whose layers have the names of the reference's modules.
    Returns: dict from parameter name ("layer1.0.conv1.weight") to numpy array. Kernels
        are (out, in, height, width), or (out, in) for dense layers.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> state = reference_state(build_backbone("resnet18", (32, 32, 3)))
        >>> state["conv1.weight"].shape
        (64, 3, 7, 7)
    """
    return {
        name: np.transpose(keras.ops.convert_to_numpy(variable), axes)
        for name, (variable, axes) in _reference_entries(model).items()
    }


def load_reference_state(model, name, state):
    """Fill a backbone with the parameters and statistics of a reference network.

    Args:
        model: `keras.Model` whose layers have the names of the reference's modules.
        name: name of the source of `state`, for messages.
        state: dict from parameter name to array, with the axes of `reference_state`,
            without classification head and without `num_batches_tracked`.
    Raises:
        DataError: names are missing or unknown, shapes differ, or numbers are not
            finite. The message lists the names, and the model remains unchanged.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> one = build_backbone("resnet18", (32, 32, 3), seed=1)
        >>> other = build_backbone("resnet18", (32, 32, 3), seed=2)
        >>> load_reference_state(other, "one", reference_state(one))
        >>> bool(np.all(one.get_weights()[0] == other.get_weights()[0]))
        True
    """
    entries = _reference_entries(model)
    arrays = {key: np.asarray(value) for key, value in state.items()}
    problems = [f"missing: {key}" for key in entries if key not in arrays]
    problems += [f"not in the model: {key}" for key in arrays if key not in entries]
    for key in entries.keys() & arrays.keys():
        variable, axes = entries[key]
        expected = tuple(variable.shape[axis] for axis in axes)
        if arrays[key].shape != expected:
            problems.append(
                f"shape of {key}: expected {expected}, received {arrays[key].shape}"
            )
    if problems:
        raise DataError(
            f"{name}: {len(problems)} of its entries do not fit {model.name}. "
            f"Expected the reference network's parameters and running statistics "
            f"without its head.\n  " + "\n  ".join(sorted(problems))
        )
    check_finite(name, arrays)
    for key, (variable, axes) in entries.items():
        variable.assign(np.transpose(arrays[key], np.argsort(axes)))


def _reference_entries(model):
    """Reference name -> (Keras variable, the variable's axes in reference order)."""
    return {
        f"{layer.name}.{_REFERENCE_WORDS[variable.name]}": (
            variable,
            _reference_axes(layer, variable),
        )
        for layer in model.layers
        # The reference has no layer for the normalisation of its images.
        if not isinstance(layer, Renormalize)
        for variable in layer.weights
    }


def _reference_axes(layer, variable):
    rank = len(variable.shape)
    if rank == 1:
        return (0,)
    *spatial, inputs, outputs = range(rank)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        # Keras: (height, width, channels, 1); PyTorch: (channels, 1, height, width).
        inputs, outputs = outputs, inputs
    return (outputs, inputs, *spatial)
