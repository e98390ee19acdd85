"""Networks from an image or a volume to a vector of features.

`build_backbone` builds any network in `table.BACKBONES`. Importing this package and its
table does not load Keras.
"""

from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones.network import build_network
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS, PUBLISHED

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
    datasets=1,
    dropout=0.0,
):
    """Build a backbone: a functional model from images to pooled features.

    Here "image" means image or volume; the backbone's row in the table says which.

    Args:
        name: a key of `BACKBONES`.
        image_shape: shape of one image. (H, W, 3): RGB, normalised by ImageNet's mean
            and std. If the published weights expect another normalisation, the network
            begins with a layer that converts to it. (H, W, 1): three equal channels.
            (D, H, W, 1): volumes with values in [0, 1].
        weights: None: random values by the reference's rule. "imagenet": the published
            weights, see `mdmt_tf.models.weights.pretrained`. "phantoms": those that
            synthetic radiographs have taught, see `phantom_weights` there. A path: a
            `.weights.h5` file that `save_weights` of the same backbone has written. A
            dict {path: fraction}: the average of such files. If the images have one
            channel and the weights three, the first kernel is summed over its channels.
        feature_maps: whether to return the last feature map too.
        seed: integer. The random values depend on it and on the names of the layers.
        dtype: Keras dtype or dtype policy ("mixed_bfloat16"); None: the global policy.
        batch_norm: statistics of a training step under `tf.distribute`: "local", each
            replica uses its own slice of the batch; "synchronized", all replicas use
            the whole batch; "per_dataset", each dataset has its own, see
            `DatasetBatchNormalization`. A weights file has one set of statistics, with
            which every dataset then begins.
        datasets: number of datasets, for "per_dataset".
        dropout: rate in [0, 1), for backbones with dropout layers (DenseNet).
    Returns: `keras.Model` with this `name`, from (N, H, W, C) to float32
        (N, feature_dim). With `feature_maps`, its output is a dict of "features" and
        of "feature_map" before pooling, (N, h, w, feature_dim). With "per_dataset",
        its inputs are a pair: the images, and int32 (N,), the number of the dataset of
        each, -1 for none. Layers have the names of the reference's modules.
    Raises:
        ConfigError: unknown name, shape, kind of weights or kind of normalisation.
        DataError: the weights file is missing or belongs to another network.

    Example:
        >>> backbone = build_backbone("resnet18", (64, 64, 3))
        >>> backbone.output_shape, backbone.count_params() - 9_600
        ((None, 512), 11176512)
    """
    _check_weights(name, weights)
    options = {
        "feature_maps": feature_maps,
        "seed": seed,
        "dtype": dtype,
        "dropout": dropout,
    }
    model = build_network(
        name, image_shape, batch_norm=batch_norm, datasets=datasets, **options
    )
    if weights is not None and batch_norm == "per_dataset":
        from mdmt_tf.models.dataset_normalization import fill_from_plain

        plain = build_network(name, image_shape, **options)
        _load(plain, weights)
        fill_from_plain(model, plain)
    elif weights is not None:
        _load(model, weights)
    return model


def _load(model, weights):
    from mdmt_tf.models.weights import pretrained

    if isinstance(weights, dict):
        pretrained.load_average(model, weights)
    else:
        pretrained.load_weights(model, pretrained.locate(model.name, weights))


def _check_weights(name, weights):
    files = weights if isinstance(weights, dict) else [weights]
    for file in files:
        named = (None, PUBLISHED, PHANTOMS)
        if file not in named and not str(file).endswith(".weights.h5"):
            raise ConfigError(
                f"weights={str(file)!r} for {name}: expected null (random values), "
                f"{PUBLISHED!r}, {PHANTOMS!r}, or the path of a file *.weights.h5 "
                "saved from the same backbone."
            )
