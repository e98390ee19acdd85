"""Predictions and metrics of a model for rows of any prepared data.

The model is any object with a method `predict(images)`, see `Predictor`. Nothing is
trained, so no training data are needed.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from mdmt_tf.data.samples import Samples
from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import DataError, LeakageError, MdmtError
from mdmt_tf.models.weights import lineage
from mdmt_tf.names import likeness
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import write_json

logger = logging.getLogger(__name__)


class Predictor(Protocol):
    """A trained model: from pixels to probabilities."""

    def predict(
        self, images: np.ndarray, datasets: Sequence[str] | None = None
    ) -> Mapping[str, np.ndarray]:
        """{task: (n, n_classes)} of float32 (n, ..., 1) in [0, 1].

        Args:
            datasets: name of the dataset of each image, for a model that normalises
                each dataset by itself; it may be unknown to the model. None: unknown.
        """


class Pixels(Protocol):
    """A source of images, such as `mdmt_tf.data.images.Images`."""

    def batches(self, numbers: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """The images with these numbers, in order, float32 (b, ..., 1) in [0, 1]."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Predictions of a model, and their metrics.

    Attributes:
        predictions: in the columns of `predictions.csv`.
        metrics: {split: {task: {metric: value}}} of the labelled rows.
        statistics: what normalised the images, in words, if each dataset of the model
            has its own statistics; else "".
    """

    predictions: pd.DataFrame
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    statistics: str = ""

    def write(self, folder: Path) -> None:
        """Write `predictions.csv` and `metrics.json` into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        predictions.write(self.predictions, folder / "predictions.csv")
        write_json(folder / "metrics.json", self.metrics)


def evaluate(
    predictor: Predictor,
    samples: Mapping[str, Samples],
    images: Pixels,
    *,
    fold: int,
    batch_size: int = 32,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Evaluation:
    """Predict rows, and compute metrics where their labels are known.

    Args:
        predictor: predicts the answers of the samples; it may predict others, too.
        samples: name of a split, or of another selection -> its rows. Selections
            without rows are skipped.
        images: images of the same datasets.
        fold: the value of the column `fold`.
        batch_size: images at a time.
        progress: called with (images done, all images) of each selection.
    """
    predicted = {
        split: predict(predictor, rows, images, batch_size, progress)
        for split, rows in samples.items()
        if len(rows)
    }
    table = predictions.gather(samples, predicted, fold)
    answers = next(iter(samples.values())).answers
    return Evaluation(predictions=table, metrics=predictions.metrics_of(table, answers))


def predict(
    predictor: Predictor,
    samples: Samples,
    images: Pixels,
    batch_size: int,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, np.ndarray]:
    """{answer: probabilities (n, n_classes)} of n >= 1 rows, in their order.

    Raises: MdmtError for a prediction that is no number.
    """
    names, batches, done = samples.rows["dataset"].tolist(), [], 0
    for batch in images.batches(samples.image, batch_size):
        end = done + len(batch)
        batches.append(predictor.predict(batch, names[done:end]))
        done = end
        progress(done, len(samples))
    predicted = {
        answer.name: np.concatenate([batch[answer.name] for batch in batches])
        for answer in samples.answers
    }
    check_numbers(predicted, samples)
    return predicted


def check_numbers(predicted: Mapping[str, np.ndarray], samples: Samples) -> None:
    """Make sure that predictions are finite.

    Args:
        predicted: {answer: logits or probabilities (n, ...)}.
        samples: the n rows.
    Raises: MdmtError that names answers and images.
    """
    lost = {
        name: ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        for name, values in predicted.items()
    }
    rows = np.flatnonzero(np.logical_or.reduce(list(lost.values())))
    if not len(rows):
        return
    names = ", ".join(name for name, of_answer in lost.items() if of_answer.any())
    first = samples.rows.iloc[rows[:5]]
    images = ", ".join(first["dataset"] + "/" + first["image_id"])
    more = ", ..." if len(rows) > len(first) else ""
    raise MdmtError(
        f"the model gives no number (NaN or infinite) for {len(rows)} of "
        f"{len(samples)} images: {images}{more}; answers: {names}. Its weights are "
        "damaged or overflow. In training, lower training.learning_rate, or use "
        "training.precision = float32."
    )


def check_unseen(run: RunFolder, dataset: PreparedDataset) -> list[str]:
    """Make sure that a run, and what it started from, have not seen a dataset.

    Returns: the images whose pixels they have seen under other names, see
        `check_unseen_pixels`.
    Raises: DataError when it is one of the datasets of the run, even under another
        name; LeakageError when images or patients of it were in training or
        validation.
    """
    manifest = run.read_json(run.manifest)
    for name, facts in manifest["datasets"].items():
        if facts["fingerprint"] == dataset.fingerprint:
            raise DataError(
                f"{dataset.folder}: the run {run.path} was made with it (dataset "
                f"{name!r}). Expected data that it has not seen; the metrics of its "
                f"own splits are in {run.metrics}."
            )
    lists = Split.read(run.split).datasets.get(dataset.name, {})
    used = {*lists.get("train", ()), *lists.get("validation", ())}
    if not run.predictions.is_file():
        raise run.missing(run.predictions)
    rows = predictions.read(run.predictions)
    fitted = rows["split"].isin(["train", "validation"])
    own = rows[fitted & (rows["dataset"] == dataset.name)]
    for what, key, known in (
        ("images", "image_id", used),
        # Other images of the same patients have been seen, too.
        ("patients", "patient_id", set(own["patient_id"])),
    ):
        # The zeros of 007 are lost where a spreadsheet program has been.
        spelled = {likeness(str(name)): str(name) for name in dataset.table[key]}
        seen = sorted(name for name in known if likeness(name) in spelled)
        if seen:
            here = spelled[likeness(seen[0])]
            also = "" if here == seen[0] else f" (here {here!r})"
            raise LeakageError(
                f"{dataset.folder}: the run {run.path} had {len(seen)} of these {what} "
                f"in training or validation, such as {seen[0]!r}{also}. Expected data "
                "that it has not seen. If these are other patients with the same ids, "
                "prepare them as a dataset of another name."
            )
    everything = [str(image) for image in dataset.table["image_id"]]
    found = lineage.find(lineage.of_manifest(manifest), dataset, everything)
    seen = sorted({*found["images"], *found["patients"]})
    if seen:
        raise LeakageError(
            f"{dataset.folder}: the run {run.path}, or what it started from, was "
            f"trained with {len(seen)} of these {len(dataset)} images or with others "
            f"of their patients, such as {seen[0]!r}. Expected data that neither the "
            "run nor its start has seen."
        )
    return found["pixels"]


def check_unseen_pixels(
    run: RunFolder,
    dataset: PreparedDataset,
    seen: Sequence[str],
    allow_identical: bool = False,
) -> None:
    """Refuse images whose pixels a run or its start has seen, under any name.

    Args:
        seen: of `check_unseen`.
        allow_identical: whether they are a warning.
    Raises: LeakageError.
    """
    if not seen:
        return
    text = (
        f"{dataset.folder}: {len(seen)} of {len(dataset)} images are the "
        f"same in every pixel as images that the run {run.path}, or what it started "
        f"from, was trained with, such as {seen[0]!r}."
    )
    if not allow_identical:
        raise LeakageError(
            f"{text} Leave them out: python -m mdmt_tf.prepare NAME --exclude FILE. To "
            "evaluate with them as they are: --allow-identical-images."
        )
    logger.warning("%s (--allow-identical-images)", text)
