"""Prepare a benchmark for its first fit: splits, state of the data, baselines."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mdmt_tf.config import Config
from mdmt_tf.config.experiment_sections import matched, parse_variant
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.data.repeated_images import check_repeated
from mdmt_tf.data.sources import PreparedDataset, open_datasets, units_of
from mdmt_tf.experiments import correlations, matching
from mdmt_tf.experiments.baselines import FieldModel, fit_baseline
from mdmt_tf.experiments.grid import Folder, Grid, Place, build_grid
from mdmt_tf.experiments.image_baselines import ImageColumns
from mdmt_tf.experiments.known_starts import check_starts
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split
from mdmt_tf.statistics import fields_file
from mdmt_tf.storage import sha256_of, write_json
from mdmt_tf.tasks.labels import check_same_labels
from mdmt_tf.tasks.units import with_units


@dataclasses.dataclass(frozen=True, kw_only=True)
class Divided:
    """The data of a benchmark and its folds.

    Attributes:
        datasets: opened datasets.
        splits: (validation, fold) -> lists.
        steps: of `matching.count_matched`.
    """

    datasets: Sequence[PreparedDataset]
    splits: Mapping[tuple[str, int], Split]
    steps: Mapping[Place, int]


def divide(config: Config) -> Divided:
    """Open the data and make all folds; nothing is written.

    Args:
        config: with a section `benchmark`; its data are prepared.
    Raises: DataError, LeakageError as `make_plan`.
    """
    datasets = open_datasets(config.data_dir, config.dataset_versions)
    tables = {dataset.name: dataset.table for dataset in datasets}
    tasks = {task.name: task for task in config.build_tasks()}
    derived = config.build_derived()
    with_units((*tasks.values(), *derived), units_of(datasets))
    for answer in derived:
        if answer.of is not None:
            check_same_labels(answer, tasks, tables)
    splits = {}
    for name, section in config.benchmark.cross_validation.items():
        made_by = SplitSettings.of(section, config.auxiliary, config.patients)
        for fold in range(count_folds(tables, made_by)):
            settings = dataclasses.replace(made_by, fold=fold)
            splits[name, fold] = make_split(tables, tuple(tasks.values()), settings)
    allowed = config.pipeline.allow_identical_images
    check_repeated(datasets, list(splits.values()), allowed)
    steps = matching.count_matched(config, splits, datasets)
    return Divided(datasets=datasets, splits=splits, steps=steps)


def make_plan(config: Config, folder: Folder) -> Grid:
    """Write `data.json`, `splits/` and tables of the fields, and fit the baselines.

    A second call writes the same files. If the data have changed, the identities of all
    fits change, and earlier runs are no longer part of the grid.

    Args:
        config: with a section `benchmark`; its data are prepared.
        folder: an existing folder.
    Returns: the grid.
    Raises: DataError for anything missing or contradictory; LeakageError for images
        with equal pixels under two patients, and weights that have seen test images.
    """
    divided = divide(config)
    datasets, splits, steps = divided.datasets, divided.splits, divided.steps
    tables = {dataset.name: dataset.table for dataset in datasets}
    folds = collections.Counter(name for name, _ in splits)
    for (name, fold), split in splits.items():
        path = folder.split(name, fold, split.hash)
        path.parent.mkdir(parents=True, exist_ok=True)
        split.write(path)
    data = {
        "data_dir": str(Path(config.data_dir).resolve()),
        # Datasets that are elsewhere.
        "data_dirs": {
            name: str(Path(folder).resolve())
            for name, folder in config.data_dirs.items()
        },
        "folds": dict(folds),
        "lists": _hashes(splits),
        "datasets": {dataset.name: dataset.describe() for dataset in datasets},
        "matched_steps": matching.to_plain(steps),
    }
    in_folds = {n: own for n, own in tables.items() if n not in config.auxiliary}
    answers = (*config.build_tasks(), *config.build_derived())
    declared = {dataset.name: dataset.declared_labels for dataset in datasets}
    fields_file.write(in_folds, answers, folder.fields, declared=declared)
    baselines = config.benchmark.baselines
    tested = config.model_copy(update={"tasks": config.tested_tasks})
    tasks = {task.name: task for task in tested.build_tasks()}
    if of_fields := {n: b for n, b in baselines.items() if not b.reads_images}:
        found = [
            correlations.correlate(
                ", ".join(names), section, tasks[section.task], tables
            )
            for names, section in _of_same_fields(of_fields)
        ]
        correlations.write(pd.concat(found, ignore_index=True), folder.correlations)
    # A report reads these tables without the data that they are made from.
    written = [folder.fields, *([folder.correlations] if of_fields else [])]
    data["sha256"] = {path.name: sha256_of(path) for path in written}
    write_json(folder.data, data)
    grid = build_grid(config, splits, fingerprints_of(data), steps)
    check_starts(config, grid, datasets, splits)
    images = ImageColumns(folder.image_columns, datasets, tested)
    for fit in grid.fits.values():
        run, section = folder.run(fit.name), fit.baseline
        if section is not None and not run.is_finished:
            task = tasks[section.task]
            used = [dataset for dataset in datasets if dataset.name in task.sources]
            facts = {
                "synthetic": any(dataset.synthetic for dataset in used),
                "datasets": {dataset.name: dataset.describe() for dataset in used},
            }
            if section.reads_images:
                model = images.model(section)
                facts |= images.facts(section)
            else:
                model = FieldModel(section, config.pipeline.weight_by == "patient")
            fit_baseline(model, task, tables, splits[fit.split], run, facts)
    return grid


def overview(config: Config, grid: Grid) -> str:
    """A line on each experiment: its cells and fits, what it reads and starts from.

    Those with a fraction of a task or a dataset are counted with the experiment.
    """
    declared = config.benchmark.experiments
    cells = collections.Counter()
    fits: dict[str, set[str]] = collections.defaultdict(set)
    for cell in grid.cells:
        name = parse_variant(cell.experiment)[0]
        cells[name] += 1
        fits[name].add(cell.fit)
    rows = [("experiment", "cells", "fits", "datasets", "starts from")]
    for name in (*declared, *config.benchmark.baselines):
        read, starts = "", ""
        if name in declared:
            read = ", ".join(config.experiments.datasets_of(name))
            starts = ", ".join(matched(declared)[name].start)
        rows.append((name, str(cells[name]), str(len(fits[name])), read, starts))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = ""
    for name, count, number, read, starts in rows:
        line = f"{name:<{widths[0]}}  {count:>{widths[1]}}  {number:>{widths[2]}}"
        text += f"{line}  {read:<{widths[3]}}  {starts}".rstrip() + "\n"
    return text


def _of_same_fields(
    baselines: Mapping[str, BaselineSection],
) -> list[tuple[list[str], BaselineSection]]:
    """Names of the baselines that differ only in their model, with one section."""
    found: dict[str, tuple[list[str], BaselineSection]] = {}
    for name, section in baselines.items():
        fields = section.model_dump_json(exclude={"model"})
        found.setdefault(fields, ([], section))[0].append(name)
    return list(found.values())


def fingerprints_of(data: dict) -> dict[str, str]:
    """dataset -> fingerprint, from the content of `data.json`."""
    return {name: facts["fingerprint"] for name, facts in data["datasets"].items()}


def read_splits(folder: Folder) -> dict[tuple[str, int], Split]:
    """(validation, fold) -> lists, as `make_plan` wrote them."""
    return {
        (validation, fold): Split.read(folder.split(validation, fold, content))
        for validation, contents in folder.read_data()["lists"].items()
        for fold, content in enumerate(contents)
    }


def _hashes(splits: Mapping[tuple[str, int], Split]) -> dict[str, list[str]]:
    """validation -> hash of the lists of each fold, in order."""
    found: dict[str, list[str]] = {}
    for (validation, _), split in splits.items():
        found.setdefault(validation, []).append(split.hash)
    return found
