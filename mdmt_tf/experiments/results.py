"""The content of a benchmark folder: settings, cells, metrics, predictions.

benchmark.yaml           resolved settings
data.json                which data, how many folds (optional)
correlations.csv         fields of the baselines and the outcome (optional)
grid.csv                 one row per cell of the grid, with the name of its fit
fields.csv               fields that divide the images into strata (optional)
runs/<fit>/              a run folder; several cells may share one
failures/<fit>.json      why a fit failed

Nothing is computed from an image, and TensorFlow is not loaded.
"""

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.config.experiments import Experiments
from mdmt_tf.config.schema import BenchmarkSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import correlations
from mdmt_tf.experiments.agreement import check_agreement
from mdmt_tf.experiments.cells import (
    FAILED,
    FINISHED,
    MISSING,
    again,
    read_cells,
    read_json,
)
from mdmt_tf.experiments.grid import CELL_KEYS, NO_BACKBONE, Folder
from mdmt_tf.experiments.run_results import (
    datasets_of,
    is_synthetic,
    read_run,
    synthetic_images,
)
from mdmt_tf.experiments.settings_file import read_settings, read_weights
from mdmt_tf.runs import predictions
from mdmt_tf.runs.prediction_checks import check_metrics
from mdmt_tf.statistics import fields_file
from mdmt_tf.tasks import Answer, Derived
from mdmt_tf.tasks.derived import comparable, predicted_as
from mdmt_tf.tasks.units import with_units

_NOT_METRICS = ("n",)


@dataclasses.dataclass(frozen=True)
class Results:
    """A benchmark folder in memory.

    Attributes:
        folder, name: where it is, and the name of the experiment.
        tasks: by name, in the order of the configuration; derived answers come last.
        experiments: those of the grid, with its settings.
        cells: one row per cell: `CELL_KEYS`, fit, state (finished, failed, missing),
            error.
        split: the split that the benchmark is judged on. Rows and metrics of the others
            are not read.
        metrics: `CELL_KEYS`, task, figure (the metric's name), value; from
            metrics.json, which must follow from the labelled rows of the split. A fit
            without rows of a task has no row; a metric that is not defined is NaN.
        rows: fit -> its rows of the split, from predictions.csv.
        histories: fit -> history.csv; baselines have none.
        synthetic: whether any of the tested data are synthetic; None when no fit is
            finished.
        synthetic_images: experiment that the folds test -> dataset -> the most
            synthetic images that one of its fits was trained with; without those with
            none.
        datasets: name -> facts, from the manifests.
        correlations: the table of `correlations.csv`, of the patients of all splits;
            None when there is none, or validation is judged.
        fields: the table of `fields.csv`; None when there is none.
        efforts: fit -> steps, images, epochs and seconds of its training; only fits
            that have recorded them.
        devices: fit -> number of devices that have trained it; only fits that have
            recorded them.
        probes: fit -> how well its features tell the dataset of test images; only fits
            that have it. {} when validation is judged.
        weights: backbone -> the weights that fits without a start begin with, such as
            "imagenet"; without random ones.
    """

    folder: Path
    name: str
    split: str
    tasks: Mapping[str, Answer]
    experiments: Experiments
    cells: pd.DataFrame
    metrics: pd.DataFrame
    rows: Mapping[str, pd.DataFrame]
    histories: Mapping[str, pd.DataFrame]
    synthetic: bool | None
    synthetic_images: Mapping[str, Mapping[str, int]]
    datasets: Mapping[str, dict]
    correlations: pd.DataFrame | None
    fields: pd.DataFrame | None
    efforts: Mapping[str, dict]
    devices: Mapping[str, int]
    probes: Mapping[str, dict]
    weights: Mapping[str, str]

    @classmethod
    def read(cls, folder: str | os.PathLike, split: str = "test") -> "Results":
        """Read a folder.

        Args:
            folder: of a benchmark, which may still be running.
            split: the split to judge by, test or validation.
        Raises: DataError when it is not a benchmark folder or a file is damaged.
        """
        files_of = Folder(Path(folder))
        name, tasks, experiments = read_settings(files_of)
        facts = read_json(files_of.data) if files_of.data.is_file() else {}
        units = {
            n: own.get("units", {}) for n, own in facts.get("datasets", {}).items()
        }
        stated = with_units(tuple(tasks.values()), units)
        tasks = {answer.name: answer for answer in stated}
        cells = read_cells(files_of, experiments, facts.get("folds", {}))
        finished = cells.loc[cells["state"] == FINISHED, "fit"].unique()
        answers = list(tasks.values())
        found = {fit: read_run(files_of.run(fit), split, answers) for fit in finished}
        manifests = {fit: run.manifest for fit, run in found.items()}
        experiment_of = dict(zip(cells["fit"], cells["experiment"], strict=True))
        tested = {
            fit: manifest
            for fit, manifest in manifests.items()
            if experiments.is_tested(experiment_of[fit])
        }
        check_agreement(files_of, cells, found, facts, tasks, split)
        results = cls(
            folder=files_of.path,
            name=name,
            split=split,
            tasks=tasks,
            experiments=experiments,
            cells=cells,
            metrics=pd.DataFrame(),
            rows={fit: run.rows for fit, run in found.items()},
            histories={
                fit: run.history
                for fit, run in found.items()
                if run.history is not None
            },
            synthetic=is_synthetic(facts, tested.values(), experiments.auxiliary),
            synthetic_images=synthetic_images(tested, experiment_of),
            datasets=datasets_of([facts, *manifests.values()]),
            correlations=(
                correlations.read(files_of.correlations)
                if split == "test" and files_of.correlations.is_file()
                else None
            ),
            fields=(
                fields_file.read(files_of.fields) if files_of.fields.is_file() else None
            ),
            efforts={fit: run.effort for fit, run in found.items() if run.effort},
            devices={fit: run.devices for fit, run in found.items() if run.devices},
            probes={
                fit: run.probe
                for fit, run in found.items()
                if run.probe and split == "test"
            },
            weights=read_weights(files_of, experiments.section),
        )
        stored = {fit: run.metrics for fit, run in found.items()}
        return dataclasses.replace(results, metrics=_metrics(results, stored))

    @property
    def benchmark(self) -> BenchmarkSection:
        """The settings of the benchmark."""
        return self.experiments.section

    @property
    def terms(self) -> tuple[str, ...]:
        """The tasks that derived answers follow from, such as the zones of a sum."""
        derived = [one for one in self.tasks.values() if isinstance(one, Derived)]
        terms = {name for one in derived for name in one.terms}
        return tuple(name for name in self.tasks if name in terms)

    def tasks_of(self, experiment: str) -> tuple[str, ...]:
        """The tasks and derived answers in which an experiment has results.

        Also a derived answer whose label one of its tasks has, see `predicted_as`. None
        where all that it reads is auxiliary: its test images are those of no fold.
        """
        if not self.experiments.is_tested(experiment):
            return ()
        return comparable(self.trained_by(experiment), self.tasks.values())

    def trained_by(self, experiment: str) -> tuple[str, ...]:
        """The tasks that an experiment, or a baseline, is trained to predict."""
        return self.experiments.tasks_of(experiment)

    def predicted_as(self, experiment: str, task: str) -> Answer:
        """What an experiment predicts with the label of a task: mostly the task.

        In a derived answer, experiments that do not train all tasks of the sum have the
        results of the task with the same label.
        """
        return predicted_as(self.tasks[task], self.trained_by(experiment))

    def is_baseline(self, experiment: str) -> bool:
        return experiment in self.benchmark.baselines

    def is_permuted(self, experiment: str, task: str) -> bool:
        """Whether an experiment is trained with permuted labels of a task."""
        section = self.experiments.resolved.get(experiment)
        if section is None:
            return False
        answer = self.predicted_as(experiment, task)
        names = answer.terms if isinstance(answer, Derived) else (answer.name,)
        return not set(section.null).isdisjoint(names)

    def experiments_of(
        self, task: str, validation: str, *, with_fractions: bool = True
    ) -> list[str]:
        """Experiments of the grid that predict the task; baselines come last.

        Args:
            with_fractions: whether those with a fraction of the labels are included.
        """
        here = set(self.cells.loc[self.cells["validation"] == validation, "experiment"])
        known = [*self.experiments.resolved, *self.benchmark.baselines]
        return [
            name
            for name in known
            if name in here
            and task in self.tasks_of(name)
            and (with_fractions or not parse_variant(name)[1])
        ]

    def pairs(self, task: str, validation: str) -> list[tuple[str, str]]:
        """The pairs to compare, (candidate, other), of those that predict the task.

        Without those of which one has permuted labels of the task, see `unlike`.
        """
        left_out = self.unlike(task, validation)
        return [p for p in self._declared(task, validation) if p not in left_out]

    def unlike(self, task: str, validation: str) -> list[tuple[str, str]]:
        """Declared pairs of which one is trained with permuted labels of the task.

        Its other tasks can be compared; in this one it is worse by construction.
        """
        return [
            pair
            for pair in self._declared(task, validation)
            if any(self.is_permuted(name, task) for name in pair)
        ]

    def _declared(self, task: str, validation: str) -> list[tuple[str, str]]:
        here = self.experiments_of(task, validation)
        return [pair for pair in self.experiments.compared if set(pair) <= set(here)]

    def backbones_of(self, experiment: str) -> tuple[str, ...]:
        """`none` for a baseline, else all of the benchmark."""
        if self.is_baseline(experiment):
            return (NO_BACKBONE,)
        return self.benchmark.backbones

    def labelled(self, fit: str, task: str) -> pd.DataFrame:
        """The labelled rows of a finished fit; none when it has none."""
        answer = self.tasks[task]
        own = predicted_as(answer, self._trained_by_fit[fit]) or answer
        rows = predictions.labelled_rows(self.rows[fit], own)
        if own is answer:
            return rows
        added = set(answer.probability_columns) - set(own.probability_columns)
        return rows.assign(task=task, **dict.fromkeys(added, float("nan")))

    @functools.cached_property
    def _trained_by_fit(self) -> dict[str, set[str]]:
        """Fit -> the tasks of its experiments."""
        found: dict[str, set[str]] = {}
        for fit, experiment in zip(
            self.cells["fit"], self.cells["experiment"], strict=True
        ):
            found.setdefault(fit, set()).update(self.trained_by(experiment))
        return found

    def rows_of(self, experiment: str, validation: str, task: str) -> pd.DataFrame:
        """The labelled rows of all finished cells of an experiment, for comparisons.

        Args:
            experiment: of the grid, or a baseline.
            validation: name of a cross-validation.
            task: name of a task.
        Returns: the columns of `predictions.csv`, with those of the cell: backbone,
            seed, and fold, which is numbered over repeats: `fold // folds` is the
            repeat. Rows of a fit that several cells share appear once for each cell.
        """
        chosen = self.cells[
            (self.cells["validation"] == validation)
            & (self.cells["experiment"] == experiment)
            & (self.cells["state"] == FINISHED)
        ]
        tables = [
            self.labelled(cell.fit, task).assign(
                backbone=cell.backbone, seed=cell.seed, fold=cell.fold
            )
            for cell in chosen.sort_values(CELL_KEYS).itertuples()
        ]
        if not tables:
            of_row = [*predictions.ROW_KEYS, "target", "prediction"]
            return pd.DataFrame(columns=[*of_row, "backbone", "seed"])
        return pd.concat(tables, ignore_index=True)

    def counts(self) -> dict[str, int]:
        """state -> number of cells."""
        return {
            state: int((self.cells["state"] == state).sum())
            for state in (FINISHED, FAILED, MISSING)
        }

    def failures(self) -> pd.DataFrame:
        """fit, cells, error of each fit that failed, in the order of the grid."""
        failed = self.cells[self.cells["state"] == FAILED]
        grouped = failed.groupby("fit", sort=False)
        return pd.DataFrame(
            [(fit, len(rows), rows["error"].iloc[0]) for fit, rows in grouped],
            columns=["fit", "cells", "error"],
        )


def _metrics(results: Results, stored: Mapping[str, dict]) -> pd.DataFrame:
    """The long table. Checks that the metrics belong to the rows of predictions.csv."""
    of_fit: dict[tuple[str, str], dict] = {}
    rows = []
    for cell in results.cells[results.cells["state"] == FINISHED].itertuples():
        for task in results.tasks_of(cell.experiment):
            key = (cell.fit, task)
            if key not in of_fit:
                own = results.predicted_as(cell.experiment, task)
                found = _checked(results, cell.fit, own, stored[cell.fit])
                if found:
                    of_task = results.tasks[task]
                    labelled = results.labelled(cell.fit, task)
                    if own.name != task:
                        found = predictions.metrics_of_rows(labelled, of_task)
                    found = _without_counts(found)
                of_fit[key] = found
            identity = tuple(getattr(cell, name) for name in CELL_KEYS)
            for metric, value in of_fit[key].items():
                rows.append((*identity, task, metric, value))
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "task", "figure", "value"])


def _checked(results: Results, fit: str, task: Answer, stored: dict) -> Mapping:
    """The metrics of one fit and task; empty when it has no rows.

    Their names are those of metrics.json, and their values follow from the rows: those
    of earlier versions may be over the classes present only.
    """
    path = Folder(results.folder).run(fit).metrics
    metrics = stored.get(task.name, {})
    if not isinstance(metrics, Mapping):
        raise DataError(
            f"{path}: {results.split}: {task.name}: expected metrics by name; "
            f"{again(path)}"
        )
    rows = predictions.labelled_rows(results.rows[fit], task)
    stated, found = metrics.get("n") or 0, len(rows)
    if stated != found:
        raise DataError(
            f"{path}: states {stated} labelled {results.split} rows of {task.name}; "
            f"predictions.csv has {found}. One of them is damaged; {again(path)}"
        )
    if not found:
        return {}
    computed = predictions.metrics_of_rows(rows, task)
    where = f"{path}: {results.split}"
    check_metrics(
        {task.name: metrics},
        {task.name: computed},
        where,
        f"Restore it, or {again(path)}",
    )
    return {name: computed.get(name) for name in metrics}


def _without_counts(metrics: Mapping) -> dict[str, float]:
    # JSON has no NaN; null means "not defined".
    return {
        name: float("nan") if value is None else float(value)
        for name, value in metrics.items()
        if name not in _NOT_METRICS
    }
