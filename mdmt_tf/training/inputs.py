"""Open the datasets of a new fit and make its split."""

from collections.abc import Sequence

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs, build_inputs
from mdmt_tf.data.samples import fit_tasks
from mdmt_tf.data.sources import PreparedDataset, open_datasets
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, make_split


def open_inputs(config: Config) -> Inputs:
    """Open and check the data of the settings; nothing is written.

    The tasks are fitted on the training split.

    Raises: DataError for missing or contradictory data; LeakageError for a patient in
        two splits.
    """
    datasets = open_datasets(config.data_dir, config.dataset_versions)
    split = _make_split(config, datasets)
    return build_inputs(
        datasets,
        fit_tasks(config.build_tasks(), datasets, split),
        split,
        config.image_shape,
        config.pipeline.cache,
    )


def _make_split(config: Config, datasets: Sequence[PreparedDataset]) -> Split:
    """The split of the settings, reduced to the datasets that are used."""
    tables = {dataset.name: dataset.table for dataset in datasets}
    others = {
        name: (section.config, section.version)
        for name, section in config.split_datasets.items()
        if name not in tables
    }
    for dataset in open_datasets(config.data_dir, others):
        tables[dataset.name] = dataset.table
    settings = SplitSettings.of(config.split)
    split = make_split(tables, config.build_split_tasks(), settings)
    return split.only(config.datasets)
