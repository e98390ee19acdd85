"""One fit to its end: trained, resumed where it was interrupted, or used again.

No TensorFlow at import.
"""

from collections.abc import Callable

from mdmt_tf.config import Config
from mdmt_tf.errors import Interrupted
from mdmt_tf.runs.folder import RunFolder


def finish(
    settings: Config,
    write: Callable[[str], object],
    *,
    is_terminal: bool = False,
) -> RunFolder:
    """The finished run in the folder `run_dir`.

    A run that is there has the settings that it began with; only its data may be
    elsewhere by now.

    Args:
        settings: with `run_dir`.
        write, is_terminal: as for `trainer.train`.
    Raises: as `trainer.train`; Interrupted says to give the same command again.
    """
    from mdmt_tf.training import trainer

    run, resumed = RunFolder(settings.run_dir), None
    if run.is_finished:
        return run
    if run.path.is_dir():
        resumed = run.path
        stored = RunFolder.open(resumed).settings(settings.data_dir)
        settings = stored.in_folders(settings.data_dirs)
        write(f"resuming {resumed}\n")
    try:
        return trainer.train(
            settings, resume_from=resumed, write=write, is_terminal=is_terminal
        )
    except Interrupted:
        # The command that needs the run finds it again.
        raise Interrupted(
            "interrupted. To go on, give the same command again."
        ) from None
