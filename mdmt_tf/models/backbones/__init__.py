"""Networks from an image or a volume to a vector of features.

`build_backbone` makes any of those in `table.BACKBONES`. Importing this package and
its table loads no Keras.
"""

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones.network import build_network
from mdmt_tf.models.backbones.table import BACKBONES, PUBLISHED

__all__ = ["BACKBONES", "build_backbone"]


def build_backbone(
    name,
    image_shape,
    weights=None,
    *,
    feature_maps=False,
    seed=0,
    dtype=None,
    batch_norm="local",
    dropout=0.0,
):
    """Build a backbone: a functional model from images to pooled features.

    Images stand for volumes, too: which of them a backbone takes is in its row of the
    table.

    Args:
        name: a key of `BACKBONES`.
        image_shape: (H, W, 3), positive, of RGB normalised by ImageNet's mean and
            standard deviation, whatever the published weights expect: where that is
            something else, the network begins with a layer that leads there. (H, W, 1)
            stands for three equal channels. For volumes (D, H, W, 1), values in [0, 1]
            as they are.
        weights: None for random values by the reference's rule; "imagenet" for the
            published ones, see `mdmt_tf.models.weights.pretrained`; the path of a
            `.weights.h5` file written by `save_weights` of the same backbone; or a dict
            from such paths to the shares in their average. From weights for three
            channels the first kernel's are summed when the images have one.
        feature_maps: whether to return the last map, too.
        seed: integer; the random values depend on it and on the layers' names alone.
        dtype: Keras dtype or dtype policy ("mixed_bfloat16"); None for the global one.
        batch_norm: by what the replicas of `tf.distribute` normalise in training:
            "local", each by its part of the batch; "synchronized", all by all of it.
        dropout: rate in [0, 1), of backbones that drop channels within (DenseNet).
    Returns: `keras.Model` called `name`, (N, H, W, C) to float32 (N, feature_dim); with
        `feature_maps` to a dict of these "features" and, before pooling, "feature_map"
        (N, h, w, feature_dim). Layers bear the names of the reference's modules.
    Raises:
        ConfigError: an unknown name, shape, kind of weights or of normalisation.
        DataError: the file of weights is missing or belongs to another network.

    Example:
        >>> backbone = build_backbone("resnet18", (64, 64, 3))
        >>> backbone.output_shape, backbone.count_params() - 9_600
        ((None, 512), 11176512)
    """
    _check_weights(name, weights)
    model = build_network(
        name,
        image_shape,
        feature_maps=feature_maps,
        seed=seed,
        dtype=dtype,
        batch_norm=batch_norm,
        dropout=dropout,
    )
    if weights is None:
        return model
    from mdmt_tf.models.weights import pretrained

    if isinstance(weights, dict):
        pretrained.load_average(model, weights)
    else:
        pretrained.load_weights(model, pretrained.locate(name, weights))
    return model


def _check_weights(name, weights):
    files = weights if isinstance(weights, dict) else [weights]
    for file in files:
        if file not in (None, PUBLISHED) and not str(file).endswith(".weights.h5"):
            raise ConfigError(
                f"weights={str(file)!r} for {name}: expected null (random values), "
                f"{PUBLISHED!r}, or the path of a file *.weights.h5 saved from the "
                "same backbone."
            )
