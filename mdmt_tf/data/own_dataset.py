"""Prepare the dataset that a configuration declares, before it is first trained on."""

from collections.abc import Callable

from mdmt_tf.config import Config
from mdmt_tf.data.sources import prepared_configs
from mdmt_tf.datasets._shared import choice, prepare
from mdmt_tf.errors import DataError
from mdmt_tf.screen.commands import command


def provide(
    config: Config,
    path: str,
    write: Callable[[str], object],
    bar: prepare.Bar,
) -> None:
    """Prepare the declared dataset into `data_dir`, unless it is there already.

    Configurations without a declaration, or whose fit reads other datasets, need
    nothing. `python -m mdmt_tf.prepare` does the same and prints what was found.

    Args:
        config: settings of a fit, or of a benchmark.
        path: the file of the configuration, which the paths of the tables are relative
            to.
        write: receives a line with the folder.
        bar: opens a progress bar, see `prepare.Bar`.
    Raises: DataError for tables or images that cannot be used; ConfigError for a name
        that a dataset of the package has.
    """
    if not is_missing(config):
        return
    name = config.dataset.name
    section = config.split_datasets[name]
    folder = section.data_dir or config.data_dir
    write(f"preparing {name} into {folder}, once\n")

    def finished(prepared: prepare.PreparedFolder) -> None:
        write(f"{name} is in {prepared.path}\n")

    declared = choice.declared(path, None, section.config, folder)
    prepare.prepare_each(declared, None, folder, bar=bar, finished=finished)


def require(config: Config, path: str) -> None:
    """Make sure that there is nothing to prepare; for what may write nothing.

    Args: see `provide`.
    Raises: DataError with the command that prepares the dataset.

    Example:
        >>> from mdmt_tf import config
        >>> require(config.load("phantom"), "phantom.yaml")  # declares none
    """
    if is_missing(config):
        name = config.dataset.name
        folder = config.split_datasets[name].data_dir or config.data_dir
        raise DataError(
            f"dataset {name!r} is not prepared, and here nothing may be written. "
            f"Prepare it: {command('prepare', path, '--data-dir', folder)}"
        )


def is_missing(config: Config) -> bool:
    """Whether there is a declared dataset that `provide` would prepare."""
    if config.dataset is None or config.dataset.name not in config.split_datasets:
        return False
    name = config.dataset.name
    section = config.split_datasets[name]
    return section.config not in prepared_configs(
        section.data_dir or config.data_dir, name
    )
