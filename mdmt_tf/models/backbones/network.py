"""The network of a backbone, with random values; `build_backbone` fills it."""

import importlib

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.models.backbones.table import BACKBONES


def build_network(
    name,
    image_shape,
    *,
    feature_maps=False,
    seed=0,
    dtype=None,
    batch_norm="local",
    datasets=1,
    dropout=0.0,
):
    """Build a backbone with random values; arguments and result as `build_backbone`.

    Raises: ConfigError for an unknown name, shape or kind of normalisation.

    Example:
        >>> build_network("resnet18", (64, 64, 1)).output_shape
        (None, 512)
    """
    _check(name, tuple(image_shape), batch_norm)
    import keras

    from mdmt_tf.models.backbones.blocks import BackboneOptions, global_average_pool
    from mdmt_tf.models.layers import Renormalize

    row = BACKBONES[name]
    module, function = row.builder.split(":")
    module = importlib.import_module(f"{__package__}.{module}")
    builder = getattr(module, function)
    x = inputs = keras.Input(tuple(image_shape), dtype="float32", name="image")
    dataset = None
    if batch_norm == "per_dataset":
        dataset = keras.Input((), dtype="int32", name="dataset")
        inputs = (x, dataset)
    if row.renormalizes:
        x = Renormalize(dtype=dtype, name="renormalize")(x)
    options = BackboneOptions(
        seed=seed,
        dtype=dtype,
        batch_norm=batch_norm,
        datasets=datasets,
        dataset=dataset,
        dropout=dropout,
    )
    x = builder(x, options)
    features = global_average_pool(x, "pool")
    outputs = {"features": features, "feature_map": x} if feature_maps else features
    return keras.Model(inputs, outputs, name=name)


def _check(name, image_shape, batch_norm):
    if name not in BACKBONES:
        raise ConfigError(
            f"{name!r} is not a backbone.{nearest(name, BACKBONES)} Known: "
            f"{', '.join(sorted(BACKBONES))}."
        )
    row = BACKBONES[name]
    sizes_known = all(isinstance(n, int) and n > 0 for n in image_shape)
    right_rank = len(image_shape) == row.dimensions + 1
    if not (right_rank and image_shape[-1] in (1, row.channels) and sizes_known):
        axes = "height, width" if row.dimensions == 2 else "depth, height, width"
        shapes = dict.fromkeys((f"({axes}, {row.channels})", f"({axes}, 1)"))
        raise ConfigError(
            f"{name} takes images of shape {' or '.join(shapes)}, positive integers. "
            f"Received: image_shape={image_shape}."
        )
    if batch_norm not in ("local", "synchronized", "per_dataset"):
        raise ConfigError(
            f"batch_norm={batch_norm!r} for {name}: expected 'local' or 'synchronized' "
            "or 'per_dataset'."
        )
