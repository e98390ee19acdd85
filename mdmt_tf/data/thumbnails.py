"""Images reduced to a few grey values, which show no more than their rough shape."""

import numpy as np

from mdmt_tf.data.normalize import to_unit
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.imaging.resample import resize

# Dimensions -> pixels along each axis.
SIZES = {2: (16, 16), 3: (8, 8, 8)}


def thumbnails(dataset: PreparedDataset) -> np.ndarray:
    """The grey values of each whole image in 16 x 16 pixels.

    Each pixel is a mean of the pixels around it, as `imaging.resample.resize` has it,
    whatever the sides of the image. Colours are averaged. A volume has 8 x 8 x 8.

    Returns: float32 (n, 256) in [0, 1], or (n, 512) for volumes, in the order of
        storage.
    """
    size = SIZES[len(dataset.image_shape) - 1]
    result = np.empty((len(dataset), int(np.prod(size))), np.float32)
    for row in range(len(dataset)):
        (record,) = dataset.records.read([row])
        grey = to_unit(dataset.decode(record)).numpy().mean(axis=-1)
        result[row] = resize(grey, size).ravel()
    return result
