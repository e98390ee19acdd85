"""A trained model that predicts probabilities: its SavedModel, or its weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.config import Config
from mdmt_tf.data.normalize import normalize, resize
from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.models.dataset_normalization import UNSEEN, fractions_of
from mdmt_tf.models.from_config import answering_model, build_from_config
from mdmt_tf.runs.evaluation import Predictor
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import image_warnings
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.calibration import Calibrations
from mdmt_tf.tasks import Answer


def open_predictor(run: RunFolder, config: Config) -> Predictor:
    """The SavedModel of a run, or its Keras model.

    If the settings of the run disable the export, builds the model of the settings with
    the weights of the best epoch.

    Args:
        run: a finished run.
        config: its settings.
    Raises: DataError when files are missing.
    """
    if config.training.saved_model:
        return ServedModel(run.saved_model)
    model = build_from_config(config)
    model.load_weights(run.best_weights)
    return TrainedModel(
        answering_model(config, model),
        run.read_answers(config),
        config.normalization,
        calibration.read(run),
        tuple(config.datasets) if config.model.is_per_dataset else (),
    )


def served_text(statistics: Mapping[str, float] | None) -> str:
    """What normalises an image of no dataset of the model, in words.

    Args:
        statistics: see `OpenModel`.

    Example:
        >>> served_text({"ward": 0.75, "clinic": 0.25})
        'average statistics of ward (75 %), clinic (25 %)'
        >>> served_text({"ward": 1.0, "clinic": 0.0})
        'statistics of ward'
        >>> served_text(None)
        ''
    """
    if statistics is None:
        return ""
    used = {name: fraction for name, fraction in statistics.items() if fraction}
    if len(used) == 1:
        return f"statistics of {next(iter(used))}"
    parts = ", ".join(f"{name} ({fraction:.0%})" for name, fraction in used.items())
    return f"average statistics of {parts}".replace("%", " %")


class AsDataset:
    """A predictor that normalises all images as those of one of its datasets.

    Raises: ConfigError when the model has no statistics of that dataset.
    """

    def __init__(self, predictor: "ServedModel | TrainedModel", dataset: str):
        known = list(predictor.statistics or ())
        if not known:
            raise ConfigError(
                f"--statistics-of {dataset}: in this model all datasets have the same "
                "statistics of normalisation. Expected a run with model.batch_norm = "
                "per_dataset. Leave the option out."
            )
        if dataset not in known:
            raise ConfigError(
                f"--statistics-of {dataset}: is not one of the datasets of the model."
                f"{nearest(dataset, known)} Known: {', '.join(known)}."
            )
        self._predictor, self._dataset = predictor, dataset
        self.outputs = predictor.outputs
        self.statistics = {dataset: 1.0}

    def predict(
        self, images: np.ndarray, datasets: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """See `Predictor`; `datasets` has no effect."""
        return self._predictor.predict(images, [self._dataset] * len(images))


class ServedModel:
    """A SavedModel on disk.

    Raises: DataError when `path` holds no SavedModel of this package.
    """

    def __init__(self, path: Path):
        try:
            self._loaded = tf.saved_model.load(str(path))
            signatures = self._loaded.signatures
            text = signatures["information"]()["json"].numpy()
        except (OSError, KeyError) as error:
            raise DataError(
                f"{path}: not a SavedModel of mdmt_tf: expected saved_model.pb with "
                f"the signatures serving_default and information ({error})."
            ) from error
        self._path = path
        self.information = json.loads(text)
        self._signatures = signatures

    @property
    def takes_files(self) -> bool:
        """Whether it has the signature predict_encoded."""
        return "predict_encoded" in self._signatures

    @property
    def outputs(self) -> set[str]:
        """Names of the outputs of `predict`."""
        names = self._signatures["serving_default"].structured_outputs
        return set(names) - {image_warnings.OUTPUT}

    @property
    def statistics(self) -> dict[str, float] | None:
        """See `OpenModel`; None if all datasets have the same statistics."""
        return self.information.get("statistics")

    def predict(
        self, images: np.ndarray, datasets: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """{task: (n, classes)} probabilities of float32 (n, ..., 1) in [0, 1].

        Args:
            datasets: see `Predictor`.
        """
        # An error for pixels that are NaN or not in [0, 1].
        given = {"image": tf.constant(images, tf.float32)}
        serve = self._signatures["serving_default"]
        if datasets is not None and self.statistics is not None:
            serve = self._signatures["predict_of_dataset"]
            given["dataset"] = tf.constant(list(datasets), tf.string)
        return self._answer(serve, given)[0]

    def predict_encoded(self, files: Sequence[bytes]) -> dict[str, np.ndarray]:
        """{task: (n, classes)} probabilities of whole PNG or JPEG files.

        Raises: DataError for a file that cannot be decoded.
        """
        return self.predict_and_warn(files)[0]

    def predict_and_warn(
        self, files: Sequence[bytes]
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """As `predict_encoded`, and the warnings about each file, see `image_warnings`.

        Models of earlier versions give no warnings.
        """
        serve = self._signatures["predict_encoded"]
        return self._answer(serve, {"encoded": tf.constant(list(files))})

    def _answer(self, serve, given: dict) -> tuple[dict[str, np.ndarray], list[str]]:
        try:
            answer = {name: value.numpy() for name, value in serve(**given).items()}
        except tf.errors.InvalidArgumentError as error:
            # Before comes the trace of the graph, after it the node.
            lines = error.message.partition("[[{{")[0].strip().splitlines()
            reason = lines[-1].removeprefix("assertion failed:").strip(" []")
            raise DataError(f"{self._path}: {reason}") from error
        found = answer.pop(image_warnings.OUTPUT, [])
        return answer, [text.decode() for text in found]


class TrainedModel:
    """A model in memory with the interface of a `ServedModel`."""

    def __init__(
        self,
        model: keras.Model,
        answers: Sequence[Answer],
        normalization: tuple,
        calibrations: Calibrations | None = None,
        datasets: Sequence[str] = (),
    ):
        """
        Args:
            model: input (n, ..., c) normalised, outputs {task: logits}.
            answers: tasks of the model, and derived answers.
            normalization: mean and std of each channel of its input.
            calibrations: by component; None: raw probabilities only.
            datasets: names of the datasets whose number is the second input of the
                model; none if it has no such input.
        """
        self._datasets = {name: number for number, name in enumerate(datasets)}
        self._model = model
        self._answers = tuple(answers)
        self._normalization = normalization
        self._calibrations = calibrations or {}

    @property
    def statistics(self) -> dict[str, float] | None:
        """See `OpenModel`; None if all datasets have the same statistics."""
        if not self._datasets:
            return None
        fractions = fractions_of(self._model)
        return dict(zip(self._datasets, fractions, strict=True))

    @property
    def outputs(self) -> set[str]:
        """Names of the outputs of `predict`."""
        known = set(self._calibrations)
        calibrated = {
            one.calibrated_name
            for one in self._answers
            if {component.name for component in one.components} <= known
        }
        return {one.name for one in self._answers} | calibrated

    def predict(
        self, images: np.ndarray, datasets: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """{task: (n, n_classes)} of float32 (n, ..., 1) in [0, 1], of any size.

        Calibrated probabilities are under `Task.calibrated_name`.

        Args:
            datasets: see `Predictor`.
        """
        shape = self._model.inputs[0].shape[1:-1]
        resized = resize(tf.constant(images, tf.float32), shape)
        inputs = normalize(resized, *self._normalization)
        if self._datasets:
            names = datasets or [None] * len(images)
            numbers = [self._datasets.get(name, UNSEEN) for name in names]
            inputs = (inputs, np.array(numbers, np.int32))
        logits = self._model.predict_on_batch(inputs)
        return calibration.answered(self._answers, logits, self._calibrations)
