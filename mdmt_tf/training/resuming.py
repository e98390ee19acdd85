"""What a run that was interrupted needs to go on."""

import contextlib
from collections.abc import Iterator

from mdmt_tf import disk, storage
from mdmt_tf.errors import DataError, Interrupted
from mdmt_tf.runs.folder import RunFolder


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


def _resume(run: RunFolder) -> str:
    return f"To go on: python -m mdmt_tf.train --resume {run.path}"
