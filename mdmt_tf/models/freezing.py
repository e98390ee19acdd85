"""Parts of a backbone that training leaves as they are."""

import keras

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones.table import BACKBONES


def freeze(backbone: keras.Model, part: str | float) -> list[str]:
    """Freeze layers of a backbone, from its input on.

    A frozen layer keeps its weights, and a frozen normalisation its running statistics,
    by which it also normalises in training. Call it before the model is compiled.

    Args:
        backbone: of `build_backbone`, before or after it became part of a model.
        part: "none"; "stem", what comes before the first block; "all"; or a share
            between 0 and 1 of the layers that have weights, rounded to whole ones.
    Returns: names of the frozen layers that have weights.
    Raises: ConfigError for another `part`.

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
            "share between 0 and 1."
        )
    for layer in frozen:
        layer.trainable = False
    return [layer.name for layer in frozen]
