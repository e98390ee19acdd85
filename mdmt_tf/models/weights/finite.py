"""Numbers of weights that no network can start from. No TensorFlow."""

import os
from collections.abc import Mapping

import numpy as np

from mdmt_tf.errors import DataError


def check_finite(where: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise DataError where weights have NaN or infinite numbers, or are no numbers.

    Args:
        where: their file, for the message.
        arrays: name -> array.

    Example:
        >>> check_finite("net.pth", {"bias": np.array([1.0, np.nan])})
        Traceback (most recent call last):
            ...
        mdmt_tf.errors.DataError: net.pth: expected finite numbers. Received: 1 of ...
    """
    problems = []
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind not in "biuf":
            problems.append(f"{name} of the type {array.dtype}")
            continue
        # float32, as the model computes: a larger number would become infinite there.
        with np.errstate(over="ignore"):
            wrong = array.size - np.count_nonzero(np.isfinite(array.astype(np.float32)))
        if wrong:
            problems.append(f"{wrong} of {array.size} numbers of {name} are not")
    if problems:
        more = f"; and {len(problems) - 5} more arrays" if len(problems) > 5 else ""
        raise DataError(
            f"{where}: expected finite numbers. Received: {'; '.join(problems[:5])}"
            f"{more}. The training that made the file has diverged, or the file is "
            "damaged. Use another one."
        )
