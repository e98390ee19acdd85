"""Run a study in its folder, and write its report."""

from collections.abc import Callable

from mdmt_tf import storage
from mdmt_tf.config import Config, files
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.studies import images, page, simulated
from mdmt_tf.studies.design import ARMS, StudyFolder
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
    Raises: ConfigError for an arm that does not exist, or when a study is already
        running in the folder.
    """
    _check_arms(config)
    mode = _MODES[config.study.mode]
    busy = (
        f"{folder.path}: a study is running there. Wait for it, or choose another "
        "run_dir."
    )
    with storage.locked(folder.path / ".lock", busy):
        if not only_report:
            head = "Resolved settings of a study."
            files.write(config.to_plain(), folder.settings, head)
            mode.compute_all(config, folder, write)
        return page.write_report(config, folder, mode.read_all(config, folder))


def _check_arms(config: Config) -> None:
    """Make sure that the arms of the gain are among those that are trained."""
    known = list(ARMS)
    if config.study.mode == "images" and config.benchmark is not None:
        experiments = config.experiments
        trained = [*experiments.resolved, *config.benchmark.baselines]
        task = config.training.select_on.task
        known = [name for name in trained if task in experiments.tasks_of(name)]
        known.append("oracle")
    for key in ("primary", "control"):
        name = getattr(config.study, key)
        if name not in known:
            raise ConfigError(
                f"study.{key} = {name!r}: is not one of the arms."
                f"{nearest(name, known)} Arms: {', '.join(known)}."
            )
