"""Values of the reference networks, which are made from their names."""

import math
import zlib

import numpy as np
import pytest


@pytest.fixture(scope="session")
def value_of():
    """The rule of the reference's README: (name, shape) to float32."""

    def value_of(name, shape):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        z = rng.standard_normal(shape).astype("float32")
        if name.endswith("running_var"):
            return np.abs(1 + 0.1 * z)
        if name.endswith("running_mean"):
            return 0.1 * z
        if len(shape) == 1:
            return 1 + 0.1 * z if name.endswith("weight") else 0.1 * z
        return z * np.float32(math.sqrt(1 / math.prod(shape[1:])))

    return value_of
