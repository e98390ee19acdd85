"""Open the datasets of a new fit and make its split."""

import dataclasses
import logging
from collections.abc import Iterator

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs, build_inputs
from mdmt_tf.data.repeated_images import check_repeated
from mdmt_tf.data.samples import Samples, all_samples, fit_tasks, split_samples
from mdmt_tf.data.sources import PreparedDataset, open_datasets, units_of
from mdmt_tf.data.training_set import count_steps
from mdmt_tf.splits.fit_lists import of_fit
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import divide
from mdmt_tf.tasks.labels import Table, label_is_known
from mdmt_tf.tasks.units import with_units

logger = logging.getLogger(__name__)


def open_inputs(config: Config) -> Inputs:
    """Open and check the data of the settings; nothing is written.

    The tasks are fitted on the training split.

    Raises: DataError for missing or contradictory data; LeakageError for a patient in
        two splits, or images with equal pixels under two patients.
    """
    datasets, split = open_split(config)
    check_repeated(datasets, [split], config.pipeline.allow_identical_images)
    answers = (*config.build_tasks(), *config.build_derived())
    tasks, derived = divide(with_units(answers, units_of(datasets)))
    tasks = fit_tasks(tasks, datasets, split, config.seed)
    inputs = build_inputs(
        datasets,
        (*tasks, *derived),
        split,
        config.image_shape,
        config.pipeline.cache,
        config.seed,
    )
    _warn_of_mixture(inputs)
    return inputs


def _warn_of_mixture(inputs: Inputs) -> None:
    judged = [d for d in inputs.datasets if d.name in inputs.judged]
    synthetic = [dataset.name for dataset in judged if dataset.synthetic]
    if 0 < len(synthetic) < len(judged):
        logger.warning(
            "metrics will be of synthetic images, too: %s. With "
            "datasets.NAME.auxiliary=true they are for training alone.",
            ", ".join(synthetic),
        )


def with_steps_of(config: Config, other: Config) -> Config:
    """The settings with the number of steps of other settings in the same fold.

    Args:
        config: settings of a fit.
        other: settings whose steps it takes; `data_dir` holds their data.
    Raises: ConfigError when the epochs of `config` cannot have equal steps; DataError,
        LeakageError as `open_inputs`.
    """
    datasets, split = open_split(other)
    rows = all_samples(datasets, other.build_tasks())
    rows = split_samples(rows, split, other.seed)["train"]
    of_epoch = count_steps(rows, other.training.batch_size)
    return config.with_steps(other.training.steps_in_all(of_epoch))


def open_split(config: Config) -> tuple[tuple[PreparedDataset, ...], Split]:
    """The datasets of the settings, and the lists that their fit is given.

    Raises: DataError, LeakageError as `open_inputs`.
    """
    datasets, tables = _open_tables(config)
    settings = SplitSettings.of(config.split, config.auxiliary, config.patients)
    return datasets, _split_of(config, tables, settings)


def count_labels(config: Config) -> Iterator[tuple[int, dict[str, dict[str, int]]]]:
    """How many labels a fit is given, in each fold of the split; nothing is written.

    Yields: fold, {answer: {split: images with a label}}.
    Raises: DataError, LeakageError as `open_inputs`.
    """
    datasets, tables = _open_tables(config)
    settings = SplitSettings.of(config.split, config.auxiliary, config.patients)
    answers = (*config.build_tasks(), *config.build_derived())
    rows = all_samples(datasets, answers)
    for fold in range(count_folds(tables, settings)):
        split = _split_of(config, tables, dataclasses.replace(settings, fold=fold))
        yield fold, labels_in(rows, split, config.seed)


def labels_in(rows: Samples, split: Split, seed: int) -> dict[str, dict[str, int]]:
    """Answer -> split -> images with a label.

    Args:
        rows: all rows of the datasets of the split.
        split: the lists of images.
        seed: see `split_samples`.
    """
    splits = split_samples(rows, split, seed)
    return {
        answer.name: {name: _count_known(own, answer) for name, own in splits.items()}
        for answer in rows.answers
    }


def _count_known(samples: Samples, answer: Answer) -> int:
    """Rows with a label, or with one of several labels."""
    known = samples.known.get(answer.name)
    if known is None:
        known = label_is_known(samples.labels_of(answer))
    return int(known.any(axis=tuple(range(1, known.ndim))).sum())


def _open_tables(
    config: Config,
) -> tuple[tuple[PreparedDataset, ...], dict[str, Table]]:
    """The datasets of the fit, and the tables of all that the split divides."""
    datasets = open_datasets(config.data_dir, config.dataset_versions)
    tables = {dataset.name: dataset.table for dataset in datasets}
    others = {
        name: section.place
        for name, section in config.split_datasets.items()
        if name not in tables
    }
    for dataset in open_datasets(config.data_dir, others):
        tables[dataset.name] = dataset.table
    return datasets, tables


def _split_of(
    config: Config, tables: dict[str, Table], settings: SplitSettings
) -> Split:
    """The lists that a fit is given."""
    split = make_split(tables, config.build_split_tasks(), settings)
    return of_fit(
        split.only(config.datasets),
        {name: table for name, table in tables.items() if name in config.datasets},
        config.auxiliary,
        config.dataset_fractions,
        config.seed,
    )
