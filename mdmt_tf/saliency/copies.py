"""Copies of a model, cut at one of its feature maps.

The model itself is never changed. Calling its layers again, or replacing its
activations, would change it, so a copy has its own layers with the same names.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.errors import ConfigError, nearest

POOL = "pool"  # the layer of every backbone whose input is the last feature map
# Positions that a map must have along each axis, and along the longest, to localise.
_LEAST_POSITIONS, _LONGEST_AT_LEAST = 2, 4

Weights = Mapping[str, Sequence[np.ndarray]]  # by layer

_PADDING = (keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D)
_OTHER_ACTIVATIONS = (
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.Softmax,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Copy:
    """Three models with shared weights.

    Attributes:
        whole: (n, ..., c) to {task: logits}.
        to_map: (n, ..., c) to the feature map (n, ..., k).
        from_map: the feature map to {task: logits}.
        layer: name of the layer whose output is the feature map.
    """

    whole: keras.Model
    to_map: keras.Model
    from_map: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    layer: str

    def set_weights(self, weights: Weights) -> None:
        for layer in leaves(self.whole):
            if layer.weights:
                layer.set_weights(weights[layer.name])


def backbone_of(model: keras.Model) -> keras.Model:
    """The backbone, which is a layer of the model.

    Raises: ConfigError when there is no backbone with a layer "pool".
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model) and _has_layer(layer, POOL):
            return layer
    raise ConfigError(
        f"model {model.name!r} cannot be explained: expected a backbone as one of its "
        f"layers, with a layer {POOL!r} after its last feature map, as `build_model` "
        f"makes it. Received layers: {', '.join(layer.name for layer in model.layers)}."
    )


def leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers that are not models, from the input to the outputs."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def weights_of(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in leaves(model) if layer.weights}


def plain_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    return type(layer).from_config(layer.get_config())


def guided_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The same layer with guided ReLUs in place of its ReLUs.

    Raises: ConfigError for another activation.
    """
    reason = _not_guidable(layer)
    if reason:
        raise ConfigError(
            f"guided backpropagation is defined for networks whose activations are "
            f"ReLUs. Received: layer {layer.name!r} with {reason}. Grad-CAM (grad_cam) "
            "explains this network."
        )
    if isinstance(layer, keras.layers.ReLU):
        return keras.layers.Activation(
            guided_relu(layer.max_value), dtype=layer.dtype_policy, name=layer.name
        )
    result = plain_layer(layer)
    activation = getattr(layer, "activation", None)
    if activation is keras.activations.relu:
        result.activation = guided_relu()
    elif activation is keras.activations.relu6:
        result.activation = guided_relu(6.0)
    return result


def can_be_guided(model: keras.Model) -> bool:
    """Whether guided backpropagation is defined for the model."""
    return not any(_not_guidable(layer) for layer in leaves(model))


def guided_relu(max_value: float | None = None) -> Callable[[tf.Tensor], tf.Tensor]:
    """min(max(x, 0), max_value) that passes only positive gradients.

        dL/dx = dL/dy  where 0 < x < max_value and dL/dy > 0, else 0

    Source: Springenberg et al. 2015 (https://arxiv.org/abs/1412.6806), section 3.4.
    """

    @tf.custom_gradient
    def activation(x):
        y = tf.nn.relu(x)
        active = x > 0
        if max_value is not None:
            y = tf.minimum(y, tf.cast(max_value, x.dtype))
            active = tf.logical_and(active, x < tf.cast(max_value, x.dtype))

        def gradient(dy):
            passes = tf.logical_and(active, dy > 0)
            return tf.where(passes, dy, tf.zeros_like(dy))

        return y, gradient

    return activation


def copy_of(
    model: keras.Model,
    clone_layer: Callable[[keras.layers.Layer], keras.layers.Layer] = plain_layer,
    weights: bool = True,
    layer: str | None = None,
) -> Copy:
    """A copy made of `clone_layer(layer)` for each layer.

    Args:
        model: of `build_model`.
        clone_layer: returns a new layer of the same name and weights.
        weights: whether to copy the weights; otherwise the copy keeps initial weights.
        layer: layer of the backbone whose output is the feature map. None: the last
            layer on which all following layers depend and whose map has at least 2
            positions along each axis and 4 along the longest. (At the end, a volume of
            32 slices is one position thick, so its last map is the same for all
            slices.) If there is no such layer, the last map.
    Raises: ConfigError, see `backbone_of` and `guided_layer`; also for an unknown
        layer, or for one that other paths to the features bypass.
    """
    backbone = backbone_of(model)
    outputs = {}

    def call(layer, *arguments, **options):
        outputs[layer.name] = layer(*arguments, **options)
        return outputs[layer.name]

    # Keras would try to compile the copy of a compiled model, and fail.
    uncompiled = keras.Model(model.input, model.output, name=model.name)
    whole = keras.models.clone_model(
        uncompiled, clone_function=clone_layer, call_function=call, recursive=True
    )
    inner = whole.get_layer(backbone.name)
    source, pool = _cut(inner, layer)
    heads = keras.Model(outputs[backbone.name], whole.output)
    result = Copy(
        whole=whole,
        to_map=keras.Model(inner.input, source.output),
        from_map=lambda maps: heads(pool(maps, training=False), training=False),
        layer=source.name,
    )
    if weights:
        result.set_weights(weights_of(model))
    return result


def _cut(backbone: keras.Model, name: str | None):
    """A layer of the backbone, and the model from its output to the features."""
    if name is None:
        for layer in reversed(backbone.layers):
            if _says_where(layer) and (rest := _rest(backbone, layer)) is not None:
                return layer, rest
        (pooled,) = backbone.get_layer(POOL).input._keras_history[:1]
        return pooled, _rest(backbone, pooled)
    if not _has_layer(backbone, name):
        names = [layer.name for layer in backbone.layers]
        raise ConfigError(
            f"{name!r} is not a layer of {backbone.name}.{nearest(name, names)} They "
            f"are those of its reference network, the last {', '.join(names[-4:])}."
        )
    layer = backbone.get_layer(name)
    rest = _rest(backbone, layer) if len(layer.output.shape) > 2 else None
    if rest is None:
        raise ConfigError(
            f"layer {name!r} of {backbone.name} has no map on which all features "
            "depend: expected the end of a block, such as the layer before a pooling."
        )
    return layer, rest


def _rest(backbone: keras.Model, layer: keras.layers.Layer) -> keras.Model | None:
    """The model from the output of a layer to the features; None if they need more."""
    try:
        return keras.Model(layer.output, backbone.output)
    except ValueError:
        return None


def _says_where(layer: keras.layers.Layer) -> bool:
    """Whether the layer's output is a map of enough positions, without zero padding."""
    if isinstance(layer, (keras.layers.InputLayer, *_PADDING)):
        return False
    shape = getattr(layer.output, "shape", ())[1:-1]
    return (
        len(shape) > 1
        and min(shape) >= _LEAST_POSITIONS
        and max(shape) >= _LONGEST_AT_LEAST
    )


def _has_layer(model: keras.Model, name: str) -> bool:
    return any(layer.name == name for layer in model.layers)


def _not_guidable(layer: keras.layers.Layer) -> str:
    """Why guided backpropagation is not defined for the layer; "" if it is."""
    if isinstance(layer, keras.layers.ReLU):
        is_other = layer.negative_slope or layer.threshold
        return "a slope or a threshold" if is_other else ""
    if isinstance(layer, _OTHER_ACTIVATIONS):
        return type(layer).__name__
    activation = getattr(layer, "activation", None)
    known = (None, keras.activations.linear, keras.activations.relu)
    if activation in (*known, keras.activations.relu6):
        return ""
    return f"the activation {getattr(activation, '__name__', activation)}"
