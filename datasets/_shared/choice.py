"""The datasets to prepare, and the images to leave out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets._shared.table_text import decode
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import limits
from mdmt_tf.imaging.preprocess import parse
from mdmt_tf.names import clean

if TYPE_CHECKING:
    from mdmt_tf.datasets._shared.manual_builder import ManualBuilder


def choose(
    name: str, manual_dir: str | os.PathLike, config: str | None
) -> tuple[dict[str, str | None], list[str]]:
    """The datasets of a name: one dataset, or all that are found in a folder.

    Args:
        name: name of a dataset, or `ALL`.
        manual_dir: the folder.
        config: name of a preprocessing. With `ALL`, datasets of another kind have their
            default.
    Returns: dataset -> config, None for the default; and the missing datasets that
        users can obtain, each with its expected folder.
    Raises: ConfigError for an unknown name, or a config that fits no dataset; DataError
        when there is no dataset.
    """
    if name != prepare.ALL:
        prepare.load_builder(name)
        return {name: config}, []
    found, absent = [], []
    for dataset in prepare.dataset_names():
        builder_class = prepare.load_builder(dataset)
        if builder_class.find_root(manual_dir) is not None:
            found.append(dataset)
        elif not builder_class.IS_DRAWN:
            absent.append(f"{dataset} (a folder {builder_class.FOLDER})")
    if not found:
        raise DataError(
            f"{manual_dir} holds none of the datasets: {', '.join(absent)}. "
            "`python -m mdmt_tf.prepare NAME ...` explains where to obtain one."
        )
    return _configs_of(found, config), absent


def declared(
    path: str,
    manual_dir: str | os.PathLike | None,
    config: str | None,
    data_dir: str | os.PathLike,
) -> dict[type["ManualBuilder"], str | None]:
    """The builder of the dataset that a YAML file declares -> config.

    Args:
        path: the file.
        manual_dir: folder of its tables and images; None: that of the file.
        config: name of a preprocessing, instead of the declared one.
        data_dir: folder of prepared datasets.
    Raises: ConfigError for a wrong declaration, also for one with the name of a dataset
        of the package; DataError for tables that cannot be read, or are missing while
        the dataset is not prepared.
    """
    from mdmt_tf.datasets._shared.declared import builder_of

    builder_class = builder_of(path, manual_dir, data_dir)
    if builder_class.name in prepare.dataset_names():
        raise ConfigError(
            f"{path}: dataset.name = {builder_class.name!r}: is a dataset of the "
            "package. Choose another name."
        )
    return {builder_class: config}


def _configs_of(names: Sequence[str], config: str | None) -> dict[str, str | None]:
    """Name -> `config` for datasets of its kind, None (the default) for the others."""
    kind = type(parse(config)) if config else None
    kinds = {name: type(prepare.load_builder(name).PREPROCESSINGS[0]) for name in names}
    if kind and kind not in kinds.values():
        raise ConfigError(
            f"--config {config} is a preprocessing of none of the datasets found: "
            f"{', '.join(names)}."
        )
    return {name: config if kinds[name] is kind else None for name in names}


def read_excluded(path: str | os.PathLike) -> frozenset[str]:
    """Read names of images from a text file, one per line; # starts a comment.

    Raises: DataError when the file cannot be read.
    """
    path = Path(path)
    try:
        text = decode(limits.read_file(path, "", "max_table_bytes"), path)
    except DataError as error:
        raise DataError(
            f"--exclude {path}: expected a text file, one image id per line: {error}"
        ) from error
    lines = (clean(line.partition("#")[0]) for line in text.splitlines())
    # Spreadsheet programs put text into quotes.
    return frozenset(filter(None, (line.strip('"') for line in lines)))
