"""External validation: finished runs on a dataset that none of them has seen."""

import dataclasses
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

import mdmt_tf
from mdmt_tf import storage
from mdmt_tf.data.label_notes import fields_read, numbers_read
from mdmt_tf.data.seen_images import check_unseen_images
from mdmt_tf.data.sources import PreparedDataset, open_dataset, open_datasets, units_of
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.weights import lineage, provenance
from mdmt_tf.runs import predictions
from mdmt_tf.runs.evaluation import Evaluation, check_unseen, check_unseen_pixels
from mdmt_tf.runs.external import (
    CALIBRATED,
    EXTERNAL,
    MANIFEST,
    Request,
    choose_labels,
    choose_preprocessing,
    fed_by,
    not_judged,
)
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.runs.patients import by_patient, labelled
from mdmt_tf.serving.evaluation import evaluate_on
from mdmt_tf.splits.split import Split
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.calibration import Calibrations
from mdmt_tf.statistics.calibration_of_runs import mean_calibrated
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.statistics.stored import check_run
from mdmt_tf.statistics.strata import (
    assess_strata,
    labels_of_dataset,
    stratum_fields,
)
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.alike import meaningless
from mdmt_tf.tasks.units import with_units

logger = logging.getLogger(__name__)

OF_RUNS = "predictions_of_runs.csv"
ASSESSMENT = "assessment.json"

Progress = Callable[[int, int], object]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """Predictions of one run or several for a dataset that they have not seen.

    Attributes:
        request: the runs and what was given.
        dataset: the dataset.
        tasks: the evaluated tasks, fed by the dataset alone.
        of_runs: the evaluation of each run.
        whole: the evaluation of the mean prediction; that of the run if it is one.
        calibrated: predictions of the whole with calibrated probabilities; no rows if
            a run has no calibration.
        calibrations: of these predictions, see `mean_calibrated`.
    """

    request: Request
    dataset: PreparedDataset
    tasks: tuple[Task, ...]
    of_runs: tuple[Evaluation, ...]
    whole: Evaluation
    calibrated: pd.DataFrame
    calibrations: Calibrations

    @property
    def statistics(self) -> list[str]:
        """What normalised the images, each text once; see `Evaluation`."""
        texts = dict.fromkeys(found.statistics for found in self.of_runs)
        return [text for text in texts if text]

    @property
    def not_judged(self) -> dict[str, Any]:
        """See `mdmt_tf.runs.external.not_judged`."""
        return not_judged(self.request, self.dataset.name, self.tasks)

    @property
    def fields_read(self) -> dict[str, str]:
        """See `label_notes.fields_read`."""
        return fields_read(self.tasks, self.dataset.name)

    @property
    def numbers_read(self) -> dict[str, str]:
        """See `label_notes.numbers_read`."""
        return numbers_read(self.tasks, [self.dataset])


def open_unseen(
    request: Request,
    progress: Progress = lambda done, total: None,
    prepared: Callable[[Any], object] = lambda folder: None,
) -> PreparedDataset:
    """Open the dataset, which is prepared first if it is declared and not prepared.

    Args:
        request: the runs, and the dataset.
        progress: called with (images done, all images) while it is prepared.
        prepared: called with the `PreparedFolder` of a dataset that was not there.
    Raises: DataError for a dataset that is not prepared as the training data, or cannot
        be; or is one of the run. LeakageError when a run has seen its images, under
        whatever names.
    """
    if request.declaration is not None:
        folder = _prepare(request, progress)
        if not folder.reused:
            prepared(folder)
    preprocessing = choose_preprocessing(request)
    dataset = open_dataset(request.data_dir, request.dataset, preprocessing)
    seen = []
    for run in request.runs:
        # What it says about its own images is read, too.
        check_run(run)
        seen.append(check_unseen(run, dataset))
    _check_images(request, dataset, seen)
    return dataset


def _check_images(
    request: Request, dataset: PreparedDataset, seen: Sequence[Sequence[str]]
) -> None:
    """Compare the images with those of the training, as far as these are there.

    Args:
        seen: of `check_unseen`, for each run.
    """
    # Folds and seeds have the same datasets, which are compared once.
    groups: dict[tuple, dict[str, set[str]]] = {}
    for run in request.runs:
        config, split = run.settings(), Split.read(run.split)
        places = config.dataset_versions
        used = groups.setdefault((config.data_dir, tuple(sorted(places.items()))), {})
        for name in places:
            lists = split.datasets.get(name, {})
            images = {*lists.get("train", ()), *lists.get("validation", ())}
            used.setdefault(name, set()).update(images)
    for (data_dir, places), used in groups.items():
        trained = []
        for name, place in places:
            try:
                trained += open_datasets(data_dir, {name: place})
            except DataError as error:
                text = "%s: not compared with the images of the training of %s: %s"
                logger.warning(text, dataset.folder, name, error)
        if trained:
            check_unseen_images(dataset, trained, used, request.allow_identical)
    for run, images in zip(request.runs, seen, strict=True):
        check_unseen_pixels(run, dataset, images, request.allow_identical)


def _prepare(request: Request, progress: Progress):
    """Prepare the declared dataset as the runs need it, unless it is."""
    from mdmt_tf.datasets._shared import choice, prepare

    ((builder, config),) = choice.declared(
        request.declaration,
        request.manual_dir,
        request.preprocessings[0],
        request.data_dir,
    ).items()
    return prepare.prepare_dataset(
        builder,
        request.manual_dir,
        request.data_dir,
        config=config,
        progress=progress,
    )


def evaluate_runs(
    request: Request,
    dataset: PreparedDataset,
    progress: Progress = lambda done, total: None,
) -> External:
    """Predict every image of the dataset with each run.

    Args:
        progress: called with (images done, all images), over all runs.
    Raises: ConfigError, DataError as `choose_labels` and `evaluate_on`.
    """
    fields = choose_labels(request, dataset)
    count, evaluations = len(dataset), []
    for number, run in enumerate(request.runs):

        def of_run(done, total, before=number * count):
            progress(before + done, count * len(request.runs))

        evaluations.append(
            evaluate_on(
                run,
                dataset,
                fields,
                progress=of_run,
                statistics_of=request.statistics_of,
            )
        )
    fed = fed_by(request.tasks, dataset.name, fields)
    tasks = with_units(fed, units_of([dataset]))
    whole = evaluations[0]
    tables = [evaluation.predictions for evaluation in evaluations]
    if len(evaluations) > 1:
        table = predictions.mean_of_runs(tables, tasks)
        metrics = predictions.metrics_of(table, tasks)
        whole = Evaluation(predictions=table, metrics=metrics)
    stored = [calibration.read(run) for run in request.runs]
    calibrated, calibrations = mean_calibrated(tables, stored, tasks)
    return External(
        request=request,
        dataset=dataset,
        tasks=tasks,
        of_runs=tuple(evaluations),
        whole=whole,
        calibrated=calibrated,
        calibrations=calibrations,
    )


def assess_external(result: External, resamples: int = RESAMPLES) -> dict[str, dict]:
    """{"external": {task: ...}}: `assess` of the whole, with more.

    Returns: as `assessment.json` of a run, with the sections on calibration; and for
        each task
        strata: see `assess_strata`, for the fields of `stratum_fields`.
        runs: {run: {metric: value}} by the unit of the task, for several runs.
    """
    table, dataset = result.whole.predictions, result.dataset
    found = assess(table, result.tasks, resamples=resamples)
    sections = calibration_sections(
        result.calibrated, result.tasks, result.calibrations, resamples=resamples
    )
    for name, own in sections.items():
        found[name] |= own
    labels = labels_of_dataset(dataset.name, result.tasks, dataset.declared_labels)
    fields = stratum_fields(dataset.table, leave_out=labels)
    images = [str(name) for name in dataset.table["image_id"]]
    texts = {
        name: dict(zip(images, values.tolist(), strict=True))
        for name, values in fields.items()
    }
    for task in result.tasks:
        own = found[task.name]
        own["strata"] = assess_strata(
            table, task, texts, unit=own["unit"], resamples=resamples
        )
        if len(result.of_runs) > 1:
            own["runs"] = _metrics_of_runs(result, task, own["unit"])
    return {EXTERNAL: found}


def _metrics_of_runs(result: External, task: Task, unit: str) -> dict[str, dict]:
    """{run: {metric: value}}, without intervals."""
    found = {}
    for name, evaluation in zip(result.request.run_names, result.of_runs, strict=True):
        rows = predictions.labelled_rows(evaluation.predictions, task)
        if unit == "patient":
            rows = labelled(by_patient(rows, task))
        found[name] = predictions.metrics_of_rows(rows, task)
        del found[name]["n"]
    return found


def write(result: External, assessment: dict, folder: Path) -> None:
    """Write predictions, metrics, assessment and manifest into an existing folder."""
    result.whole.write(folder)
    if len(result.of_runs) > 1:
        tables = [
            evaluation.predictions.assign(run=name)
            for name, evaluation in zip(
                result.request.run_names, result.of_runs, strict=True
            )
        ]
        predictions.write(pd.concat(tables, ignore_index=True), folder / OF_RUNS)
    if len(result.calibrated):
        predictions.write(result.calibrated, folder / CALIBRATED)
    storage.write_json(folder / ASSESSMENT, assessment)
    storage.write_json(folder / MANIFEST, describe(result))


def describe(result: External) -> dict:
    """The manifest: the runs, the data, and the labels."""
    request = result.request
    runs = [
        {"name": name, "path": str(run.path), **_own_test(run, result.tasks)}
        for name, run in zip(request.run_names, request.runs, strict=True)
    ]
    for run, found in zip(runs, result.of_runs, strict=True):
        if found.statistics:
            run["statistics"] = found.statistics
    for run, folder in zip(runs, request.runs, strict=True):
        if notes := calibration.notes_of(calibration.read(folder)):
            run["calibration_notes"] = notes
    facts = {"name": result.dataset.name, **result.dataset.describe()}
    evaluated = [task.name for task in result.tasks]
    taught = [set(run.settings().taught_tasks) for run in request.runs]
    reasons = meaningless(request.tasks, set.intersection(*taught))
    return {
        "mdmt_tf": mdmt_tf.__version__,
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "written": storage.now(),
        # The runs say whether they were trained with synthetic images.
        "synthetic": facts["synthetic"],
        "dataset": facts,
        "images": len(result.dataset),
        "tasks": [task.to_plain() for task in result.tasks],
        "meaningless": {n: text for n, text in reasons.items() if n in evaluated},
        "numbers_read": result.numbers_read,
        "not_judged": result.not_judged,
        "fields_read": result.fields_read,
        "runs": runs,
        **({"statistics_of": request.statistics_of} if request.statistics_of else {}),
    }


def _own_test(run: RunFolder, tasks: Sequence[Task]) -> dict:
    """What the run's own test split said, to compare with."""
    manifest = run.read_json(run.manifest)
    facts = {"synthetic": manifest["synthetic"], "experiment": manifest["experiment"]}
    facts |= {"trained_on": data_note(manifest)}
    facts |= {provenance.NOTE: manifest.get(provenance.NOTE, {})}
    facts |= {"unknown_starts": lineage.of_manifest(manifest)[lineage.UNKNOWN]}
    if run.assessment.is_file():
        own = run.read_json(run.assessment).get("test", {})
        metrics = {
            task.name: {
                f"by_{unit}": {
                    name: entry["value"]
                    for name, entry in own[task.name][f"by_{unit}"]["metrics"].items()
                }
                for unit in ("patient", "image")
            }
            for task in tasks
            if task.name in own
        }
    else:
        # Of an earlier version, which had metrics by image only.
        own = run.read_json(run.metrics).get("test", {})
        metrics = {
            task.name: {
                "by_image": {k: v for k, v in own[task.name].items() if k != "n"}
            }
            for task in tasks
            if task.name in own
        }
    return {**facts, "own_test": metrics}


def write_folder(result: External, then: Callable[[Path], T]) -> T:
    """Make the folder of the request; it appears whole or not at all.

    Args:
        then: called with the folder under the name that it has until it is complete,
            for more files.
    Returns: the result of `then`.
    Raises: ConfigError when the folder cannot be made, or exists by now.
    """
    folder, overwrite = result.request.out, result.request.overwrite
    assessment = assess_external(result)
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        # mkdtemp makes a folder that other users cannot read.
        partial.chmod(0o755)
        write(result, assessment, partial)
        made = then(partial)
        if overwrite and os.path.lexists(folder):
            old = partial.with_name(f"{partial.name}.old")
            folder.rename(old)
            partial.rename(folder)
            shutil.rmtree(old)
        else:
            # Fails if another process has made it in the meantime.
            partial.rename(folder)
        return made
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written: {error.strerror}. Choose another folder "
            "(--out DIR)."
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
