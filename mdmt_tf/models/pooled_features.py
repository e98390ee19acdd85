"""Features of images by a backbone that is not trained."""

from collections.abc import Iterable

import keras
import numpy as np

from mdmt_tf.data.normalize import normalize
from mdmt_tf.models.backbones.table import BACKBONES


def pooled_features(backbone: keras.Model, batches: Iterable[np.ndarray]) -> np.ndarray:
    """The pooled features of n images, with the backbone in evaluation mode.

    Args:
        backbone: from `build_backbone`.
        batches: float32 images or volumes in [0, 1], (b, *spatial, channels), with one
            channel or as many as the backbone has.
    Returns: float32 (n, feature_dim).

    Example:
        >>> from mdmt_tf.models.backbones import build_backbone
        >>> backbone = build_backbone("resnet18", (32, 32, 3))
        >>> black = np.zeros((2, 32, 32, 1), np.float32)
        >>> pooled_features(backbone, [black, black[:1]]).shape
        (3, 512)
    """
    normalization = BACKBONES[backbone.name].expects
    parts = [
        keras.ops.convert_to_numpy(
            backbone(normalize(batch, *normalization), training=False)
        )
        for batch in batches
    ]
    return np.concatenate(parts).astype(np.float32)
