"""The data of a new fit: datasets opened, split made."""

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs, build_inputs
from mdmt_tf.data.sources import open_datasets
from mdmt_tf.splits.split import make_split


def open_inputs(config: Config) -> Inputs:
    """Open and check what the settings say; nothing is written.

    Raises: DataError for anything missing or contradictory, LeakageError.
    """
    datasets = open_datasets(config.data_dir, config.dataset_versions)
    tasks = config.build_tasks()
    tables = {dataset.name: dataset.table for dataset in datasets}
    return build_inputs(
        datasets,
        tasks,
        make_split(tables, tasks, config.split),
        config.image_shape,
        config.pipeline.cache,
    )
