"""Variables that are no numbers any more."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from mdmt_tf.errors import DataError


def not_finite(variables: Sequence[keras.Variable]) -> list[str]:
    """Paths of the variables that hold a NaN or an infinite number.

    Example:
        >>> good, bad = keras.Variable([1.0], name="a"), keras.Variable([0.0], name="b")
        >>> bad.assign([float("nan")]).numpy().tolist()
        [nan]
        >>> not_finite([good, bad])
        ['b']
    """
    return [
        variable.path
        for variable in variables
        if tf.as_dtype(variable.dtype).is_floating
        and not bool(tf.reduce_all(tf.math.is_finite(variable.value)))
    ]


def check_finite(variables: Sequence[keras.Variable], origin: str, advice: str) -> None:
    """Make sure that variables filled from a file are numbers.

    Args:
        variables: those filled.
        origin: the file, for the message.
        advice: what to do instead, a sentence.
    Raises: DataError when a value is NaN or infinite.

    Example:
        >>> check_finite([keras.Variable([1.0])], "start.h5", "Train it again.")
    """
    lost = not_finite(variables)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise DataError(
            f"{origin}: expected finite numbers. Received: NaN or infinite values in "
            f"{lost[0]}{more}. {advice}"
        )
