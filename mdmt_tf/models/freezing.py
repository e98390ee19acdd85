"""Freezing of backbone layers."""

import keras

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones.table import BACKBONES


def freeze(backbone: keras.Model, part: str | float) -> list[str]:
    """Freeze the first layers of a backbone.

    A frozen layer keeps its weights. A frozen normalisation keeps its running
    statistics and uses them in training too. Call this function before the model is
    compiled.

    Args:
        backbone: from `build_backbone`, before or after it became a layer of a model.
        part: "none"; "stem", all layers before the first block; "all"; or a fraction
            between 0 and 1 of the layers with weights, rounded to whole layers.
    Returns: names of the frozen layers with weights.
    Raises: ConfigError: any other `part`.

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> freeze(build_backbone("resnet18", (32, 32, 1)), "stem")
        ['conv1', 'bn1']
    """
    layers = [layer for layer in backbone.layers if layer.trainable_weights]
    if part == "none":
        frozen = []
    elif part == "all":
        frozen = layers
    elif part == "stem":
        stem = BACKBONES[backbone.name].stem
        frozen = [layer for layer in layers if layer.name in stem]
    elif isinstance(part, float) and 0 < part < 1:
        frozen = layers[: round(part * len(layers))]
    else:
        raise ConfigError(
            f"freeze={part!r} for {backbone.name}: expected 'none', 'stem', 'all' or a "
            "fraction between 0 and 1."
        )
    for layer in frozen:
        layer.trainable = False
    return [layer.name for layer in frozen]
