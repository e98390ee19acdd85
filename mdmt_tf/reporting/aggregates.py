"""Means over folds and backbones, defined only where the grid is complete.

Every mean of a table is computed here, by patient and by image.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.differences import Differences
from mdmt_tf.reporting.groups import IDENTITY, Group, Unit, Value, groups_of
from mdmt_tf.runs.patients import by_patient, labelled, unit_of
from mdmt_tf.runs.predictions import metrics_of_rows
from mdmt_tf.statistics.interval import RESAMPLES, Interval
from mdmt_tf.statistics.resampling import bootstrap_intervals


class Aggregates:
    """All groups of a benchmark, with their means and intervals.

    Args:
        results: the results of the benchmark.
        resamples: number of bootstrap resamples; 0 for no intervals.
    """

    def __init__(self, results: Results, resamples: int = RESAMPLES):
        self.results, self.resamples = results, resamples
        self.groups = groups_of(results)
        self._of_fit: dict[tuple[str, str, Unit], Mapping[str, Interval]] = {}
        self._patients: dict[tuple[str, str], tuple[pd.DataFrame, dict]] = {}
        self._by_patient: dict[tuple[str, str, str, str], Group] = {}

    def units(self, task: str) -> tuple[Unit, ...]:
        """What a task is judged by, first things first.

        Returns: ("patient", "image") where patients have several images, and those of a
            patient have the same label, see `unit_of`; otherwise ("image",).
        """
        return self._units[task]

    @functools.cached_property
    def _units(self) -> dict[str, tuple[Unit, ...]]:
        units: dict[str, tuple[Unit, ...]] = {}
        for name, task in self.results.tasks.items():
            # All fits of a fold are judged on the same images.
            of_fold = {
                (group.validation, rows["fold"].iloc[0]): rows
                for group in self.of_task(name)
                for rows in group.rows
            }
            units[name] = ("image",)
            if of_fold:
                keys = ["dataset", "image_id", "task"]
                rows = pd.concat(of_fold.values()).drop_duplicates(keys)
                if unit_of(by_patient(rows, task)) == "patient":
                    units[name] = ("patient", "image")
        return units

    def rows_of_fit(self, fit: str, task: str, unit: Unit) -> pd.DataFrame:
        """The labelled rows of a finished fit, of images or of patients."""
        if unit == "image":
            return self.results.labelled(fit, task)
        return self._of_patients(fit, task)[0]

    def metrics_of_fit(self, fit: str, task: str) -> dict[str, float]:
        """The metrics of a finished fit by patient; none when it has no rows."""
        return self._of_patients(fit, task)[1]

    def _of_patients(self, fit: str, task: str) -> tuple[pd.DataFrame, dict]:
        if (fit, task) not in self._patients:
            rows, of_task = self.results.labelled(fit, task), self.results.tasks[task]
            if len(rows):
                rows = labelled(by_patient(rows, of_task, ["fold"]))
            patients = rows
            metrics = {}
            if len(patients):
                metrics = metrics_of_rows(patients, of_task)
                del metrics["n"]
            self._patients[fit, task] = patients, metrics
        return self._patients[fit, task]

    def metrics_of(self, task: str) -> list[str]:
        """Names of the metrics of the finished fits, in their order."""
        chosen = self.results.metrics[self.results.metrics["task"] == task]
        return list(dict.fromkeys(chosen["figure"]))

    def validations_of(self, task: str) -> list[str]:
        """Validations with rows of the task, or that may have them when finished.

        A complete validation without rows has nothing to show, for example when a
        hospital of another task's dataset is left out.
        """
        found = {g.validation for g in self.of_task(task) if g.rows or g.shortfall}
        return [
            name for name in self.results.benchmark.cross_validation if name in found
        ]

    def of_task(self, task: str) -> list[Group]:
        return [group for key, group in self.groups.items() if key[3] == task]

    def of(
        self, validation: str, experiment: str, task: str, unit: Unit | None = None
    ) -> list[Group]:
        """The groups of an experiment, one per backbone.

        Args:
            unit: of rows and metrics; None: the first unit of the task.
        """
        return [
            self.group(validation, backbone, experiment, task, unit)
            for backbone in self.results.backbones_of(experiment)
        ]

    def group(
        self,
        validation: str,
        backbone: str,
        experiment: str,
        task: str,
        unit: Unit | None = None,
    ) -> Group:
        """One group; `unit` as for `of`."""
        key = (validation, backbone, experiment, task)
        if (unit or self.units(task)[0]) == "image":
            return self.groups[key]
        if key not in self._by_patient:
            self._by_patient[key] = self._of_group(self.groups[key])
        return self._by_patient[key]

    def _of_group(self, group: Group) -> Group:
        """The same group by patient."""
        rows, metrics = [], []
        finished = group.cells[group.cells["state"] == FINISHED]
        for cell in finished.itertuples():
            of_fit = self.rows_of_fit(cell.fit, group.task, "patient")
            if len(of_fit):
                rows.append(of_fit)
                metrics += [
                    (cell.seed, cell.fold, *pair)
                    for pair in self.metrics_of_fit(cell.fit, group.task).items()
                ]
        table = pd.DataFrame(metrics, columns=group.metrics.columns)
        return dataclasses.replace(
            group, metrics=table, rows=tuple(rows), unit="patient"
        )

    def over_backbones(
        self,
        validation: str,
        experiment: str,
        task: str,
        metric: str,
        unit: Unit | None = None,
    ) -> Value:
        """Mean over backbones of the means over folds; all must be complete."""
        groups = self.of(validation, experiment, task, unit)
        means = [group.mean(metric) for group in groups]
        short = [g for g in groups if g.shortfall]
        if short and len(groups) > 1:
            done = len(groups) - len(short)
            return Value(reason=f"{done} of {len(groups)} backbones")
        for mean in means:
            if mean.reason:
                return mean
        return Value(float(np.mean([mean.number for mean in means])))

    def intervals(self, group: Group) -> Mapping[str, Interval]:
        """Intervals of the means over folds; none for an incomplete group."""
        if not self.resamples or group.shortfall or not group.rows:
            return {}
        task = self.results.tasks[group.task]
        return bootstrap_intervals(task, group.rows, resamples=self.resamples)

    def intervals_of_fit(
        self, fit: str, task: str, unit: Unit
    ) -> Mapping[str, Interval]:
        """Intervals of one fit, computed once for all cells that use it."""
        key = (fit, task, unit)
        if key not in self._of_fit:
            rows = self.rows_of_fit(fit, task, unit)
            found: Mapping[str, Interval] = {}
            if self.resamples and len(rows):
                found = bootstrap_intervals(
                    self.results.tasks[task], [rows], resamples=self.resamples
                )
            self._of_fit[key] = found
        return self._of_fit[key]

    @functools.cached_property
    def differences(self) -> Differences:
        """The differences of two experiments."""
        return Differences(self.results)

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """The table `Results.metrics`, of each task in its first unit."""
        tables = [
            self.group(*key).metrics.assign(**dict(zip(IDENTITY, key, strict=True)))
            for key in self.groups
        ]
        return pd.concat(tables, ignore_index=True)

    def largest_split(self, task: str) -> tuple[int, int]:
        """Distinct images, and their patients, of the group with most of them."""
        counts = [group.count()[1:] for group in self.of_task(task)]
        return max(counts, default=(0, 0))
