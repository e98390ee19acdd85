"""What might tell a label without the anatomy: fields, sizes, coarse pixels."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from mdmt_tf.diagnosis.material import Dataset
from mdmt_tf.diagnosis.prediction import Predictor, frequencies, ridge
from mdmt_tf.diagnosis.targets import Target
from mdmt_tf.planning import words
from mdmt_tf.statistics.strata import UNKNOWN, labels_of_dataset, stratum_fields
from mdmt_tf.tasks import label_is_known

# What a measure is about: how the image was made, the patient, or the image as a whole,
# which shows anatomy, too.
ACQUISITION, PATIENT, IMAGE = "acquisition", "patient", "image"
# ... or another label, such as a second reader's.
LABEL = "label"

_ACQUISITION_WORDS = words.SITE | {
    *("projection", "view", "viewposition", "position", "scanner", "manufacturer"),
    *("vendor", "model", "modality", "device", "kvp", "kernel", "protocol", "sequence"),
    *("contrast", "thickness", "spacing", "orientation", "box", "source"),
}
THUMBNAIL = "16 x 16 thumbnail"


def measures(
    dataset: Dataset, target: Target, labels: Collection[str]
) -> Iterator[tuple[str, str, bool, Predictor]]:
    """(name, what it is about, whether it is a field, predictor) of each measure."""
    rows = target.rows
    # Declared for tasks of other configurations: known to be no fact on the image.
    others = labels_of_dataset(dataset.name, (), dataset.declared_labels)
    for name, texts in text_fields(dataset, labels).items():
        yield (
            name,
            _about(name, others),
            True,
            frequencies(texts[rows], target.patients),
        )
    for name, about, features in picture_features(dataset):
        yield name, about, False, ridge(features[rows])


def _about(field: str, other_labels: Collection[str]) -> str:
    if words.has(field, _ACQUISITION_WORDS):
        return ACQUISITION
    is_label = field in other_labels or words.has(field, words.OUTCOMES)
    return LABEL if is_label else PATIENT


def text_fields(dataset: Dataset, labels: Collection[str]) -> dict[str, np.ndarray]:
    """Fields with few values, the site, and numbers in five bands; text (n,).

    Times of outcomes are left out, because they follow from the label.
    """
    usable = {
        name: values
        for name, values in dataset.table.items()
        if name not in labels and not is_outcome_time(name)
    }
    found = {}
    sites = dataset.ids("site")
    if len(set(sites.tolist()) - {""}) > 1:
        found["site"] = np.where(sites == "", UNKNOWN, sites)
    found |= stratum_fields(usable, labels)
    for name, values in usable.items():
        if name in found or values.ndim != 1 or values.dtype.kind not in "iuf":
            continue
        known = label_is_known(values)
        if len(np.unique(values[known])) > 1:
            found[name] = _bands(values, known)
    return found


def is_outcome_time(name: str) -> bool:
    """Whether a field is the time of an event, such as death_offset."""
    return words.has(name, words.TIMES | words.DAYS) and words.has(name, words.OUTCOMES)


def _bands(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    edges = np.unique(np.quantile(values[known], [0.2, 0.4, 0.6, 0.8]))
    bands = np.searchsorted(edges, np.where(known, values, 0), side="right")
    return np.where(known, bands.astype(str), UNKNOWN).astype(object)


def picture_features(dataset: Dataset) -> Iterator[tuple[str, str, np.ndarray]]:
    """(name, what it is about, features (n, p)) of sizes, boxes and pixels."""
    shape = _vectors(dataset, "original_shape", (2, 3))
    if shape is not None and (shape > 0).all():
        sides = np.log(shape)
        ratios = sides[:, 1:] - sides[:, :-1]
        yield "size of the original", ACQUISITION, np.hstack([sides, ratios])
        box = _vectors(dataset, "box", (2 * shape.shape[1],))
        if box is not None:
            yield "place of the crop", IMAGE, box / np.tile(shape, 2)
    pictures = dataset.pictures
    if pictures.marks.any():
        yield "number of marks near the border", ACQUISITION, np.log1p(pictures.marks)
    yield "border of the image", IMAGE, pictures.borders
    yield "mean grey and contrast", IMAGE, pictures.grey
    yield THUMBNAIL, IMAGE, pictures.thumbnails


def _vectors(dataset: Dataset, name: str, lengths: Sequence[int]) -> np.ndarray | None:
    values = dataset.table.get(name)
    if values is None or values.ndim != 2 or values.shape[1] not in lengths:
        return None
    return values.astype(np.float64)
