"""The cells of one experiment with one backbone, and means over their folds.

An incomplete group has a reason instead of a value, so that no number is an average of
the fits that happen to be finished.
"""

import dataclasses
import functools
from typing import Literal

import pandas as pd

from mdmt_tf.experiments.cells import FINISHED
from mdmt_tf.experiments.results import Results
from mdmt_tf.runs.patients import PATIENT

NAN = float("nan")

Unit = Literal["patient", "image"]
# What identifies a group.
IDENTITY = ["validation", "backbone", "experiment", "task"]


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
        rows: labelled rows of those cells, in the order of seed and fold; of patients,
            see `by_patient`, or of images.
        split: the judged split.
        unit: of the rows and metrics.
    """

    validation: str
    backbone: str
    experiment: str
    task: str
    cells: pd.DataFrame
    metrics: pd.DataFrame
    rows: tuple[pd.DataFrame, ...]
    split: str
    unit: Unit = "image"

    @functools.cached_property
    def shortfall(self) -> str:
        """The number of finished cells, as text; "" when all are finished."""
        total = len(self.cells)
        finished = int((self.cells["state"] == FINISHED).sum())
        if finished == total:
            return ""
        return f"{finished} of {total} {self._unit}"

    @property
    def _unit(self) -> str:
        """What a cell is."""
        return "folds" if self.cells["seed"].nunique() == 1 else "folds x seeds"

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
        values = self._values.get(metric)
        if values is None:
            return Value(reason="not computed")
        undefined = int(values.isna().sum())
        if undefined:
            of = f"{len(values)} {self._unit}"
            return Value(reason=f"undefined in {undefined} of {of}")
        return Value(statistic(values))

    @functools.cached_property
    def _values(self) -> dict[str, pd.Series]:
        """Metric -> its values by seed and fold."""
        values = self.metrics.set_index(["seed", "fold"])
        return dict(list(values.groupby("figure", sort=False)["value"]))

    def count(self) -> tuple[int, int, int]:
        """Numbers of predictions, distinct images and distinct patients."""
        rows = pd.concat(self.rows) if self.rows else pd.DataFrame()
        if rows.empty:
            return 0, 0, 0
        if self.unit == "image":
            images = len(rows.drop_duplicates(["dataset", "image_id"]))
        else:
            images = int(rows.groupby(PATIENT)["images"].max().sum())
        return len(rows), images, len(rows.drop_duplicates(PATIENT))


def groups_of(results: Results) -> dict[tuple[str, str, str, str], Group]:
    """(validation, backbone, experiment, task) -> group, in the order of the grid."""
    metrics = {
        key: rows[["seed", "fold", "figure", "value"]]
        for key, rows in results.metrics.groupby(IDENTITY, sort=False)
    }
    nothing = pd.DataFrame(columns=["seed", "fold", "figure", "value"])
    groups = {}
    for key, cells in results.cells.groupby(IDENTITY[:3], sort=False):
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
