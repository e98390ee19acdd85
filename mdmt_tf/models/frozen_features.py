"""Pooled features of a backbone that is not trained."""

import numpy as np

from mdmt_tf.data.images import Images
from mdmt_tf.data.normalize import normalize
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.backbones.table import BACKBONES


def frozen_features(
    dataset: PreparedDataset,
    image_shape: tuple[int, ...],
    backbone: str,
    weights: str | None,
    batch_size: int = 32,
) -> np.ndarray:
    """The pooled features of every image of a dataset.

    The backbone is in evaluation mode, and its input is what a fit with images of this
    size has, without augmentation.

    Args:
        dataset: n images or volumes.
        image_shape: (h, w) or (d, h, w) to resize to.
        backbone: a key of `BACKBONES`.
        weights: "imagenet", the path of a file, or None for random values, which are
            always the same.
        batch_size: images that are computed at a time.
    Returns: float32 (n, feature_dim), in the order of storage.
    """
    row = BACKBONES[backbone]
    images = Images([dataset], image_shape, cache="stream")
    network = build_backbone(backbone, (*image_shape, row.channels), weights=weights)
    numbers = np.arange(len(images), dtype=np.int64)
    parts = [
        network(normalize(batch, *row.expects), training=False).numpy()
        for batch in images.batches(numbers, batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)
