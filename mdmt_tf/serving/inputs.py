"""Open the data of an existing run."""

from pathlib import Path

from mdmt_tf.config import Config
from mdmt_tf.data import embedded
from mdmt_tf.data.inputs import Inputs, build_inputs, check_same_data
from mdmt_tf.data.sources import open_datasets
from mdmt_tf.errors import DataError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.split import Split


def open_run_inputs(run: RunFolder, config: Config) -> Inputs:
    """The datasets of a run, and the rows of each of its splits.

    Args:
        run: finished or not.
        config: its settings; `data_dir` may differ.
    Raises: DataError when the data are not those of the run, or files are missing.
    """
    config = embedded.provide_again(config)
    _check_folders(run, config)
    inputs = build_inputs(
        open_datasets(config.data_dir, config.dataset_versions),
        run.read_answers(config),
        Split.read(run.split),
        config.image_shape,
        config.pipeline.cache,
        config.seed,
    )
    check_same_data(inputs, run.read_json(run.manifest), run.path)
    return inputs


def _check_folders(run: RunFolder, config: Config) -> None:
    for name, section in config.datasets.items():
        folder = section.data_dir or config.data_dir
        if Path(folder).is_dir():
            continue
        if section.data_dir is None:
            raise DataError(
                f"{folder}: no such folder. The prepared data of the run {run.path} "
                "are expected there. If they have moved, give their folder: "
                "--data-dir DIR."
            )
        raise DataError(
            f"{folder}: no such folder. The dataset {name!r} of the run {run.path} is "
            "expected there. If the run is of a benchmark, `python -m "
            "mdmt_tf.benchmark` with its settings draws synthetic images again. If the "
            f"dataset has moved, change datasets.{name}.data_dir in {run.config}."
        )
