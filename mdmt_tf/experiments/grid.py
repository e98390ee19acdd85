"""The grid of a benchmark: backbones x validation x folds x experiments x seeds.

Several cells may need the same fit: when a hospital of one dataset is left out, a fit
on the other dataset is the same for every hospital. It is trained once. No TensorFlow.

    <folder>/benchmark.yaml      resolved settings
    <folder>/data.json           where the data are, their fingerprints, the folds
    <folder>/correlations.csv    fields of the baselines and the outcome
    <folder>/fields.csv          fields that divide the images into strata
    <folder>/image_columns/      thumbnails and features of the images, for baselines
    <folder>/splits/             lists of images by split, one file per validation, fold
                                 and content, which is never replaced
    <folder>/grid.csv            one row per cell, with the name of its fit
    <folder>/fits/               settings of each fit, for `mdmt_tf.train --config`
    <folder>/runs/<fit>/         run folders
    <folder>/logs/, failures/    what fits printed; those that ended with an error
    <folder>/tensorboard/        hyperparameters and metrics of the fits
"""

import csv
import dataclasses
import functools
import io
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf.config import Config, files
from mdmt_tf.config.schema import SplitSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import protocol
from mdmt_tf.experiments.identity import (
    digest_of_baseline,
    digest_of_settings,
    identity_of,
)
from mdmt_tf.experiments.protocol import Fit
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import digest_of, replacing, write_json, write_text

# Backbone of the cells of a baseline.
NO_BACKBONE = "none"

# The columns of `grid.csv` that identify a cell: all but the fit.
CELL_KEYS = ["validation", "backbone", "seed", "fold", "experiment"]


# Validation, fold, seed and name of an experiment.
Place = tuple[str, int, int, str]


@dataclasses.dataclass(frozen=True)
class Folder:
    """Paths of a benchmark's files."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / "benchmark.yaml"

    @property
    def pending(self) -> Path:
        """The settings while they are planned: old ones stand until the plan does."""
        return self.path / "pending.yaml"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def correlations(self) -> Path:
        return self.path / "correlations.csv"

    @property
    def fields(self) -> Path:
        return self.path / "fields.csv"

    @property
    def image_columns(self) -> Path:
        return self.path / "image_columns"

    @property
    def cells(self) -> Path:
        return self.path / "grid.csv"

    def split(self, validation: str, fold: int, content: str | None) -> Path:
        """The lists of a fold.

        Args:
            content: their hash, so that a fit reads what it was planned with, whatever
                was planned since; None in a folder of an earlier version.
        """
        end = "" if content is None else f"-{content[:12]}"
        return self.path / "splits" / f"{validation}-{fold}{end}.json"

    def fit_settings(self, fit: str) -> Path:
        return self.path / "fits" / f"{fit}.yaml"

    def run(self, fit: str) -> RunFolder:
        return RunFolder(self.path / "runs" / fit)

    def log(self, fit: str) -> Path:
        return self.path / "logs" / f"{fit}.log"

    def lock(self, fit: str) -> Path:
        return self.path / "locks" / fit

    def failure(self, fit: str) -> Path:
        return self.path / "failures" / f"{fit}.json"

    def read_failure(self, fit: str) -> dict | None:
        """The last failure of a fit; None when it has not failed."""
        path = self.failure(fit)
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return {"error": str(facts["error"]), "attempts": int(facts["attempts"])}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return {"error": f"unknown: {path} is damaged", "attempts": 1}

    def read_data(self) -> dict:
        """The content of `data.json`, which `plan` writes.

        Raises: DataError when the file does not exist, or is damaged.
        """
        try:
            return json.loads(self.data.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"{self.path}: not the folder of a benchmark: it has no data.json. "
                "Expected one that `python -m mdmt_tf.benchmark` made."
            ) from None
        except ValueError as error:
            raise DataError(
                f"{self.data}: not valid JSON: {error}. Run the benchmark again, which "
                "writes it anew."
            ) from error


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of the grid, and the name of its fit."""

    validation: str
    backbone: str
    seed: int
    fold: int
    experiment: str
    fit: str


@dataclasses.dataclass(frozen=True)
class Grid:
    """All cells, and each fit once. Fits that others start from come first."""

    cells: tuple[Cell, ...]
    fits: Mapping[str, Fit]


def build_grid(
    config: Config,
    splits: Mapping[tuple[str, int], Split],
    fingerprints: Mapping[str, str],
    steps: Mapping[Place, int] | None = None,
) -> Grid:
    """The cells and fits that the settings request.

    Args:
        config: with a section `benchmark`, and `data_dir` set.
        splits: (validation, fold) -> lists, every fold of every validation in order.
        fingerprints: dataset -> fingerprint of its content.
        steps: number of steps of the experiments that others match, from
            `matching.count_matched`; may be left out if no experiment matches another.
    Raises: ConfigError for settings that do not fit together.
    """
    benchmark, experiments = config.benchmark, config.experiments.resolved
    settings = protocol.settings_of_all(config)
    of_baselines = config.model_copy(update={"tasks": config.tested_tasks})

    @functools.cache
    def of_seed(experiment, backbone, seed, of_matched) -> tuple[Config, str]:
        made = settings[experiment, backbone].model_copy(update={"seed": seed})
        made = made if of_matched is None else made.with_steps(of_matched)
        starts = bool(experiments[experiment].start)
        return made, digest_of_settings(made, starts=starts)

    fits = _Fits(splits, fingerprints)
    cells = []
    order = _in_order(experiments)
    for where in splits:
        for experiment, baseline in benchmark.baselines.items():
            name = fits.add(
                f"{experiment}-{NO_BACKBONE}",
                where,
                tuple(of_baselines.tasks[baseline.task].sources),
                digest_of_baseline(baseline, of_baselines),
                baseline=baseline,
            )
            cells.append(Cell(where[0], NO_BACKBONE, 0, where[1], experiment, name))
        for seed, backbone in itertools.product(benchmark.seeds, benchmark.backbones):
            of: dict[str, str] = {}
            for experiment in order:
                start, match = experiments[experiment].start, None
                if (other := experiments[experiment].match) is not None:
                    match = steps[(*where, seed, other)]
                made, digest = of_seed(experiment, backbone, seed, match)
                of[experiment] = fits.add(
                    f"{experiment}-{backbone}-s{seed}",
                    where,
                    tuple(made.datasets),
                    digest,
                    starts={of[other]: weight for other, weight in start.items()},
                    settings=made,
                )
            cells += [
                Cell(where[0], backbone, seed, where[1], name, of[name])
                for name in experiments
            ]
    return Grid(tuple(cells), fits.by_name)


class _Fits:
    """The fits of a grid, each once, by name."""

    def __init__(
        self,
        splits: Mapping[tuple[str, int], Split],
        fingerprints: Mapping[str, str],
    ):
        self.by_name: dict[str, Fit] = {}
        self._splits, self._fingerprints = splits, fingerprints
        self._lists = {where: split.hash for where, split in splits.items()}
        self._data: dict[tuple, list] = {}

    def add(self, name, where, datasets, digest, *, starts=None, **facts) -> str:
        """Add a fit unless an equal one exists; returns its name.

        Args:
            name: the name without the identity.
            where: (validation, fold) of its split.
            datasets: names of its datasets.
            digest: digest of its settings.
            starts: name of a fit -> weight of its backbone in the start.
            facts: other attributes of `Fit`.
        """
        starts = starts or {}
        weights = {
            self.by_name[other].identity: weight for other, weight in starts.items()
        }
        data = self._data_of(where, datasets)
        identity = identity_of(digest, data, weights)
        name = f"{name}-{identity[:12]}"
        if name not in self.by_name:
            self.by_name[name] = Fit(
                name,
                identity,
                split=where,
                lists=self._lists[where],
                starts=starts,
                digest=digest,
                **facts,
            )
        return name

    def _data_of(self, where: tuple[str, int], datasets: tuple[str, ...]) -> list:
        """Plain values for the lists and the content of the datasets."""
        if (where, datasets) not in self._data:
            lists = self._splits[where].datasets
            digest = digest_of([lists[name] for name in datasets])
            content = {name: self._fingerprints[name] for name in datasets}
            self._data[where, datasets] = [digest, content]
        return self._data[where, datasets]


def _in_order(experiments: Mapping) -> list[str]:
    """Experiments, each after those that it starts from."""
    order: list[str] = []
    while len(order) < len(experiments):
        # The loop ends: cycles were refused when the settings were read.
        order += [
            name
            for name, section in experiments.items()
            if name not in order and all(other in order for other in section.start)
        ]
    return order


def write_cells(grid: Grid, folder: Folder) -> None:
    """Write `grid.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*CELL_KEYS, "fit"])
    writer.writerows(dataclasses.astuple(cell) for cell in grid.cells)
    write_text(folder.cells, text.getvalue())


def write_fit(fit: Fit, folder: Folder, data_dir: str) -> None:
    """Write the settings of a fit, with the paths of its data, split and weights.

    Raises: DataError when a file of weights is no longer that of the plan.
    """
    if digest_of_settings(fit.settings, starts=bool(fit.starts)) != fit.digest:
        raise DataError(
            f"{fit.settings.model.weights}: has changed since this benchmark was "
            f"begun, and {fit.name} would start from other weights than fits before "
            "it. Give the same command again: fits of the new weights are trained "
            "beside the old ones. Or put the old file back first."
        )
    weights = {
        str(folder.run(name).backbone_weights.resolve()): weight
        for name, weight in fit.starts.items()
    }
    settings = fit.settings
    if len(weights) == 1:
        (weights,) = weights
    if weights:
        model = settings.model.model_copy(update={"weights": weights})
        settings = settings.model_copy(update={"model": model})
    _, fold = fit.split
    split = folder.split(*fit.split, fit.lists).resolve()
    settings = settings.model_copy(
        update={
            "data_dir": data_dir,
            "run_dir": str(folder.run(fit.name).path.resolve()),
            "split": SplitSection(kind="file", file=str(split), fold=fold),
        }
    )
    path = folder.fit_settings(fit.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        files.write(settings.to_plain(), partial, f"Settings of {fit.name}.")


def write_failure(folder: Folder, fit: str, facts: dict) -> None:
    """Record that a fit has failed."""
    path = folder.failure(fit)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, facts)
