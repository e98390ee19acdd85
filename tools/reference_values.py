"""Weights and inputs that a backbone and its original are both given.

No weights are stored: `tools/make_reference.py` fills the originals with these
values, the tests fill the backbones with them.
"""

import math
import zlib

import numpy as np


def weight_values(name, shape):
    """The values of one parameter or running statistic.

    With z standard normal, drawn from the generator whose seed is the CRC-32 of `name`:

        running_var    |1 + 0.1 z|        running_mean   0.1 z
        1-D weight     1 + 0.1 z          other 1-D      0.1 z
        others         z sqrt(1 / fan), the fan being the product of shape[1:]

    Args:
        name: of the original's state, e.g. "layer1.0.bn1.running_var".
        shape: in the original's order: (out, in, height, width) for a kernel.
    Returns: float32 array of that shape.
    """
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    z = z.astype("float32")
    if name.endswith("running_var"):
        return np.abs(1 + 0.1 * z)
    if name.endswith("running_mean"):
        return 0.1 * z
    if len(shape) == 1:
        return 1 + 0.1 * z if name.endswith("weight") else 0.1 * z
    return z * np.float32(math.sqrt(1 / math.prod(shape[1:])))


def input_values(shape):
    """Standard normal images or volumes: float32 of `shape`, channels before space."""
    return np.random.default_rng(0).standard_normal(shape).astype("float32")
