"""Settings that may change when a run is resumed, such as more epochs.

All others would make another run. A run that goes on with more epochs ends with the
bytes of one that had them from the beginning: nothing in an epoch depends on their
number. It does with `training.steps`, which the epochs divide among themselves.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from mdmt_tf import storage
from mdmt_tf.config import Config, files
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.commands import command

# Key -> whether results depend on it, so that a finished run is opened again.
CHANGEABLE = {
    "training.epochs": True,
    "training.patience": True,
    "training.saved_model": True,
    "training.saliency": True,
    "training.tensorboard": False,
    "training.tensorboard_train_images": False,
    "training.tensorboard_saliency": False,
    "training.devices": False,
    "pipeline.cache": False,
}
# Of a dataset that is elsewhere. No result depends on it.
_FOLDER = re.compile(r"datasets\.[^.]+\.data_dir")
# Key of the manifest: a list of what has changed, and when.
CHANGED = "changed"


def check_keys(overrides: Sequence[str]) -> None:
    """Refuse settings that a resumed run keeps.

    Args:
        overrides: `key.path=value`.
    Raises: ConfigError that lists those that may change.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key not in CHANGEABLE and not _FOLDER.fullmatch(key):
            raise ConfigError(
                f"{text}: --resume takes the settings of the run."
                f"{nearest(key, CHANGEABLE)} Only these may change: "
                f"{', '.join(CHANGEABLE)}; and data_dir (or --data-dir) and "
                "datasets.NAME.data_dir, if the prepared data have moved. With other "
                "settings it is another run: python -m mdmt_tf.train --config "
                "RUN/config.yaml run_dir=NEW KEY=VALUE."
            )


def changes(run: RunFolder, config: Config) -> dict[str, list]:
    """Key -> [value of the run, value of the settings], of those that differ."""
    before, now = run.settings().to_plain(), config.to_plain()
    pairs = {key: [_value(before, key), _value(now, key)] for key in CHANGEABLE}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def check(
    run: RunFolder, config: Config, found: Mapping[str, list], progress: dict | None
) -> None:
    """Make sure that the run can go on with the changes.

    Args:
        run: finished or not.
        config: the changed settings.
        found: of `changes`.
        progress: of the saved state; None: there is none.
    Raises: ConfigError, DataError when it cannot.
    """
    if not any(CHANGEABLE[key] for key in found):
        return
    _refuse_named_by_settings(run)
    if progress is None:
        if run.is_finished:
            raise DataError(
                f"{run.last_state}: missing or damaged, so the finished run "
                f"{run.path} cannot go on. Train it from the beginning: "
                f"{_anew(run, {key: new for key, (_, new) in found.items()})}"
            )
        return
    if "training.epochs" in found:
        _check_epochs(run, config, progress)
    old, new = found.get("training.patience", [1, None])
    if new is not None and (old is None or new < old):
        raise ConfigError(
            f"training.patience = {new}: may only be raised (now {old}) when a run is "
            "resumed. With less patience, it might have stopped before."
        )


def _anew(run: RunFolder, changed: Mapping[str, object]) -> str:
    words = [files.assignment(key, value) for key, value in changed.items()]
    return command("train", "--config", run.config, "run_dir=NEW", *words)


def _check_epochs(run: RunFolder, config: Config, progress: dict) -> None:
    training = config.training
    if training.steps is not None:
        raise ConfigError(
            f"training.epochs = {training.epochs}: the run has training.steps = "
            f"{training.steps}, which its epochs share, so all epochs would be others. "
            "Train it from the beginning: "
            f"{_anew(run, {'training.epochs': training.epochs})}"
        )
    done = progress["next_epoch"] + (1 if progress.get("step") else 0)
    if training.epochs < done:
        raise ConfigError(
            f"training.epochs = {training.epochs}: {run.path} has trained {done} "
            f"epochs, the last perhaps in part. Expected {done} or more."
        )
    selection, patience = progress["selection"], training.patience
    if patience is not None and selection["waited"] >= patience:
        raise ConfigError(
            f"training.epochs = {training.epochs}: {run.path} has stopped after "
            f"{selection['waited']} epochs without improvement (training.patience = "
            f"{patience}), as it would have with more epochs. To go on, raise "
            f"training.patience, too."
        )


def _refuse_named_by_settings(run: RunFolder) -> None:
    """Refuse fits whose folder's name stands for their settings."""
    if run.is_named_by_settings:
        raise ConfigError(
            f"{run.path}: is one of the fits of a benchmark or an experiment, which "
            "finds them by their settings. Change the settings there instead."
        )


def store(run: RunFolder, config: Config, found: Mapping[str, list]) -> None:
    """Write changed settings into the run; if results depend on them, it is open again.

    A process that is killed in between leaves a run that can be resumed, with the old
    settings or the new ones.
    """
    if any(CHANGEABLE[key] for key in found):
        # First, so that no finished run has other settings than its results.
        run.metrics.unlink(missing_ok=True)
        for card in (run.card, run.card_text):
            card.unlink(missing_ok=True)
        shutil.rmtree(run.saliency, ignore_errors=True)
        if not config.training.saved_model:
            shutil.rmtree(run.saved_model, ignore_errors=True)
        storage.sync(run.path)
    values, _ = files.read(str(run.config))
    for key, (_, new) in found.items():
        section, name = key.split(".")
        values.setdefault(section, {})[name] = new
    files.write(values, run.config, "Resolved settings of this run.")
    manifest = run.read_json(run.manifest)
    noted = {"when": storage.now(), **found}
    manifest[CHANGED] = [*manifest.get(CHANGED, ()), noted]
    storage.write_json(run.manifest, manifest, durable=True)


def _value(plain: Mapping[str, Any], key: str) -> Any:
    section, name = key.split(".")
    return plain[section][name]
