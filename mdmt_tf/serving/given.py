"""The arguments of `predict` and `serve`: models, and files to predict."""

import os
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf.errors import ConfigError
from mdmt_tf.runs.folder import RunFolder


def divide(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The folders of models, and all other arguments.

    Raises: ConfigError when there is no model, or nothing to predict; DataError for a
        run that is not finished.
    """
    models = [path for path in given if is_model(path)]
    others = [path for path in given if path not in models]
    if not models:
        raise ConfigError(
            "no model: expected the folder of a finished run, as `python -m "
            "mdmt_tf.train` makes it, or of a SavedModel. Received: "
            f"{', '.join(others[:5])}."
        )
    if not others:
        raise ConfigError(
            "nothing to predict: expected image files, folders of them, or patterns in "
            f"quotes. Received: {', '.join(models)}, folders of models alone."
        )
    return _once(models), others


def models_among(given: Sequence[str]) -> list[str]:
    """The folders of models, where nothing else is expected.

    Raises: ConfigError for a path that is no model; DataError for a run that is not
        finished.
    """
    others = [path for path in given if not is_model(path)]
    if others:
        raise ConfigError(
            f"{others[0]}: {'' if os.path.exists(others[0]) else 'no such folder; '}"
            "expected the folder of a finished run, as `python -m "
            "mdmt_tf.train` makes it, or of a SavedModel."
        )
    return _once(given)


def _once(models: Sequence[str]) -> list[str]:
    """Each model once, in the order given; all of them finished."""
    for path in models:
        run = RunFolder(path)
        if run.config.is_file():
            run.require_finished()
    # The same run or its SavedModel, written in several ways, is one model.
    once = {_weights_of(path): path for path in reversed(models)}
    return [path for path in dict.fromkeys(models) if path in once.values()]


def _weights_of(model: str) -> Path:
    saved = RunFolder(model).saved_model
    return (saved if saved.is_dir() else Path(model)).resolve()


def is_model(path: str | os.PathLike) -> bool:
    """Whether a path is the folder of a run, finished or not, or of a SavedModel."""
    path = Path(path)
    run = RunFolder(path)
    return (path / "saved_model.pb").is_file() or (
        run.config.is_file() and (run.metrics.is_file() or run.split.is_file())
    )
