"""Everything a fit or an evaluation reads: datasets, split, samples, images."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdmt_tf.config import Config
from mdmt_tf.data.images import Images
from mdmt_tf.data.samples import Samples, build_samples
from mdmt_tf.data.sources import PreparedDataset, open_dataset
from mdmt_tf.errors import DataError
from mdmt_tf.splits.split import Split, make_split
from mdmt_tf.tasks import Task


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What the settings ask for, opened and checked.

    Attributes:
        tasks: in the order of the configuration.
        datasets: likewise.
        split: who is on which side.
        parts: train, validation, test -> samples.
        images: pixels of all datasets.
    """

    tasks: tuple[Task, ...]
    datasets: tuple[PreparedDataset, ...]
    split: Split
    parts: Mapping[str, Samples]
    images: Images

    def describe_datasets(self) -> dict[str, dict]:
        """Version, content and origin of each dataset, for the manifest."""
        return {dataset.name: dataset.describe() for dataset in self.datasets}


def open_inputs(config: Config, split_file: Path | None = None) -> Inputs:
    """Open and check; nothing is written.

    Args:
        config: resolved settings.
        split_file: `split.json` of an earlier run to use instead of a new split.
    Raises: DataError for anything missing or contradictory, LeakageError.
    """
    tasks = config.build_tasks()
    datasets = tuple(
        open_dataset(config.data_dir, name, section.config, section.version)
        for name, section in config.datasets.items()
    )
    if split_file is None:
        split = _make_split(config, datasets)
    else:
        split = Split.read(split_file)
    return Inputs(
        tasks=tasks,
        datasets=datasets,
        split=split,
        parts=build_samples(datasets, split, tasks),
        images=Images(datasets, config.image_shape, config.pipeline.cache),
    )


def _make_split(config: Config, datasets: Sequence[PreparedDataset]) -> Split:
    """The split of the settings, and of it the lists of the datasets that are used."""
    tables = {dataset.name: dataset.table for dataset in datasets}
    for name, section in config.split_datasets.items():
        if name not in tables:
            other = open_dataset(config.data_dir, name, section.config, section.version)
            tables[name] = other.table
    split = make_split(tables, config.build_split_tasks(), config.split)
    return split.only(config.datasets)


def check_same_data(inputs: Inputs, manifest: dict, where: Path) -> None:
    """Make sure that the data are those of an earlier run.

    Raises: DataError for a dataset whose content has changed.
    """
    for name, facts in inputs.describe_datasets().items():
        expected = manifest["datasets"][name]["fingerprint"]
        if facts["fingerprint"] != expected:
            raise DataError(
                f"{where}: dataset {name!r} is not what the run was made with: "
                f"expected the fingerprint {expected[:12]}, received "
                f"{facts['fingerprint'][:12]} (data_dir). Prepare the same files with "
                "the same version again."
            )
