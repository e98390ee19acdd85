"""Baselines of the image as a whole: ridge on a thumbnail or on frozen features.

If a network is no better than 16 x 16 grey values, it has learned no more than what
anybody sees from afar: the size of the patient, the projection, the exposure.
No TensorFlow, except in the process of the plan, which reads the images.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mdmt_tf.config import Config
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments.baselines import row_weights
from mdmt_tf.storage import digest_of, replacing
from mdmt_tf.tasks import Task, label_is_known

if TYPE_CHECKING:
    from mdmt_tf.data.sources import PreparedDataset

# Strength of ridge: the penalty |w|^2 / (2 STRENGTH), added to the sum of the negative
# log-likelihoods, with columns that are standardised and divided by the square root of
# their number. On thumbnails of 130 and 90 training images, all values from 1 to 10
# gave the same, and choosing one of nine by cross-validation within the training split
# was no better.
STRENGTH = 3.0
# Images whose features are computed at a time.
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class ImageModel:
    """Ridge on the columns of each image; see `mdmt_tf.experiments.baselines`.

    Logistic regression for classes, one for each label of several, and ridge regression
    for numbers.

    Attributes:
        section: settings of the baseline.
        of_dataset: dataset -> float32 (n, k), a row for each image, in the order of
            storage.
        by_patient: see `row_weights`.
    """

    section: BaselineSection
    of_dataset: Mapping[str, np.ndarray]
    by_patient: bool = False

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(self.of_dataset)

    def columns(self, dataset: str, table: Mapping) -> pd.DataFrame:
        """The columns of all images of a dataset."""
        return pd.DataFrame(self.of_dataset[dataset])

    def probabilities(
        self, task: Task, rows: pd.DataFrame, columns: pd.DataFrame, labels: np.ndarray
    ) -> np.ndarray:
        """Predict every row from those of the training split; see `FieldModel`."""
        train = (rows["split"] == "train").to_numpy()
        values = _standardized(columns.to_numpy(np.float64), train)
        if not task.label_shape:
            weights = row_weights(rows, train & label_is_known(labels), self.by_patient)
            fit = _classes if task.n_classes else _numbers
            return fit(values, labels, weights, task)
        chances = []
        for component, own in zip(task.components, labels.T, strict=True):
            weights = row_weights(rows, train & label_is_known(own), self.by_patient)
            chances.append(_classes(values, own, weights, component)[:, 1])
        return np.stack(chances, axis=1)


def _standardized(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mean 0 in training, and a sum of variances of 1; constant columns are 0."""
    mean, std = values[train].mean(axis=0), values[train].std(axis=0)
    scaled = np.divide(values - mean, std, out=np.zeros_like(values), where=std > 0)
    return scaled / np.sqrt(values.shape[1])


def _classes(values, labels, weights, task: Task) -> np.ndarray:
    """Probability of each class, (n, n_classes); 0 for a class that was not fitted."""
    from sklearn.linear_model import LogisticRegression

    fitted = weights > 0
    present = np.unique(labels[fitted])
    if len(present) < 2:
        raise DataError(
            f"baseline of {task.name}: the training split has images of fewer than two "
            "classes."
        )
    model = LogisticRegression(C=STRENGTH, tol=1e-7, max_iter=5000)
    model.fit(values[fitted], labels[fitted], sample_weight=weights[fitted])
    result = np.zeros((len(values), task.n_classes))
    result[:, model.classes_] = model.predict_proba(values)
    return result


def _numbers(values, labels, weights, task: Task) -> np.ndarray:
    """The value of each row, (n, 1)."""
    from sklearn.linear_model import Ridge

    fitted = weights > 0
    if not fitted.any():
        raise DataError(f"baseline of {task.name}: no training image has a label.")
    mean, std = labels[fitted].mean(), labels[fitted].std() or 1.0
    # That of a standardised label with unit variance.
    model = Ridge(alpha=1 / STRENGTH)
    standard = (labels[fitted] - mean) / std
    model.fit(values[fitted], standard, sample_weight=weights[fitted])
    return (mean + std * model.predict(values))[:, np.newaxis]


class ImageColumns:
    """Thumbnails and features of the images of a benchmark, computed once.

    Args:
        folder: where they are stored. A file is named by the content of its dataset and
            all that was done with it, so that what has changed is computed again.
        datasets: opened datasets.
        config: settings of the benchmark.
    """

    def __init__(
        self, folder: Path, datasets: Sequence["PreparedDataset"], config: Config
    ):
        self._folder, self._config = folder, config
        self._datasets = {dataset.name: dataset for dataset in datasets}
        self._read: dict[Path, np.ndarray] = {}

    def model(self, section: BaselineSection) -> ImageModel:
        """The model of a baseline with the columns of the datasets of its task."""
        names = self._config.tasks[section.task].sources
        columns = {name: self._of(self._datasets[name], section) for name in names}
        return ImageModel(
            section, columns, self._config.pipeline.weight_by == "patient"
        )

    def facts(self, section: BaselineSection) -> dict:
        """What the manifest says about a baseline: the origin of its weights.

        If synthetic images have trained them, also their numbers.
        """
        if section.backbone is None:
            return {}
        from mdmt_tf.models.weights import pretrained, provenance

        found = pretrained.describe(section.backbone, section.weights)
        facts = {"initial_weights": found or "random values"}
        if found and (images := found.get(provenance.NOTE)):
            facts[provenance.NOTE] = images
        return facts

    def _of(self, dataset: "PreparedDataset", section: BaselineSection) -> np.ndarray:
        facts = {"data": dataset.fingerprint, "model": section.model}
        if section.backbone is not None:
            weights = self.facts(section)["initial_weights"]
            digest = weights["sha256"] if isinstance(weights, dict) else weights
            facts |= {"backbone": section.backbone, "weights": digest}
            facts["image_shape"] = list(self._config.image_shape)
        name = f"{dataset.name}-{section.model}-{digest_of(facts)[:12]}.npy"
        path = self._folder / name
        if path not in self._read:
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path, ".npy") as partial:
                    np.save(partial, self._compute(dataset, section))
            try:
                self._read[path] = np.load(path)
            except (ValueError, EOFError) as error:
                raise DataError(
                    f"{path}: damaged ({error}). Remove it and run the benchmark again."
                ) from error
        return self._read[path]

    def _compute(self, dataset, section: BaselineSection) -> np.ndarray:
        if section.backbone is None:
            from mdmt_tf.data.thumbnails import thumbnails

            return thumbnails(dataset)
        from mdmt_tf.data.images import Images
        from mdmt_tf.models.backbones import build_backbone
        from mdmt_tf.models.backbones.table import BACKBONES
        from mdmt_tf.models.pooled_features import pooled_features

        shape = self._config.image_shape
        channels = BACKBONES[section.backbone].channels
        backbone = build_backbone(
            section.backbone, (*shape, channels), weights=section.weights
        )
        images = Images([dataset], shape, cache="stream")
        numbers = np.arange(len(images), dtype=np.int64)
        return pooled_features(backbone, images.batches(numbers, _BATCH))
