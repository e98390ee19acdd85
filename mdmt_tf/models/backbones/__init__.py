"""Networks from an image to a vector of features.

`build_backbone` makes any of those in `table.BACKBONES`. Importing this package and
its table loads no Keras.
"""

import importlib
import warnings

from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.models.backbones.table import BACKBONES


def build_backbone(name, image_shape, weights=None, *, seed=0, dtype=None):
    """Build a backbone: a functional model from images to pooled features.

    Args:
        name: a key of `BACKBONES`.
        image_shape: (H, W, 3), positive; the published weights expect RGB normalised
            by ImageNet's mean and standard deviation.
        weights: None for random values by the reference's rule, or the path of a
            `.weights.h5` file written by `save_weights` of the same backbone.
        seed: integer; the random values depend on it and on the layers' names alone.
        dtype: Keras dtype or dtype policy ("mixed_bfloat16"); None for the global one.
    Returns: `keras.Model` called `name`, (N, H, W, 3) to float32 (N, feature_dim).
        Layers bear the names of the reference's modules.
    Raises:
        ConfigError: an unknown name, shape or kind of weights.
        DataError: the file of weights is missing or belongs to another network.
    """
    if name not in BACKBONES:
        raise ConfigError(
            f"{name!r} is not a backbone.{nearest(name, BACKBONES)} Known: "
            f"{', '.join(sorted(BACKBONES))}."
        )
    image_shape = tuple(image_shape)
    sizes_known = all(isinstance(n, int) and n > 0 for n in image_shape)
    if len(image_shape) != 3 or image_shape[2] != 3 or not sizes_known:
        raise ConfigError(
            f"{name} takes images of shape (height, width, 3), positive integers. "
            f"Received: image_shape={image_shape}."
        )
    if weights is not None and not str(weights).endswith(".weights.h5"):
        raise ConfigError(
            f"weights={str(weights)!r} for {name}: expected null (random values) or "
            "the path of a file *.weights.h5 saved from the same backbone."
        )

    import keras

    module, function = BACKBONES[name].builder.split(":")
    builder = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    images = keras.Input(image_shape, dtype="float32", name="image")
    features = builder(images, seed=seed, dtype=dtype)
    model = keras.Model(images, features, name=name)
    if weights is not None:
        _load_weights(model, weights)
    return model


def _load_weights(model, path):
    try:
        with warnings.catch_warnings():
            # Keras warns of each layer that does not fit before it raises for all.
            warnings.simplefilter("ignore")
            model.load_weights(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file of weights for {model.name}.") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not the weights of {model.name}. Expected a file written by "
            f"`save_weights` of that backbone. Keras says: {error}"
        ) from error
