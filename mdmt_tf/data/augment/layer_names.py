"""Find and build Keras preprocessing layers by name and arguments."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from mdmt_tf.errors import ConfigError, nearest

# Layers that keras_cv had and Keras has under another name or not at all.
SUCCESSORS = {
    "GridMask": "RandomErasing",
    "RandomCutout": "RandomErasing",
    "FourierMix": "CutMix",
    "JitteredResize": "RandomZoom",
    "RandomChannelShift": "RandomColorJitter",
    "Posterization": "RandomPosterization",
    "Grayscale": "RandomGrayscale",
}

# Parameter of the beta distribution of the parts of a mixed image. TensorFlow draws two
# gamma variables, and a part is 1/2 if both are rounded to the smallest number: of
# 10,000 parts 2 at 0.05, but 1700 at 0.01.
_SMALLEST_ALPHA = 0.05


def build_layer(
    name: str, arguments: Mapping[str, Any], where: str
) -> keras.layers.Layer:
    """The layer of a name, its pixels in [0, 1].

    Raises: ConfigError with `where`.
    """
    layer_class, is_core = _find(name, where)
    arguments = {key: _value(value, where) for key, value in arguments.items()}
    if is_core and "seed" in arguments:
        raise ConfigError(
            f"{where} = {name}: leave out `seed`; the layer draws from the seed of the "
            "run, the epoch and the image."
        )
    if "value_range" in _parameters(layer_class):
        arguments.setdefault("value_range", (0, 1))
    try:
        layer = layer_class(**arguments)
    # Besides TypeError and ValueError, Keras raises NotImplementedError, for example.
    except Exception as error:
        raise ConfigError(
            f"{where} = {name}: wrong arguments {dict(arguments)}: {error}. Its "
            f"arguments: {', '.join(_parameters(layer_class))}."
        ) from error
    if name.rpartition(".")[2] in ("MixUp", "CutMix"):
        _check_parts(layer, f"{where} = {name}")
    return layer


def _check_parts(layer: keras.layers.Layer, where: str) -> None:
    """Check the beta distribution from which the parts of mixed images are drawn.

    Its parameter is `alpha`, or uniform in the range of `factor`.
    """
    if hasattr(layer, "alpha"):
        name, wish, largest = "alpha", "be at least", layer.alpha
    else:
        name, wish, largest = "factor", "reach at least", max(layer.factor)
    if isinstance(largest, int | float) and largest < _SMALLEST_ALPHA:
        raise ConfigError(
            f"{where}: expected {name} to {wish} {_SMALLEST_ALPHA}. Received: "
            f"{largest}. Below, most images would be mixed half and half. To mix less "
            "often, lower the layer's probability, or leave it out."
        )


def _value(value: Any, where: str) -> Any:
    """An argument; a mapping with the key `layer` is a layer within the layer."""
    if isinstance(value, Mapping) and "layer" in value:
        unknown = set(value) - {"layer", "arguments"}
        if unknown:
            raise ConfigError(
                f"{where}: a layer within a layer has the keys layer and arguments. "
                f"Received: {', '.join(sorted(unknown))}."
            )
        name, arguments = value["layer"], value.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise ConfigError(
                f"{where}: a layer within a layer has a name and a mapping of "
                f"arguments. Received: {dict(value)}."
            )
        return build_layer(name, arguments, where)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(one, where) for one in value]
    return value


def _find(name: str, where: str) -> tuple[type, bool]:
    """The class of a layer, and whether Keras itself has it."""
    prefix, _, short = name.rpartition(".")
    is_core = prefix in ("", "keras.layers")
    if not is_core and prefix not in ("keras_cv", "keras_cv.layers"):
        raise ConfigError(
            f"{where} = {name}: expected the name of a layer of keras.layers, such as "
            "RandAugment, or of keras_cv.layers, such as keras_cv.GridMask."
        )
    module = keras.layers if is_core else _keras_cv(name, short, where)
    known = _image_layers(module)
    if short not in known:
        hint = nearest(short, known)
        if is_core and short in SUCCESSORS:
            hint = f" Use {SUCCESSORS[short]}, or keras_cv.{short}."
        raise ConfigError(
            f"{where} = {name}: no such layer for images.{hint} Known: "
            f"{', '.join(known)}."
        )
    return getattr(module, short), is_core


def _keras_cv(name: str, short: str, where: str):
    try:
        return importlib.import_module("keras_cv.layers")
    except ImportError as error:
        successor = SUCCESSORS.get(short, short)
        hint = (
            f" Or use {successor} of Keras." if hasattr(keras.layers, successor) else ""
        )
        raise ConfigError(
            f"{where} = {name}: keras_cv is not installed ({error}). Install it: "
            f"pip install 'mdmt_tf[keras-cv]'.{hint}"
        ) from error


def _image_layers(module) -> list[str]:
    """Names of the preprocessing layers of a module, which augment images."""
    # Those of keras_cv; Keras has no public base.
    names = ("BaseImageAugmentationLayer", "VectorizedBaseImageAugmentationLayer")
    bases = tuple(getattr(module, name) for name in names if hasattr(module, name))

    def is_one(found) -> bool:
        if not inspect.isclass(found) or found in bases:
            return False
        if bases:
            return issubclass(found, bases)
        return hasattr(found, "get_random_transformation")

    return [name for name in dir(module) if is_one(getattr(module, name))]


def _parameters(layer_class: type) -> list[str]:
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.kind in named and p.name != "self"]
