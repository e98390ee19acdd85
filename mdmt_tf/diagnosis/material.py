"""What is diagnosed: the tables and pictures of the datasets of a configuration."""

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mdmt_tf.diagnosis.pictures import Pictures, describe
from mdmt_tf.imaging import image_hashes
from mdmt_tf.splits.fit_lists import of_fit
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split
from mdmt_tf.statistics.strata import labels_of_dataset
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table
from mdmt_tf.tasks.units import with_units

if TYPE_CHECKING:
    from mdmt_tf.config import Config
    from mdmt_tf.data.sources import PreparedDataset

# Size of images of different sizes, and of volumes.
_SIDE, _DEPTH = 256, 32
_BATCH = 32


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """One prepared dataset.

    Attributes:
        name: of the dataset.
        table: field -> (n,) or (n, k), see `mdmt_tf.tasks.labels`.
        pictures: of its images, in the order of the table.
        synthetic: whether the images are synthetic.
        excluded: ids of the images that `prepare` was told to leave out.
        digests: of the images as decoded, see `image_hashes`; "" if not stored.
        declared_labels: the fields that the preparation declares as labels.
    """

    name: str
    table: Table
    pictures: Pictures
    synthetic: bool = False
    excluded: tuple[str, ...] = ()
    digests: tuple[str, ...] | None = None
    declared_labels: tuple[str, ...] = ()

    def ids(self, field: str) -> np.ndarray:
        """`image_id`, `patient_id` or `site` as text."""
        return np.asarray(self.table[field], str)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """All that is diagnosed.

    Attributes:
        tasks: of the configuration.
        datasets: that feed them.
        folds: the lists of each fold.
        fold: index of the fold of the configuration.
        auxiliary: names of the datasets that no fold divides.
        left_out: datasets that are drawn for training, see `without_drawn`.
    """

    tasks: tuple[Task, ...]
    datasets: tuple[Dataset, ...]
    folds: tuple[Split, ...]
    fold: int
    auxiliary: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, Table]:
        return {dataset.name: dataset.table for dataset in self.datasets}

    def label_fields(self, dataset: str) -> set[str]:
        """The fields of a dataset from which a task takes its labels."""
        return labels_of_dataset(dataset, self.tasks)


def without_drawn(settings: "Config") -> tuple["Config", tuple[str, ...]]:
    """The settings without synthetic images that are drawn beside real ones.

    No fold tests them, and what is found in them says nothing about patients.

    Returns: the settings, and the names of the datasets left out.
    """
    drawn = tuple(name for name in settings.drawn_datasets if name in settings.datasets)
    kept = {n: own for n, own in settings.datasets.items() if n not in drawn}
    if not drawn or not kept:
        return settings, ()
    tasks = {}
    for name, task in settings.tasks.items():
        if sources := {s: of for s, of in task.sources.items() if s in kept}:
            tasks[name] = task.model_copy(update={"sources": sources})
    changes = {"datasets": kept, "tasks": tasks, "phantoms": None}
    return settings.model_copy(update=changes), drawn


def read_material(
    settings: "Config",
    progress: Callable[[int, int], object] = lambda done, total: None,
    left_out: Sequence[str] = (),
) -> Material:
    """Read the prepared datasets of a configuration; loads TensorFlow.

    Args:
        settings: with `data_dir`.
        progress: called with (images read, all images).
        left_out: datasets that `without_drawn` has left out of the settings.
    Raises: DataError for a dataset that is not prepared, a missing label field, labels
        of one task in two units, or a split that cannot be made.
    """
    from mdmt_tf.data.sources import open_datasets, units_of

    opened = open_datasets(settings.data_dir, settings.dataset_versions)
    # The splits first: they fail at once, and the pictures take minutes.
    tasks = with_units(settings.build_tasks(), units_of(opened))
    tables = {dataset.name: dataset.table for dataset in opened}
    folds, fold = make_folds(settings, tables)
    total, done, datasets = sum(map(len, opened)), 0, []
    for dataset in opened:
        start = done

        def count(batches, start=start):
            seen = start
            for batch in batches:
                yield batch
                seen += len(batch)
                progress(seen, total)

        pictures = describe(count(_batches(dataset)))
        done += len(dataset)
        datasets.append(
            Dataset(
                name=dataset.name,
                # tensorflow-datasets has them in any order.
                table=dict(sorted(dataset.table.items())),
                pictures=pictures,
                synthetic=dataset.synthetic,
                excluded=_excluded(dataset),
                digests=_digests(dataset),
                declared_labels=dataset.declared_labels,
            )
        )
    return Material(
        tasks=tasks,
        datasets=tuple(datasets),
        folds=folds,
        fold=fold,
        auxiliary=settings.auxiliary,
        left_out=tuple(left_out),
    )


def make_folds(settings: "Config", tables) -> tuple[tuple[Split, ...], int]:
    """The lists of every fold of `split`, and the index of its own fold.

    They are those that a fit of the settings is given, see `fit_lists.of_fit`.
    """
    section, tasks = settings.split, settings.build_tasks()
    # Folds leave out images one after another; their warnings would repeat.
    log = logging.getLogger("mdmt_tf.splits")
    level = log.level
    log.setLevel(logging.ERROR)
    plain = SplitSettings.of(section, settings.auxiliary, settings.patients)

    def lists_of(fold: int) -> Split:
        split = make_split(tables, tasks, dataclasses.replace(plain, fold=fold))
        fractions = settings.dataset_fractions
        return of_fit(split, tables, settings.auxiliary, fractions, settings.seed)

    try:
        count = count_folds(tables, plain)
        if section.kind == "file" and count == 1:
            return (lists_of(plain.fold),), 0
        folds = [lists_of(number) for number in range(count)]
        # An impossible fold is an error.
        make_split(tables, tasks, plain)
    finally:
        log.setLevel(level)
    return tuple(folds), plain.fold


def _batches(dataset: "PreparedDataset"):
    from mdmt_tf.data.images import Images

    shape = dataset.image_shape[:-1]
    if None in shape:
        shape = (_SIDE, _SIDE) if len(shape) == 2 else (_DEPTH, _SIDE // 2, _SIDE // 2)
    images = Images([dataset], shape, cache="stream")
    return images.batches(np.arange(len(dataset)), _BATCH)


def _digests(dataset: "PreparedDataset") -> tuple[str, ...] | None:
    hashes = image_hashes.read(dataset.folder)
    if hashes is None:
        return None
    names = map(str, dataset.table["image_id"])
    return tuple(hashes[name].sha256 if name in hashes else "" for name in names)


def _excluded(dataset: "PreparedDataset") -> Sequence[str]:
    """What tensorflow-datasets has stored of `prepare --exclude`."""
    try:
        text = (dataset.folder / "metadata.json").read_text(encoding="utf-8")
        return tuple(json.loads(text).get("excluded", ()))
    except (OSError, ValueError, AttributeError):
        return ()
