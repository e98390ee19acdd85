"""What a report needs of one finished run, from the files of its folder."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mdmt_tf.config import files
from mdmt_tf.data.sampling import draws_per_dataset
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments.cells import again, read_json, remedy
from mdmt_tf.experiments.histories import read_history
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.prediction_checks import Expected, read_checked
from mdmt_tf.splits.split import Split
from mdmt_tf.tasks import Answer, Task


@dataclasses.dataclass(frozen=True)
class FitResults:
    """The content of a run folder, of one split.

    Attributes:
        rows: rows of the split, from predictions.csv.
        metrics: task -> metrics of the split, from metrics.json.
        manifest: manifest.json.
        history: history.csv; None for a baseline.
        probe: features_probe.json; None where there is none.
    """

    rows: pd.DataFrame
    metrics: dict[str, dict]
    manifest: dict[str, Any]
    history: pd.DataFrame | None
    probe: dict[str, Any] | None

    @property
    def effort(self) -> dict[str, float]:
        """Steps, images and seconds of the training; {} where they are not recorded."""
        effort = self.manifest.get("effort")
        return effort if isinstance(effort, dict) else {}

    @property
    def devices(self) -> int:
        """Number of the devices of the training; 0 where they are not recorded."""
        devices = self.manifest.get("devices")
        return len(devices) if isinstance(devices, list) else 0


def read_run(
    run: RunFolder, split: str, answers: Sequence[Answer] | None = None
) -> FitResults:
    """Read and check a finished run.

    Args:
        run: its folder.
        split: the split whose rows and metrics are read.
        answers: all tasks and derived answers that its rows may be of; None: their
            numbers are not checked.
    Raises: DataError when a file is missing, damaged, or contradicts another.
    """
    manifest = read_json(run.manifest)
    metrics = read_json(run.metrics).get(split, {})
    if not isinstance(metrics, dict):
        raise DataError(
            f"{run.metrics}: {split}: expected metrics by task; {again(run.metrics)}"
        )
    rows = _rows(run, split, answers, manifest)
    return FitResults(
        rows=rows,
        metrics=metrics,
        manifest=manifest,
        history=read_history(run, manifest),
        probe=_probe(run),
    )


def training_rows(run: RunFolder, task: Task) -> pd.DataFrame:
    """The labelled training rows of a task.

    Raises: DataError when predictions.csv is damaged.
    """
    return predictions.labelled_rows(_rows(run, "train", [task]), task)


def training_labels(run: RunFolder, task: Task) -> tuple[int, int]:
    """The numbers of labelled training images of a task, and of their patients.

    Raises: DataError when predictions.csv is damaged.
    """
    rows = training_rows(run, task)
    images = len(rows.drop_duplicates(["dataset", "image_id"]))
    return images, len(rows.drop_duplicates(["dataset", "patient_id"]))


def training_patients(run: RunFolder, dataset: str) -> int:
    """The number of patients of a dataset that a run was trained with.

    Raises: DataError when predictions.csv is damaged.
    """
    rows = _rows(run, "train")
    return rows.loc[rows["dataset"] == dataset, "patient_id"].nunique()


def datasets_of(sources: Iterable[Mapping]) -> dict[str, dict]:
    """Facts of each dataset, by name."""
    datasets: dict[str, dict] = {}
    for source in sources:
        for dataset, facts in source.get("datasets", {}).items():
            datasets.setdefault(dataset, facts)
    return dict(sorted(datasets.items()))


def is_synthetic(
    facts: Mapping, manifests: Collection[Mapping], auxiliary: Collection[str] = ()
) -> bool | None:
    """Whether any of the tested data are synthetic; None when not recorded.

    Args:
        facts: of `data.json`, for a benchmark without a finished fit.
        manifests: of the fits that the folds test.
        auxiliary: the datasets that no fold tests.
    """
    stated = [own["synthetic"] for own in manifests if "synthetic" in own]
    if not stated and not manifests:
        stated = [
            own["synthetic"]
            for name, own in facts.get("datasets", {}).items()
            if "synthetic" in own and name not in auxiliary
        ]
    return any(stated) if stated else None


def synthetic_images(
    manifests: Mapping[str, Mapping], experiment_of: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """See `Results.synthetic_images`; of several fits, the largest numbers."""
    found: dict[str, dict[str, int]] = {}
    for fit, manifest in manifests.items():
        # Fits of earlier versions have no such key.
        if images := manifest.get(provenance.NOTE):
            name = experiment_of[fit]
            found[name] = provenance.largest(found.get(name, {}), images)
    return found


def _rows(
    run: RunFolder,
    split: str,
    answers: Sequence[Answer] | None = None,
    manifest: Mapping | None = None,
) -> pd.DataFrame:
    """The checked rows of a split.

    Args:
        answers: see `read_run`. Of the training rows, others are allowed.
        manifest: of the run; None: its numbers of images are not checked.
    """
    lists, fold, examples = None, None, None
    is_listed = run.tasks.is_file() or "baseline" in (manifest or {})
    # What writes one of these files writes the lists of the fold, too.
    if is_listed or run.split.is_file():
        made = Split.read(run.split)
        lists, fold = made.datasets, made.fold
        examples = _examples(run, manifest or {})
    expected = Expected(
        answers=answers or (),
        others=answers is None or split == "train",
        splits=[split],
        fold=fold,
        lists=lists,
        examples=examples,
    )
    return read_checked(run.predictions, expected, remedy(run.predictions), split)


def _examples(run: RunFolder, manifest: Mapping) -> dict[str, int] | None:
    """Dataset -> number of its images, where the manifest states them."""
    datasets = manifest.get("datasets")
    if datasets is None:
        return None
    try:
        return {name: int(facts["examples"]) for name, facts in datasets.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(
            f"{run.manifest}: datasets: expected the number of examples of each; "
            f"{again(run.manifest)}"
        ) from None


def _probe(run: RunFolder) -> dict[str, Any] | None:
    """`features_probe.json`, whose fractions are fractions."""
    path = run.features_probe
    if not path.is_file():
        return None
    probe = read_json(path)
    for name in ("balanced_accuracy", "low", "high"):
        value = probe.get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value <= 1):
            raise DataError(
                f"{path}: {name} = {value!r}: expected a number from 0 to 1; "
                f"{again(path)}"
            )
    return probe


def labelled_fractions(run: RunFolder, tasks: Sequence[Task]) -> dict[str, float]:
    """The fraction of the training rows that have a label of each task, as drawn.

    Datasets are drawn as `pipeline.sampling` of the run says.

    Args:
        run: a finished run that was trained.
        tasks: its tasks.
    Returns: task -> expected fraction of the labelled rows of a batch.
    Raises: DataError when a file of the run is damaged.
    """
    rows = _rows(run, "train")
    try:
        settings, _ = files.read(str(run.config))
    except ConfigError as error:
        raise DataError(f"{error} {again(run.config)}") from error
    pipeline = settings.get("pipeline") or {}
    images = rows.drop_duplicates(["dataset", "image_id"]).groupby("dataset").size()
    drawn = draws_per_dataset(
        images.to_numpy(),
        pipeline.get("sampling", "union"),
        pipeline.get("temperature", 1.0),
    )
    # Weight of one image of a dataset.
    weight = drawn / drawn.sum() / images
    found = {}
    for task in tasks:
        known = predictions.labelled_rows(rows, task)
        known = known.groupby("dataset").size() / len(task.components)
        found[task.name] = float((known * weight.reindex(known.index)).sum())
    return found
