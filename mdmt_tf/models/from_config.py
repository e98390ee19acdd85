"""The network that a configuration describes."""

from collections.abc import Mapping

import keras

from mdmt_tf.config import Config
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.dataset_normalization import UNSEEN, fill_plain
from mdmt_tf.models.flip_averaging import flip_averaged
from mdmt_tf.models.freezing import freeze
from mdmt_tf.models.multitask import build_model
from mdmt_tf.models.weights import heads, pretrained


def build_from_config(
    config: Config, weights: str | Mapping | None = None
) -> keras.Model:
    """The model of the settings for their tasks, its backbone filled with `weights`.

    With `model.start_heads`, the heads of tasks that the weights have are filled, too.

    Random weights depend on the seed alone. Layers compute in the precision of Keras'
    global policy.

    Args:
        config: resolved settings.
        weights: see `build_backbone`; None: random values.
    Returns: see `build_model`.
    Raises: as `build_backbone` and `heads.fill`.

    Example:
        >>> from mdmt_tf import config
        >>> settings = config.load("phantom", ["model.backbone=shufflenet_v2_x0_5"])
        >>> model = build_from_config(settings)
        >>> {task: logits.shape for task, logits in model.output.items()}
        {'prognosis': (None, 2), 'severity': (None, 4)}
    """
    backbone = build_backbone_from_config(config, weights)
    freeze(backbone, config.model.freeze)
    model = _with_heads(config, backbone)
    if weights is not None and config.model.start_heads:
        if not isinstance(weights, Mapping):
            weights = pretrained.locate(backbone.name, weights)
        heads.fill(model, config.build_tasks(), weights)
    return model


def answering_model(config: Config, model: keras.Model) -> keras.Model:
    """The model that answers: the trained one, or its average over flips.

    Args:
        config: settings of the model.
        model: of `build_from_config`; the result has its weights.

    Example:
        >>> from mdmt_tf import config
        >>> change = ["model.backbone=shufflenet_v2_x0_5", "model.flip_averaging=true"]
        >>> settings = config.load("phantom", change)
        >>> model = build_from_config(settings)
        >>> answering_model(settings, model).name, model.name
        ('mdmt_flip_averaged', 'mdmt')
    """
    if not config.model.flip_averaging:
        return model
    mirror = {task.name: task.mirror for task in config.build_tasks() if task.mirror}
    return flip_averaged(model, mirror)


def _with_heads(config: Config, backbone: keras.Model) -> keras.Model:
    return build_model(
        backbone,
        config.build_tasks(),
        heads=config.model.heads,
        seed=config.seed,
        dropout=config.model.head_dropout,
    )


def build_backbone_from_config(
    config: Config, weights: str | Mapping | None = None, *, plain: bool = False
) -> keras.Model:
    """The backbone of the settings; no layer is frozen.

    Args:
        config, weights: as for `build_from_config`.
        plain: whether normalisations have one set of statistics whatever
            `model.batch_norm` is.

    Example:
        >>> from mdmt_tf import config
        >>> settings = config.load("phantom", ["model.backbone=shufflenet_v2_x0_5"])
        >>> build_backbone_from_config(settings).output_shape
        (None, 1024)
    """
    mean, _ = config.normalization
    return build_backbone(
        config.model.backbone,
        image_shape=(*config.image_shape, len(mean)),
        weights=weights,
        seed=config.seed,
        batch_norm="local" if plain else config.model.batch_norm,
        datasets=len(config.datasets),
        dropout=config.model.backbone_dropout,
    )


def plain_model(
    config: Config, model: keras.Model, dataset: int = UNSEEN
) -> keras.Model:
    """The model for images of one dataset, as a function of the images alone.

    Args:
        config: settings of the model.
        model: of `build_from_config`.
        dataset: number of the dataset in those of the settings; -1: images of none.
    Returns: the model itself, unless each dataset has its own statistics of
        normalisation.

    Example:
        >>> from mdmt_tf import config
        >>> settings = config.load("ich_phantom", ["model.batch_norm=per_dataset"])
        >>> model = build_from_config(settings)
        >>> len(model.inputs), len(plain_model(settings, model, 0).inputs)
        (2, 1)
    """
    if not config.model.is_per_dataset:
        return model
    backbone = build_backbone_from_config(config, plain=True)
    plain = _with_heads(config, backbone)
    for layer in model.layers:
        if layer.name == backbone.name:
            fill_plain(backbone, layer, dataset)
        elif layer.weights:
            plain.get_layer(layer.name).set_weights(layer.get_weights())
    return plain
