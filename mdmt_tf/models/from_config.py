"""The network that a configuration describes."""

from collections.abc import Mapping

import keras

from mdmt_tf.config import Config
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.freezing import freeze
from mdmt_tf.models.multitask import build_model


def build_from_config(
    config: Config, weights: str | Mapping | None = None
) -> keras.Model:
    """The model of the settings for their tasks, its backbone filled with `weights`.

    Random weights depend on the seed alone. Layers compute in the precision of Keras'
    global policy.

    Args:
        config: resolved settings.
        weights: see `build_backbone`; None: random values.
    Returns: see `build_model`.

    Example:
        >>> from mdmt_tf import config
        >>> settings = config.load("phantom", ["model.backbone=shufflenet_v2_x0_5"])
        >>> model = build_from_config(settings)
        >>> {task: logits.shape for task, logits in model.output.items()}
        {'prognosis': (None, 2), 'severity': (None, 4)}
    """
    mean, _ = config.normalization
    backbone = build_backbone(
        config.model.backbone,
        image_shape=(*config.image_shape, len(mean)),
        weights=weights,
        seed=config.seed,
        batch_norm=config.model.batch_norm,
        dropout=config.model.backbone_dropout,
    )
    freeze(backbone, config.model.freeze)
    return build_model(
        backbone,
        config.build_tasks(),
        heads=config.model.heads,
        seed=config.seed,
        dropout=config.model.head_dropout,
    )
