"""Loss weighting: how the losses of the tasks are combined, one file per method.

`build_weighting` makes the methods of `table.WEIGHTINGS`. `base.Weighting` documents
what a method can change. Importing this package and its table does not load Keras.
"""

import importlib
from collections.abc import Sequence

from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.tasks import Task
from mdmt_tf.training.weighting.table import WEIGHTINGS


def build_weighting(name: str, tasks: Sequence[Task]):
    """Make a method by name, with its variables at their initial values.

    Call it inside the strategy's scope.

    Args:
        name: a key of `WEIGHTINGS`.
        tasks: tasks of the model.
    Returns: `base.Weighting`.
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
    target, _ = WEIGHTINGS[name]
    module, method = target.split(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), method)(tasks)
