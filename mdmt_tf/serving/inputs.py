"""Open the data of an existing run."""

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs, build_inputs, check_same_data
from mdmt_tf.data.sources import open_datasets
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.split import Split


def open_run_inputs(run: RunFolder, config: Config) -> Inputs:
    """The datasets of a run, and the rows of each of its splits.

    Args:
        run: finished or not.
        config: its settings; `data_dir` may differ.
    Raises: DataError when the data are not those of the run, or files are missing.
    """
    inputs = build_inputs(
        open_datasets(config.data_dir, config.dataset_versions),
        run.read_tasks(config),
        Split.read(run.split),
        config.image_shape,
        config.pipeline.cache,
    )
    check_same_data(inputs, run.read_json(run.manifest), run.path)
    return inputs
