"""Means over folds and backbones, defined only where the grid is complete.

Every number of a table is computed here. An incomplete group has a reason instead of a
value, so that no number is an average of the fits that happen to be finished.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.statistics.resampling import Interval, bootstrap_intervals

NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class Value:
    """A number, or why there is none."""

    number: float = NAN
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Group:
    """One experiment with one backbone under one validation, for one task.

    Attributes:
        cells: the cells of the group, folds x seeds.
        metrics: seed, fold, figure (the metric's name), value; for the finished cells
            with rows of the judged split.
        rows: labelled rows of those cells, in the order of seed and fold.
        split: the judged split.
    """

    validation: str
    backbone: str
    experiment: str
    task: str
    cells: pd.DataFrame
    metrics: pd.DataFrame
    rows: tuple[pd.DataFrame, ...]
    split: str

    @property
    def shortfall(self) -> str:
        """The number of finished cells, as text; "" when all are finished."""
        total = len(self.cells)
        finished = int((self.cells["state"] == FINISHED).sum())
        if finished == total:
            return ""
        unit = "folds" if self.cells["seed"].nunique() == 1 else "folds x seeds"
        return f"{finished} of {total} {unit}"

    @property
    def folds(self) -> int:
        """Folds with rows of the task."""
        return self.metrics["fold"].nunique()

    def mean(self, metric: str) -> Value:
        """Mean over folds and seeds; all must be finished and define the metric."""
        return self._over_folds(metric, lambda values: float(values.mean()))

    def std(self, metric: str) -> Value:
        """Standard deviation over folds (n - 1), averaged over seeds."""
        return self._over_folds(
            metric,
            lambda values: float(values.groupby("seed").std(ddof=1).mean(skipna=False)),
        )

    def _over_folds(self, metric, statistic) -> Value:
        if self.shortfall:
            return Value(reason=self.shortfall)
        if self.metrics.empty:
            return Value(reason=f"no {self.split} rows")
        chosen = self.metrics[self.metrics["figure"] == metric]
        if chosen.empty:
            return Value(reason="not computed")
        values = chosen.set_index(["seed", "fold"])["value"]
        undefined = int(values.isna().sum())
        if undefined:
            return Value(reason=f"undefined in {undefined} of {len(values)} folds")
        return Value(statistic(values))

    def count(self) -> tuple[int, int, int]:
        """Numbers of predictions, distinct images and distinct patients."""
        rows = pd.concat(self.rows) if self.rows else pd.DataFrame()
        if rows.empty:
            return 0, 0, 0
        images = len(rows.drop_duplicates(["dataset", "image_id"]))
        return len(rows), images, len(rows.drop_duplicates(["dataset", "patient_id"]))


class Aggregates:
    """All groups of a benchmark, with their means and intervals.

    Args:
        results: the results of the benchmark.
        resamples: number of bootstrap resamples; 0 for no intervals.
    """

    def __init__(self, results: Results, resamples: int = 1000):
        self.results, self.resamples = results, resamples
        self.groups = _group(results)
        self._of_fit: dict[tuple[str, str], Mapping[str, Interval]] = {}

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

    def of(self, validation: str, experiment: str, task: str) -> list[Group]:
        """The groups of an experiment, one per backbone."""
        return [
            self.groups[validation, backbone, experiment, task]
            for backbone in self.results.backbones_of(experiment)
        ]

    def over_backbones(
        self, validation: str, experiment: str, task: str, metric: str
    ) -> Value:
        """Mean over backbones of the means over folds; all must be complete."""
        groups = self.of(validation, experiment, task)
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

    def intervals_of_fit(self, fit: str, task: str) -> Mapping[str, Interval]:
        """Intervals of one fit, computed once for all cells that use it."""
        if (fit, task) not in self._of_fit:
            rows = self.results.labelled(fit, task)
            found: Mapping[str, Interval] = {}
            if self.resamples and len(rows):
                found = bootstrap_intervals(
                    self.results.tasks[task], [rows], resamples=self.resamples
                )
            self._of_fit[fit, task] = found
        return self._of_fit[fit, task]

    def largest_split(self, task: str) -> tuple[int, int]:
        """Distinct images, and their patients, of the group with most of them."""
        counts = [group.count()[1:] for group in self.of_task(task)]
        return max(counts, default=(0, 0))

    def judged_twice(self, task: str) -> bool:
        """Whether a complete group judges an image more than once."""
        counts = [g.count() for g in self.of_task(task) if not g.shortfall]
        return any(rows > images for rows, images, _ in counts)


def _group(results: Results) -> dict[tuple[str, str, str, str], Group]:
    """(validation, backbone, experiment, task) -> group, in the order of the grid."""
    keys = ["validation", "backbone", "experiment", "task"]
    metrics = {
        key: rows[["seed", "fold", "figure", "value"]]
        for key, rows in results.metrics.groupby(keys, sort=False)
    }
    nothing = pd.DataFrame(columns=["seed", "fold", "figure", "value"])
    groups = {}
    for key, cells in results.cells.groupby(keys[:3], sort=False):
        cells = cells.sort_values(["seed", "fold"])
        finished = cells.loc[cells["state"] == FINISHED, "fit"]
        for task in results.tasks_of(key[2]):
            labelled = [results.labelled(fit, task) for fit in finished]
            full_key = (*key, task)
            groups[full_key] = Group(
                *full_key,
                cells=cells,
                metrics=metrics.get(full_key, nothing),
                rows=tuple(rows for rows in labelled if len(rows)),
                split=results.split,
            )
    return groups
