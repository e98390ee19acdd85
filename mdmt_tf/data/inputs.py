"""The input of a fit or an evaluation: rows of each split, and images."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.data.images import Images
from mdmt_tf.data.samples import Samples, all_samples, split_samples
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import DataError
from mdmt_tf.splits.files import Lists
from mdmt_tf.splits.split import Split
from mdmt_tf.tasks import Answer, Derived, Task
from mdmt_tf.tasks.derived import divide


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Opened and checked datasets.

    Attributes:
        tasks: tasks of the model.
        datasets: in the order of `images`.
        split: the images of each split.
        samples: train, validation, test -> the rows of that split.
        images: pixels of all datasets.
        derived: answers that follow from those of the tasks.
    """

    tasks: tuple[Task, ...]
    datasets: tuple[PreparedDataset, ...]
    split: Split
    samples: Mapping[str, Samples]
    images: Images
    derived: tuple[Derived, ...] = ()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The tasks of the model, and the derived answers."""
        return (*self.tasks, *self.derived)

    @property
    def judged(self) -> tuple[str, ...]:
        """See `judged_of`."""
        return judged_of(self.datasets, self.split.datasets)

    @property
    def synthetic_images(self) -> dict[str, int]:
        """Synthetic dataset -> number of its training images with a label."""
        training = self.samples["train"]
        counts = training.rows["dataset"][training.is_labelled].value_counts()
        return {
            dataset.name: int(counts[dataset.name])
            for dataset in self.datasets
            if dataset.synthetic and dataset.name in counts
        }

    def describe_datasets(self) -> dict[str, dict]:
        """Version, content and origin of each dataset, for the manifest."""
        return {dataset.name: dataset.describe() for dataset in self.datasets}


def judged_of(datasets: Sequence[PreparedDataset], lists: Lists) -> tuple[str, ...]:
    """The datasets with images in validation or test.

    Without synthetic ones that are not tested while others are: their validation images
    only choose the epoch of a fit that no real image may choose.

    Args:
        lists: dataset -> split -> images.
    """
    split_of = {name: {s for s, own in of.items() if own} for name, of in lists.items()}
    tested = {name for name, splits in split_of.items() if "test" in splits}
    judged = tested | {n for n, splits in split_of.items() if "validation" in splits}
    return tuple(
        dataset.name
        for dataset in datasets
        if dataset.name in (tested if tested and dataset.synthetic else judged)
    )


def build_inputs(
    datasets: Sequence[PreparedDataset],
    answers: Sequence[Answer],
    split: Split,
    image_shape: Sequence[int],
    cache: str = "auto",
    seed: int = 0,
) -> Inputs:
    """Choose the rows of each split and open the images.

    Args:
        datasets: opened datasets.
        answers: tasks of the model, and derived answers.
        split: has lists for each of the datasets.
        image_shape: (h, w) or (d, h, w).
        cache: see `Images`.
        seed: seed of the run, see `split_samples`.
    Raises: DataError for labels, lists or images that do not fit; LeakageError for a
        patient in two splits.
    """
    split.check_leakage({dataset.name: dataset.table for dataset in datasets})
    tasks, derived = divide(answers)
    samples = split_samples(all_samples(datasets, answers), split, seed)
    used = np.concatenate([rows.image for rows in samples.values()])
    return Inputs(
        tasks=tasks,
        derived=derived,
        datasets=tuple(datasets),
        split=split,
        samples=samples,
        images=Images(datasets, image_shape, cache, used=used),
    )


def check_same_data(inputs: Inputs, manifest: dict, where: Path) -> None:
    """Make sure that the data are those of an earlier run.

    Raises: DataError for a dataset whose content has changed.
    """
    for name, facts in inputs.describe_datasets().items():
        expected = manifest["datasets"][name]["fingerprint"]
        if facts["fingerprint"] != expected:
            raise DataError(
                f"{where}: dataset {name!r} is not the one that the run was made with: "
                f"expected the fingerprint {expected[:12]}, received "
                f"{facts['fingerprint'][:12]} (data_dir). Prepare the same files with "
                "the same version again."
            )
