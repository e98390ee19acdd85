"""What a run that was interrupted needs to go on."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from mdmt_tf import disk, storage
from mdmt_tf.config import Config
from mdmt_tf.errors import ConfigError, DataError, Interrupted
from mdmt_tf.runs import changes
from mdmt_tf.runs.external import EXTERNAL
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.commands import command
from mdmt_tf.training import checkpoint
from mdmt_tf.training.fit import Fit

# With more of these, a finished run is trained on.
_TRAINED_WITH = {"training.epochs", "training.patience"}


@contextlib.contextmanager
def resumable(run: RunFolder) -> Iterator[None]:
    """The work on a run, by one process at a time; what ends it says how to go on.

    Raises: ConfigError when another process works on the run; DataError for a full or
        vanished disk; Interrupted for Ctrl-C.
    """
    busy = (
        f"{run.path}: another process works on this run. Wait for it, or end it; then "
        "resume."
    )
    try:
        with storage.locked(run.lock, busy, remove=True):
            yield
    except KeyboardInterrupt as interrupt:
        # Of the callbacks of training, after their own lines.
        raise Interrupted(f"interrupted. {_resume(run)}") from interrupt
    except Exception as error:
        text = disk.in_words(error)
        if text is None:
            raise
        raise DataError(f"{text} {_resume(run)}") from error


def reopens(run: RunFolder, config: Config) -> bool:
    """Whether the settings differ from those of a finished run so that it goes on."""
    return any(changes.CHANGEABLE[key] for key in changes.changes(run, config))


def change(fit: Fit, devices: Sequence[str]) -> Fit:
    """Store changed settings of a resumed run in its folder; those of `changes`.

    Args:
        devices: names of those that it goes on with.
    Raises: ConfigError, DataError when the run cannot go on with them.
    """
    run = fit.run
    found = changes.changes(run, fit.config)
    if not run.is_finished or _TRAINED_WITH.intersection(found):
        _check_devices(fit, devices)
    if not found:
        return fit
    state = checkpoint.newest_state(run.last_state, fit.write)
    progress = None if state is None else checkpoint.read_progress(state)
    changes.check(run, fit.config, found, progress)
    for key, (old, new) in found.items():
        fit.write(f"{key} = {new}, was {old}\n")
    external = run.path / EXTERNAL
    if run.is_finished and external.is_dir():
        fit.write(f"{external} is of the model before: evaluate again\n")
    changes.store(run, fit.config, found)
    return dataclasses.replace(fit, manifest=run.read_json(run.manifest))


def _check_devices(fit: Fit, devices: Sequence[str]) -> None:
    """Refuse another number of devices where each normalises its part of a batch."""
    # Runs of earlier versions may state none.
    before = fit.manifest.get("devices") or devices
    if fit.config.model.batch_norm == "local" and len(before) != len(devices):
        example = f"[{', '.join(before)}]"
        raise ConfigError(
            f"{fit.run.path}: began on {_counted(before)}, and would go on with "
            f"{_counted(devices)}. With model.batch_norm = local, each normalises its "
            "part of a batch, so the rest would be another training. Use as many, for "
            f"example training.devices={example}."
        )


def _counted(devices: Sequence[str]) -> str:
    several = "s" if len(devices) > 1 else ""
    return f"{len(devices)} device{several} ({', '.join(devices)})"


def _resume(run: RunFolder) -> str:
    return f"To go on: {command('train', '--resume', run.path)}"
