"""Open the data of an existing run."""

from pathlib import Path

from mdmt_tf.config import Config
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
    if not Path(config.data_dir).is_dir():
        raise DataError(
            f"{config.data_dir}: no such folder. The prepared data of the run "
            f"{run.path} are expected there. If they have moved, give their folder: "
            "--data-dir DIR."
        )
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
