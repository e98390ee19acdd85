"""Trained models that answer together, from the folders of runs or SavedModels."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import preprocess
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs import digests
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving.predictor import (
    AsDataset,
    ServedModel,
    TrainedModel,
    open_predictor,
    served_text,
)
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.calibration import Calibration, Calibrations
from mdmt_tf.tasks import Answer, Task, make_task
from mdmt_tf.tasks.alike import answers_text, are_alike, descriptions

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class OpenModel:
    """A trained model, and what is known about it.

    Attributes:
        path: folder of the run or the SavedModel.
        predictor: the model.
        tasks: its tasks, and derived answers.
        preprocessing: of its images.
        size: height and width, or depth, height and width, of its input.
        digest: digest of its weights, such as sha256:3b01d8b4aa34.
        trained_on: description of its training data.
        trained_with_synthetic: dataset -> number of synthetic images.
        training_images: their profile, see `mdmt_tf.data.profile`; None if the model
            was made without.
        statistics: fraction of each dataset in the statistics of normalisation for
            images of no dataset; None if all datasets have the same statistics.
        calibrations: by component; none of a model that was made without.
        meaningless: answer -> why it means nothing, see `tasks.alike.meaningless`.
    """

    path: Path
    predictor: ServedModel | TrainedModel | AsDataset
    tasks: tuple[Task, ...]
    preprocessing: Preprocessing | VolumePreprocessing
    size: tuple[int, ...]
    digest: str
    trained_on: str
    training_images: Mapping | None
    statistics: Mapping[str, float] | None = None
    trained_with_synthetic: Mapping[str, provenance.Count] = dataclasses.field(
        default_factory=dict
    )
    calibrations: Calibrations = dataclasses.field(default_factory=dict)
    meaningless: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def statistics_text(self) -> str:
        """What normalises images of no dataset; "" if all datasets have the same."""
        return served_text(self.statistics)

    @property
    def is_calibrated(self) -> bool:
        """Whether it gives calibrated probabilities of all classes."""
        return all(self.calibrates(task) for task in self.tasks if task.class_names)

    def calibrates(self, task: Task) -> bool:
        """Whether the probabilities of a task are of a calibration that was fitted."""
        known = [self.calibrations.get(own.name) for own in task.components]
        return task.calibrated_name in self.predictor.outputs and all(
            own is None or own.is_fitted for own in known
        )

    @property
    def components(self) -> tuple[Task, ...]:
        """The components of all tasks, see `Task.components`."""
        return tuple(one for task in self.tasks for one in task.components)


def open_models(
    paths: Sequence[str | os.PathLike],
    preprocessing: str | None = None,
    statistics_of: str | None = None,
) -> list[OpenModel]:
    """Open the models of an ensemble.

    Args:
        paths: folders of finished runs, or of their SavedModels.
        preprocessing: name of the preprocessing of the images, for models whose
            datasets have several.
        statistics_of: name of the dataset as whose images all files are normalised, for
            models in which each dataset has its own statistics; None: as the models
            serve images of no dataset.
    Raises: ConfigError when the models have different tasks or classes, when two have
        the same weights, or when the preprocessing is not known; DataError for a
        folder that holds no model.
    """
    models = [open_model(path, preprocessing) for path in paths]
    if statistics_of is not None:
        models = [_as_dataset(model, statistics_of) for model in models]
    first = models[0]
    for other in models[1:]:
        if not are_alike(other.tasks, first.tasks):
            raise ConfigError(
                "expected models with the same tasks, classes and cut points, to "
                f"average their answers. Received: {first.path}: "
                f"{answers_text(first.tasks)}; {other.path}: "
                f"{answers_text(other.tasks)}. Predict with each alone."
            )
        if len(other.size) != len(first.size):
            raise ConfigError(
                "expected models for images, or models for volumes. Received: "
                f"{first.path} with input {list(first.size)}, {other.path} with "
                f"{list(other.size)}. Predict with each alone."
            )
    digests.check_distinct((model.path, model.digest) for model in models)
    return models


def _as_dataset(model: OpenModel, dataset: str) -> OpenModel:
    predictor = AsDataset(model.predictor, dataset)
    return dataclasses.replace(
        model, predictor=predictor, statistics=predictor.statistics
    )


def open_model(path: str | os.PathLike, preprocessing: str | None = None) -> OpenModel:
    """Open one model; arguments and errors as for `open_models`."""
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        predictor = ServedModel(path)
        about, weights = predictor.information, path
    else:
        run = RunFolder.open(path)
        run.require_finished()
        if run.saved_model.is_dir():
            predictor = ServedModel(run.saved_model)
            about, weights = predictor.information, run.saved_model
        else:
            config = run.settings()
            predictor = open_predictor(run, config)
            about, weights = _information(run, config, predictor), run.best_weights
    return OpenModel(
        path=path,
        predictor=predictor,
        tasks=tuple(_task_of(path, *one) for one in about["tasks"].items()),
        preprocessing=_preprocessing(path, about["preprocessing"], preprocessing),
        size=tuple(about["image"]["size"]),
        digest=digests.digest_of(weights),
        trained_on=about["trained_on"],
        training_images=about.get("training_images"),
        statistics=about.get("statistics"),
        trained_with_synthetic=about.get(provenance.NOTE, {}),
        calibrations={
            name: Calibration.from_plain(values)
            for name, values in about.get("calibration", {}).items()
        },
        meaningless={
            name: facts["labels"]
            for name, facts in about["tasks"].items()
            if "labels" in facts
        },
    )


def _task_of(path: Path, name: str, facts: Mapping) -> Answer:
    """A task from its `description`."""
    facts = dict(facts)
    facts.pop("prediction", None)  # follows from the kind
    # Why the answer means nothing, see `descriptions`.
    if text := facts.pop("labels", ""):
        logger.warning("%s: %r: %s", path, name, text)
        if "permuted" in text and "terms" not in facts:
            facts["permute"] = True
    return make_task(name=name, **facts)


def _information(run: RunFolder, config, predictor) -> dict:
    """What `model.json` would hold, of a run without a SavedModel."""
    from mdmt_tf.runs.manifest import data_note

    manifest, training_images = run.read_json(run.manifest), None
    if run.training_images.is_file():
        training_images = run.read_json(run.training_images)
    return {
        "preprocessing": {
            name: one.config for name, one in config.tested_datasets.items()
        },
        "tasks": descriptions(run.read_answers(config), config.taught_tasks),
        "image": {"size": list(config.image_shape)},
        provenance.NOTE: manifest.get(provenance.NOTE, {}),
        "trained_on": data_note(manifest),
        "training_images": training_images,
        "statistics": predictor.statistics,
        "calibration": {
            name: own.to_plain() for name, own in calibration.read(run).items()
        },
    }


def _preprocessing(path: Path, of_datasets: Mapping[str, str], wanted: str | None):
    names = sorted(set(of_datasets.values()))
    if wanted is None and len(names) > 1:
        pairs = ", ".join(f"{name}: {value}" for name, value in of_datasets.items())
        raise ConfigError(
            f"{path}: the datasets of the model have several kinds of preprocessing "
            f"({pairs}). Choose the one for the files: --preprocessing NAME."
        )
    if wanted is not None and wanted not in names:
        raise ConfigError(
            f"--preprocessing {wanted}: expected one of those that {path} was trained "
            f"with: {', '.join(names)}."
        )
    try:
        return preprocess.parse(wanted or names[0])
    except ValueError as error:
        raise DataError(
            f"{path}: the preprocessing of its dataset is not one of this package, so "
            f"files cannot be prepared alike: {error}."
        ) from None
