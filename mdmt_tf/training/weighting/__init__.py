"""How the losses of the tasks become one step of training: one file a method.

`build_weighting` makes any of those in `table.WEIGHTINGS`. What a method can change is
in `base.Weighting`. Importing this package and its table loads no Keras.
"""

import importlib
from collections.abc import Sequence

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.tasks import Task
from mdmt_tf.training.weighting.table import WEIGHTINGS


def build_weighting(name: str, tasks: Sequence[Task]):
    """A method by its name, with its variables at their initial values.

    Args:
        name: a key of `WEIGHTINGS`.
        tasks: of the model.
    Returns: `base.Weighting`. Call inside the strategy's scope.
    Raises: ConfigError for an unknown name.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> build_weighting("fixed", [make_task(name="severe", kind="binary")]).name
        'fixed'
    """
    if name not in WEIGHTINGS:
        raise ConfigError(
            f"{name!r} is not a method of loss weighting.{nearest(name, WEIGHTINGS)} "
            f"Known: {', '.join(WEIGHTINGS)}."
        )
    module, method = WEIGHTINGS[name].split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), method)(tasks)
