"""The folder of a finished run in memory, as its page shows it."""

import dataclasses
import os
from collections.abc import Mapping

import pandas as pd

from mdmt_tf.config.schema import Config
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.histories import read_history
from mdmt_tf.models.weights import lineage
from mdmt_tf.reporting.assessed import Assessed, number, opening_clauses
from mdmt_tf.reporting.marks import SYNTHETIC, VALIDATION
from mdmt_tf.reporting.one_run.strata import strata_of
from mdmt_tf.runs import predictions
from mdmt_tf.runs.flow import PatientFlow, patient_flow
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.kept_epoch import kept_epoch, not_chosen
from mdmt_tf.runs.manifest import synthetic_note
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.calibration import Calibrations, calibrate_table
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.statistics.stored import FEW_RESAMPLES, check_run, differences
from mdmt_tf.tasks import Answer, Derived


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RunResults(Assessed):
    """A finished run.

    Attributes:
        run: its folder.
        config: its settings.
        manifest: of the run.
        split: "test", or "validation" where that was requested or nothing is in test.
        history: `history.csv`; None without one.
        flow: flow of patients.
        validation: task -> its part of `assessment.json` for validation; {} without.
        calibrations: of the run, by component.
        resamples: number of resamples of the intervals; 0: none.
    """

    run: RunFolder
    config: Config
    manifest: Mapping
    split: str
    history: pd.DataFrame | None
    flow: PatientFlow
    validation: Mapping
    calibrations: Calibrations
    resamples: int

    @classmethod
    def read(
        cls,
        folder: str | os.PathLike | RunFolder,
        split: str = "test",
        resamples: int = RESAMPLES,
    ) -> "RunResults":
        """Read a finished run, and check that its numbers follow from its predictions.

        Args:
            folder: of the run.
            split: rows to judge by. With validation, no number is of test rows.
            resamples: of the intervals that are not in `assessment.json`.
        Raises: DataError for a run that is not finished, or whose files are missing,
            damaged or contradict one another.
        """
        run = folder if isinstance(folder, RunFolder) else RunFolder.open(folder)
        run.require_finished()
        if split == "test":
            check_run(run)
        try:
            return cls._read(run, split, resamples)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{run.path}: the files of this run are damaged ({error!r}). Restore "
                "them, or train again."
            ) from error

    @classmethod
    def _read(cls, run: RunFolder, split: str, resamples: int) -> "RunResults":
        config, manifest = run.settings(), run.read_json(run.manifest)
        answers = run.read_answers(config)
        table = predictions.read(run.predictions, split)
        if split == "test" and table.empty:
            split, table = "validation", predictions.read(run.predictions, "validation")
        calibrations = calibration.read(run)
        calibrated = None
        # They were fitted to the rows of validation.
        if split == "test" and calibrations:
            calibrated = calibrate_table(table, answers, calibrations)
        stored = run.read_json(run.assessment) if run.assessment.is_file() else {}
        if split in stored and resamples:
            assessment = stored[split]
            if split != "test":
                _check(run, assessment, assess(table, answers, resamples=FEW_RESAMPLES))
        else:
            assessment = _assess(table, answers, calibrations, calibrated, resamples)
        for answer in answers:
            own = assessment[answer.name]
            own["strata"] = strata_of(
                run, table, answer, unit=own["unit"], resamples=resamples
            )
        return cls(
            tasks=_in_order(answers, config.training.select_on.task),
            assessment=assessment,
            table=table,
            calibrated=calibrated,
            run=run,
            config=config,
            manifest=manifest,
            split=split,
            history=read_history(run, manifest),
            flow=patient_flow(run, config),
            validation=stored.get("validation", {}),
            calibrations=calibrations,
            resamples=resamples,
        )

    @property
    def place(self) -> str:
        return f"the {self.split} split"

    @property
    def is_synthetic(self) -> bool:
        return bool(self.manifest["synthetic"])

    @property
    def calibration_notes(self) -> Mapping[str, str]:
        return calibration.notes_of(self.calibrations)

    @property
    def judges_test(self) -> bool:
        """Whether any number is of test rows."""
        return self.split == "test"

    @property
    def reference(self) -> str:
        """Metrics of the split that selected the epoch, beside those of test."""
        return "validation" if self.split == "test" else ""

    @property
    def reference_note(self) -> str:
        if self.not_chosen:
            return f"validation: the same metric; {self.not_chosen}."
        return "validation: the same metric on the rows that selected the epoch."

    @property
    def not_chosen(self) -> str:
        """Why the validation rows have chosen no epoch; "" if they have."""
        history, selection = self.history, self.config.training.select_on
        if history is None or "selected" not in history:
            return ""
        chosen = kept_epoch(history, selection).chosen
        return "" if chosen else not_chosen(selection)

    def reference_value(self, task: Answer, metric: str, unit: str) -> float:
        own = self.validation.get(task.name, {}).get(f"by_{unit}", {})
        return number(own.get("metrics", {}).get(metric, {}).get("value"))

    @property
    def marks(self) -> list[str]:
        """What to know before any number, as sentences."""
        marks = [SYNTHETIC] if self.is_synthetic else []
        if not self.is_synthetic and (note := synthetic_note(self.manifest)):
            marks.append(f"The model was {note}. All numbers here are of real images.")
        if self.split == "validation":
            marks.append(self._mark_of_validation)
        return marks

    @property
    def _mark_of_validation(self) -> str:
        if self.table.empty:
            return "No row can be judged."
        if self.not_chosen:
            return f"VALIDATION rows; {self.not_chosen}. No test row was read."
        return VALIDATION

    @property
    def sentence(self) -> str:
        """What came out."""
        if self.table.empty:
            return (
                f"The run {self.run.path.name} has no rows in validation and test, so "
                "nothing can be said about it."
            )
        what = "On the validation split"
        if self.split == "test":
            what = "On the test split, which the model has not seen"
            if lineage.of_manifest(self.manifest)[lineage.UNKNOWN]:
                what += ", as far as is known"
        elif not self.not_chosen:
            what += ", which chose the epoch of the model"
        return f"{what}, {opening_clauses(self)}."


def _in_order(answers: tuple[Answer, ...], selecting: str) -> tuple[Answer, ...]:
    """The task that selects the epoch first, those that feed a derived answer last."""
    derived = [answer for answer in answers if isinstance(answer, Derived)]
    terms = {name for answer in derived for name in answer.terms}
    return tuple(
        sorted(answers, key=lambda own: (own.name != selecting, own.name in terms))
    )


def _assess(table, answers, calibrations, calibrated, resamples) -> dict[str, dict]:
    """As in `assessment.json`, where a run of an earlier version lacks it."""
    options = {"resamples": max(resamples, FEW_RESAMPLES)}
    found = assess(table, answers, **options)
    if calibrated is not None:
        sections = calibration_sections(table, answers, calibrations, **options)
        for name, own in sections.items():
            found[name] |= own
    return found if resamples else without_intervals(found)


def _check(run: RunFolder, stored: Mapping, found: Mapping) -> None:
    for text in differences(stored, found):
        raise DataError(
            f"{run.assessment}: {text}. Restore the run {run.path}, or train it again."
        )


def without_intervals(values):
    """Plain values of an assessment whose intervals are not known."""
    if not isinstance(values, Mapping):
        return values
    cleared = {key: without_intervals(own) for key, own in values.items()}
    ends = {key: None for key in ("low", "high") if key in cleared}
    return cleared | ends
