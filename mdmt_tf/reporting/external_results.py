"""The folder of an external validation: predictions, assessment and manifest.

predictions.csv          one row per image and task, split "external"
predictions_calibrated.csv   likewise with calibrated probabilities, where there are any
predictions_of_runs.csv  likewise for each of several runs, with a column `run`
metrics.json             {"external": {task: {metric: value}}}, by image
assessment.json          metrics with intervals, by patient and by image, and strata
manifest.json            the runs, the dataset and the tasks
"""

import collections
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.reporting.assessed import Assessed, number, opening_clauses
from mdmt_tf.runs import predictions
from mdmt_tf.runs.external import CALIBRATED, EXTERNAL
from mdmt_tf.runs.prediction_checks import Expected, check_metrics, read_checked
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.calibration import Calibration, components_with_classes
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.statistics.stored import FEW_RESAMPLES, differences
from mdmt_tf.tasks import Task, make_task

_AGAIN = "Evaluate again, with --overwrite."


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExternalResults(Assessed):
    """An external validation in memory.

    Attributes:
        folder: where it is.
        manifest: the runs, the dataset and the tasks.
    """

    folder: Path
    manifest: Mapping

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "ExternalResults":
        """Read a folder.

        Raises: DataError when a file is missing or damaged.
        """
        folder = Path(folder)
        try:
            manifest, assessment = (
                json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
                for name in ("manifest", "assessment")
            )
            tasks = tuple(make_task(**facts) for facts in manifest["tasks"])
            facts, count = manifest["dataset"], len(manifest["runs"])
            expected = Expected(
                answers=tasks,
                splits=[EXTERNAL],
                examples={facts["name"]: facts["examples"]},
                are_derived=count == 1,
            )
            path = folder / "predictions.csv"
            path.stat()  # a missing file is the error of the folder
            table = read_checked(path, expected, _AGAIN)
            path, calibrated = folder / CALIBRATED, None
            if path.is_file():
                expected = dataclasses.replace(expected, are_derived=False)
                calibrated = read_checked(path, expected, _AGAIN)
            return cls(
                folder=folder,
                manifest=manifest,
                tasks=tasks,
                assessment=assessment[EXTERNAL],
                table=table,
                calibrated=calibrated,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{folder}: not the folder of an external validation, or damaged "
                f"({error}). Expected what `python -m mdmt_tf.evaluate RUN --on "
                "DATASET` has written."
            ) from error

    @property
    def dataset(self) -> str:
        return self.manifest["dataset"]["name"]

    @property
    def runs(self) -> list[Mapping]:
        return self.manifest["runs"]

    @property
    def calibration_notes(self) -> Mapping[str, str]:
        notes = collections.defaultdict(list)
        for run in self.runs:
            who = f"{run['name']}, " if self.models > 1 else ""
            for component, text in run.get("calibration_notes", {}).items():
                notes[component].append(f"{who}{text}")
        return {component: " ".join(texts) for component, texts in notes.items()}

    @property
    def place(self) -> str:
        return self.dataset

    @property
    def models(self) -> int:
        return len(self.runs)

    @property
    def is_synthetic(self) -> bool:
        return self.manifest["synthetic"]

    @property
    def reference(self) -> str:
        return "own test"

    @property
    def reference_note(self) -> str:
        return "own test: the same metric on the test split of the training data" + (
            ", mean of the runs." if self.models > 1 else "."
        )

    def reference_value(self, task: Task, metric: str, unit: str) -> float:
        values = [
            number(run["own_test"].get(task.name, {}).get(f"by_{unit}", {}).get(metric))
            for run in self.runs
        ]
        return sum(values) / len(values)


def check_metrics_of(results: ExternalResults) -> None:
    """Make sure that metrics and assessment follow from the predictions.

    Raises: DataError that names the file, the task and the key.
    """
    path = results.folder / "metrics.json"
    # No number of the page is from this file, so it may be missing.
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))[EXTERNAL]
        metrics = predictions.metrics_of(results.table, results.tasks)
        labelled = {n: own for n, own in metrics.get(EXTERNAL, {}).items() if own["n"]}
        check_metrics(stored, labelled, f"{path}: {EXTERNAL}", _AGAIN)
    found = assess(results.table, results.tasks, resamples=FEW_RESAMPLES)
    # The probabilities of the file are calibrated; the thresholds are all that is left.
    if results.calibrated is not None:
        known = {
            component.name: Calibration(
                prior_ratio=(1.0,) * component.n_classes,
                operating_points={
                    name: own["threshold"]
                    for name, own in results.assessment[task.name]
                    .get("operating_points", {})
                    .get(component.name, {})
                    .items()
                },
            )
            for task in results.tasks
            for component in components_with_classes([task])
            if (results.calibrated["task"] == component.name).any()
        }
        sections = calibration_sections(
            results.calibrated, results.tasks, known, resamples=FEW_RESAMPLES
        )
        for name, own in sections.items():
            found[name] |= own
    for text in differences(results.assessment, found):
        path = results.folder / "assessment.json"
        raise DataError(f"{path}: {EXTERNAL} {text}. {_AGAIN}")


def sentence(results: ExternalResults) -> str:
    """What came out, for the first tasks."""
    whose, who = "", "the model has not seen"
    if len(results.runs) > 1:
        who = f"none of the {len(results.runs)} models has seen"
        whose = ", for their mean prediction"
    if any(run.get("unknown_starts") for run in results.runs):
        who += ", as far as is known"
    return f"On {results.dataset}, which {who}, {opening_clauses(results)}{whose}."
