"""Run a study in its folder, and write its report."""

from collections.abc import Callable

from mdmt_tf import storage
from mdmt_tf.config import Config, files
from mdmt_tf.errors import ConfigError
from mdmt_tf.studies import images, page, simulated
from mdmt_tf.studies.design import StudyFolder
from mdmt_tf.studies.page import StudyReport

_MODES = {"features": simulated, "images": images}


def run_study(
    config: Config,
    folder: StudyFolder,
    write: Callable[[str], None],
    *,
    only_report: bool = False,
) -> StudyReport:
    """Compute the unfinished cells of a study and write its report.

    Args:
        config: with a section `study`.
        folder: an existing folder.
        write: receives texts for the user.
        only_report: whether to compute nothing and report what is finished.
    Raises: ConfigError when a study is already running in the folder.
    """
    mode = _MODES[config.study.mode]
    try:
        lock = storage.lock(folder.path / ".lock")
    except BlockingIOError:
        raise ConfigError(
            f"{folder.path}: a study is running there. Wait for it, or choose another "
            "run_dir."
        ) from None
    with lock:
        if not only_report:
            head = "Resolved settings of a study."
            files.write(config.to_plain(), folder.settings, head)
            mode.compute_all(config, folder, write)
        return page.write_report(config, folder, mode.read_all(config, folder))
