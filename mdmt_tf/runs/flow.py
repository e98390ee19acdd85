"""Flow of patients: found, left out and why, taken, by split, labelled for each task.

The numbers come from the metadata of the prepared datasets, `split.json` and
`predictions.csv`. A number that none of them has is None, never 0. `flow.json` of a run
keeps them, so that they are known when the prepared data are gone. No name of an image
or a patient is part of it. No TensorFlow.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import mdmt_tf
from mdmt_tf.config.schema import Config
from mdmt_tf.data.sources import find_prepared
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.files import LISTS, SPLITS
from mdmt_tf.tasks import Answer

if TYPE_CHECKING:
    from mdmt_tf.data.inputs import Inputs

# Rejections that are of no row of the table with one row per image.
_NO_ROW = "not in the table"
_SIDE_ROW = "no row in the first table"
_REPEATED = "repeats another row of the same image"


@dataclasses.dataclass(frozen=True)
class Count:
    """A number of images, and of their patients; None where it is not known."""

    images: int | None = None
    patients: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetFlow:
    """The flow of one dataset.

    Attributes:
        name: name of the dataset.
        synthetic: whether its images are synthetic, so that it has no real patients.
        rows: rows of the table with one row per image; None if not known.
        left_out: reason -> number of these rows that were not taken.
        files_without_row: image files that no row names.
        taken: images that were prepared.
        splits: train, validation, test, excluded -> images of the list; {} without a
            run. Excluded images are in no split.
        labelled: task -> split -> images with a known label that was used; of training
            images, those whose label was trained with. A task with several components
            is followed by each of them.
        classes: task -> split -> class -> images with this label; {} for numbers, and
            for a task with several components, whose classes are not exclusive.
    """

    name: str
    synthetic: bool = False
    rows: int | None = None
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    files_without_row: int | None = None
    taken: Count = Count()
    splits: Mapping[str, Count] = dataclasses.field(default_factory=dict)
    labelled: Mapping[str, Mapping[str, Count]] = dataclasses.field(
        default_factory=dict
    )
    classes: Mapping[str, Mapping[str, Mapping[str, Count]]] = dataclasses.field(
        default_factory=dict
    )

    @property
    def unexplained(self) -> int:
        """Rows that were neither taken nor left out for a stated reason.

        Negative where some reasons are of rows of further tables, which cost no image.

        Example:
            >>> flow = DatasetFlow(
            ...     name="ward",
            ...     rows=12,
            ...     left_out={"unreadable image": 2},
            ...     taken=Count(9, 5),
            ... )
            >>> flow.unexplained
            1
        """
        if self.rows is None or self.taken.images is None:
            return 0
        return self.rows - sum(self.left_out.values()) - self.taken.images


@dataclasses.dataclass(frozen=True)
class PatientFlow:
    """The flow of all datasets of a run, or of a folder of prepared datasets."""

    datasets: tuple[DatasetFlow, ...]

    def to_plain(self) -> dict:
        """The numbers as dicts and lists, for JSON; the inverse of `from_plain`.

        Example:
            >>> flow = PatientFlow((DatasetFlow(name="ward", taken=Count(9, 5)),))
            >>> PatientFlow.from_plain(flow.to_plain()) == flow
            True
        """
        return {"datasets": [dataclasses.asdict(one) for one in self.datasets]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "PatientFlow":
        """Read what `to_plain` has made.

        Raises: KeyError, TypeError or AttributeError for anything else.
        """
        return cls(tuple(map(_dataset_from_plain, plain["datasets"])))


def patient_flow(
    folder: RunFolder | str | os.PathLike, settings: Config | None = None
) -> PatientFlow:
    """The flow of patients of a finished run, or of prepared datasets.

    Args:
        folder: of a run; or one that `mdmt_tf.prepare` has filled.
        settings: those of the run, read from it if None; for prepared data, settings
            that name the datasets. They have no splits then.
    Returns: what is known. The counts of a run come from its `flow.json`. A run of an
        earlier version has none, and its prepared data are looked at if they are still
        there with the same number of images.
    Raises: DataError for a run that is not finished, or a damaged file; ConfigError for
        prepared data without settings.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    if not run.config.is_file():
        if settings is None:
            raise ConfigError(
                f"{run.path}: expected the folder of a run, or settings that name the "
                "datasets to look for in it."
            )
        return PatientFlow(
            tuple(
                _prepared(name, _metadata(_folder(run.path, name, section)))
                for name, section in settings.datasets.items()
            )
        )
    if run.flow.is_file():
        try:
            return PatientFlow.from_plain(run.read_json(run.flow))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{run.flow}: not a flow of patients, as version "
                f"{mdmt_tf.__version__} writes it ({error!r}). Remove it."
            ) from error
    run.require_finished()
    settings = settings or run.settings()
    manifest = run.read_json(run.manifest)
    folders = {}
    for name, facts in manifest["datasets"].items():
        section = settings.datasets[name]
        metadata = _metadata(_folder(settings.data_dir, name, section))
        # Data that were prepared anew since are others.
        if metadata.get("prepared") == facts["examples"]:
            folders[name] = metadata
    return measure_flow(
        datasets={
            name: folders.get(
                name, {"synthetic": facts["synthetic"], "prepared": facts["examples"]}
            )
            for name, facts in manifest["datasets"].items()
        },
        lists=run.read_json(run.split)["datasets"],
        table=predictions.read(run.predictions),
        answers=run.read_answers(settings),
    )


def measure_flow(
    *,
    datasets: Mapping[str, Mapping[str, Any]],
    lists: Mapping[str, Mapping[str, Sequence[str]]],
    table: pd.DataFrame,
    answers: Sequence[Answer],
    patients: Mapping[str, Mapping[str, str]] | None = None,
) -> PatientFlow:
    """The flow of patients from what a fit has at hand.

    Args:
        datasets: dataset -> metadata of its preparation, see `manual_builder`; what is
            missing there is not known.
        lists: dataset -> split -> image_ids, as in `split.json`.
        table: predictions of all splits, in the columns of `predictions.csv`.
        answers: tasks of the model, and derived answers.
        patients: dataset -> image_id -> patient_id of all images; None: those of
            `table`, which leaves out some images.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> icu = make_task(
        ...     name="icu", kind="binary", classes=("no", "yes"),
        ...     sources={"ward": "icu"},
        ... )
        >>> table = pd.DataFrame(
        ...     {
        ...         "dataset": "ward", "split": "test", "task": "icu",
        ...         "image_id": ["1", "2", "3"], "patient_id": ["a", "a", "b"],
        ...         "target": [1.0, None, 0.0],
        ...     }
        ... )
        >>> (ward,) = measure_flow(
        ...     datasets={"ward": {"rows_read": 5, "prepared": 4}},
        ...     lists={"ward": {"test": ["1", "2", "3"], "excluded": ["4"]}},
        ...     table=table,
        ...     answers=[icu],
        ... ).datasets
        >>> ward.splits["test"], ward.labelled["icu"]["test"]
        (Count(images=3, patients=2), Count(images=2, patients=2))
        >>> ward.splits["excluded"], ward.unexplained
        (Count(images=1, patients=None), 1)
    """
    flows = []
    for name, metadata in datasets.items():
        own = table[table["dataset"] == name]
        known = (
            dict(zip(own["image_id"], own["patient_id"], strict=True))
            if patients is None
            else patients[name]
        )
        fed = [
            part
            for answer in answers
            if name in answer.sources
            for part in (answer, *_parts(answer))
        ]
        flows.append(
            dataclasses.replace(
                _prepared(name, metadata),
                splits={
                    split: _count_of_list(lists.get(name, {}).get(split, ()), known)
                    for split in LISTS
                },
                labelled={answer.name: _labelled(own, answer) for answer in fed},
                classes={answer.name: _classes(own, answer) for answer in fed},
            )
        )
    return PatientFlow(tuple(flows))


def flow_of_inputs(inputs: "Inputs", table: pd.DataFrame) -> PatientFlow:
    """The flow of patients of a fit, with the patients of all prepared images.

    Args:
        inputs: opened datasets and the split of the fit.
        table: predictions of all splits, in the columns of `predictions.csv`.
    """
    return measure_flow(
        datasets={
            one.name: _metadata(one.folder)
            | {"synthetic": one.synthetic, "prepared": len(one)}
            for one in inputs.datasets
        },
        lists=inputs.split.datasets,
        table=table,
        answers=inputs.answers,
        patients={one.name: _patients_of(one.table) for one in inputs.datasets},
    )


def _patients_of(table: Mapping[str, Any]) -> dict[str, str]:
    pairs = zip(table["image_id"], table["patient_id"], strict=True)
    return {str(image): str(patient) for image, patient in pairs}


def _prepared(name: str, metadata: Mapping[str, Any]) -> DatasetFlow:
    """What the metadata of a preparation say; a dataset of one's own may say less."""
    rejected = dict(metadata.get("rejected_by_reason", {}))
    without_row = rejected.pop(_NO_ROW, 0)
    rejected.pop(_SIDE_ROW, None)
    left_out = {}
    if repeated := metadata.get("rows_repeated"):
        left_out[_REPEATED] = repeated
    for condition, rows in metadata.get("left_out", {}).items():
        left_out[f"condition {condition}"] = rows
    return DatasetFlow(
        name=name,
        synthetic=bool(metadata.get("synthetic", False)),
        rows=metadata.get("rows_read"),
        left_out=left_out | rejected,
        files_without_row=without_row if "rejected" in metadata else None,
        taken=Count(metadata.get("prepared"), metadata.get("patients")),
    )


def _folder(data_dir: str | os.PathLike | None, name: str, section) -> Path | None:
    config, version, own = section.place
    if own is None and data_dir is None:
        return None
    try:
        return find_prepared(Path(own or data_dir), name, config, version)
    except DataError:
        return None


def _metadata(folder: Path | None) -> dict:
    """The metadata of a prepared dataset; {} if there are none."""
    try:
        return json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return {}


def _count_of_list(images: Sequence[str], patient_of: Mapping[str, str]) -> Count:
    if not images:
        return Count(0, 0)
    found = {patient_of.get(image) for image in images}
    return Count(len(images), None if None in found else len(found))


def _parts(answer: Answer) -> tuple[Answer, ...]:
    """The components of an answer that has several."""
    return answer.components if len(answer.components) > 1 else ()


def _labelled(rows: pd.DataFrame, answer: Answer) -> dict[str, Count]:
    own = predictions.labelled_rows(rows, answer)
    return {split: _count(own[own["split"] == split]) for split in SPLITS}


def _classes(rows: pd.DataFrame, answer: Answer) -> dict[str, dict[str, Count]]:
    if not answer.class_names or _parts(answer):
        return {}
    own = predictions.labelled_rows(rows, answer)
    return {
        split: {
            text: _count(own[(own["split"] == split) & (own["target"] == index)])
            for index, text in enumerate(answer.class_names)
        }
        for split in SPLITS
    }


def _count(rows: pd.DataFrame) -> Count:
    return Count(int(rows["image_id"].nunique()), int(rows["patient_id"].nunique()))


def _dataset_from_plain(plain: Mapping[str, Any]) -> DatasetFlow:
    def counts(values):
        return {name: Count(**own) for name, own in values.items()}

    return DatasetFlow(
        **plain
        | {
            "taken": Count(**plain["taken"]),
            "splits": counts(plain["splits"]),
            "labelled": {task: counts(own) for task, own in plain["labelled"].items()},
            "classes": {
                task: {split: counts(own) for split, own in of_task.items()}
                for task, of_task in plain["classes"].items()
            },
        }
    )
