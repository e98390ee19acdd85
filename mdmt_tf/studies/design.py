"""The cells of a study, and the files of its folder.

<folder>/study.yaml       resolved settings
<folder>/cells/<name>.csv features: results of a cell, for some of its datasets
<folder>/draws/<name>/    images: the benchmark of one pair of datasets
<folder>/results.csv      one row per cell, dataset and arm
<folder>/gains.csv, gains.md, gains.svg, gains.png, curves.svg, index.html, ...
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from mdmt_tf import storage
from mdmt_tf.metrics import formulas
from mdmt_tf.metrics.rows import WeightedRows

# Of the simulation of features; another version gives other results.
VERSION = 2

ARMS = {
    "stl": "single task",
    "stl_matched": "single task, as many steps as MDMT direct",
    "stl_continued": "single task, trained further for as many steps",
    "ft": "fine-tuned from the score's network",
    "mdmt_direct": "both tasks",
    "mdmt": "both tasks, from the average of two networks",
    "mdmt_null": "both tasks, scores permuted",
    "oracle": "knows the score and the size of the heart",
}
CELL = ["mode", "outcomes", "scores", "correlation", "shift"]
COLUMNS = [*CELL, "dataset", "arm", "steps", "auc", "accuracy", "auc_inside"]

_TRAINED = ("epochs", "warmup_epochs", "batch_size", "learning_rate", "weight_decay")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a study."""

    outcomes: int
    scores: int
    correlation: float
    shift: str

    @property
    def name(self):
        return f"n{self.outcomes}-s{self.scores}-rho{self.correlation:g}-{self.shift}"


@dataclasses.dataclass(frozen=True)
class Work:
    """Some datasets of a cell, which are computed together.

    Attributes:
        cell: `Cell`.
        datasets: numbers of the datasets.
        seed: of the study.
        section: its settings, `StudySection`.
        training: `TrainingSection`, of which epochs, warmup_epochs, batch_size,
            learning_rate and weight_decay are used.
    """

    cell: Cell
    datasets: tuple[int, ...]
    seed: int
    section: object
    training: object

    @property
    def identity(self):
        """SHA-256 of all that the result depends on."""
        plain = self.section.model_dump(mode="json")
        used = ("shortcut", "label_noise", "validation_fraction", "test_patients")
        return storage.digest_of(
            [
                VERSION,
                dataclasses.asdict(self.cell),
                list(self.datasets),
                self.seed,
                {key: plain[key] for key in used},
                plain["features"]
                | {key: getattr(self.training, key) for key in _TRAINED},
            ]
        )

    @property
    def file_name(self):
        first, last = self.datasets[0], self.datasets[-1]
        return f"{self.cell.name}-d{first}-{last}-{self.identity[:12]}.csv"


def cells_of(section):
    """Every cell of a study, those with few rows first."""
    cells = [
        Cell(*values)
        for values in itertools.product(
            section.outcomes, section.scores, section.correlations, section.shifts
        )
    ]
    return sorted(cells, key=lambda cell: cell.outcomes + cell.scores)


def work_of(config):
    """The work of mode `features`, cell by cell."""
    section = config.study
    blocks = [
        tuple(range(first, min(first + section.together, section.datasets)))
        for first in range(0, section.datasets, section.together)
    ]
    return [
        Work(cell, block, config.seed, section, config.training)
        for block in blocks
        for cell in cells_of(section)
    ]


@dataclasses.dataclass(frozen=True)
class StudyFolder:
    """Paths of a study's files."""

    path: Path

    @property
    def settings(self):
        return self.path / "study.yaml"

    @property
    def results(self):
        return self.path / "results.csv"

    def cell(self, work):
        return self.path / "cells" / work.file_name

    def draw(self, name):
        return self.path / "draws" / name


def together(results):
    """One table of several, all with `COLUMNS`; it may be empty."""
    tables = [pd.DataFrame([], columns=COLUMNS), *results]
    return pd.concat(tables[1:] or tables, ignore_index=True)


def metrics_of(severe: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    """The metrics of patients with an outcome (n,) and P(severe) (n,)."""
    chances = np.stack([1.0 - chance, chance], axis=1)
    rows = WeightedRows.of("binary", severe.astype(int), chances)
    return {
        "auc": float(formulas.auc(rows)[0]),
        "accuracy": float(formulas.accuracy(rows)[0]),
    }
