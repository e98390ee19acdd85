"""What predicts a label without the anatomy, and what tells the datasets apart.

A network takes the easiest way. If the projection, the size of the image or its border
predicts the outcome, the network may have learned that, and nothing about patients.
"""

import dataclasses
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Dataset, Material
from mdmt_tf.diagnosis.prediction import (
    Predicted,
    Predictor,
    cross_predict,
    enough,
    frequencies,
    ridge,
)
from mdmt_tf.diagnosis.targets import Target, numbered, targets_of
from mdmt_tf.planning import words
from mdmt_tf.planning.leaks import SUSPECT, tells
from mdmt_tf.statistics.strata import UNKNOWN, stratum_fields
from mdmt_tf.tasks import label_is_known

# What a measure is about: how the image was made, the patient, or the image as a whole,
# which shows anatomy, too.
ACQUISITION, PATIENT, IMAGE = "acquisition", "patient", "image"

# AUC from which a measure is reported, and from which it is the first suspect.
REPORTED, STRONG = 0.6, 0.75
# Standard errors above chance. One label and some twenty measures: a false alarm in
# about 3 of 100 labels.
SURE = 3.0

_ACQUISITION_WORDS = words.SITE | {
    *("projection", "view", "viewposition", "position", "scanner", "manufacturer"),
    *("vendor", "model", "modality", "device", "kvp", "kernel", "protocol", "sequence"),
    *("contrast", "thickness", "spacing", "orientation", "box", "source"),
}
THUMBNAIL = "16 x 16 thumbnail"
_ADVICE = {
    ACQUISITION: "Compare each model with a baseline of {name}, judge it within each "
    "{name}, or balance the data.",
    PATIENT: "Compare each model with a baseline of {name}.",
    IMAGE: "A model of the anatomy has to be better than this.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shortcut:
    """One measure and one label.

    Attributes:
        task, dataset: of the label; the task is "dataset" for telling datasets apart.
        name: of the measure.
        about: ACQUISITION, PATIENT or IMAGE.
        predicted: scores.
        visible: AUC at which the thumbnail tells the measure; NaN if not computed.
    """

    task: str
    dataset: str
    name: str
    about: str
    predicted: Predicted
    visible: float = float("nan")

    @property
    def is_sure(self) -> bool:
        return self.predicted.z >= SURE and self.predicted.auc >= REPORTED

    def to_plain(self) -> dict:
        plain = dataclasses.asdict(self)
        plain.update(plain.pop("predicted"))
        return plain


def find_shortcuts(material: Material) -> tuple[list[Shortcut], list[Finding]]:
    """Every measure for every label, and what follows from them."""
    datasets = {dataset.name: dataset for dataset in material.datasets}
    found, findings = [], []
    for _, target in targets_of(material.tasks, material.tables):
        dataset = datasets[target.dataset]
        if not enough(target):
            findings.append(_too_few(target))
            continue
        labels = label_fields(material, dataset.name)
        own = [
            Shortcut(
                task=target.name,
                dataset=dataset.name,
                name=name,
                about=about,
                predicted=cross_predict(target, predictor),
            )
            for name, about, predictor in measures(dataset, target, labels)
        ]
        own = [_with_visibility(one, dataset, labels) for one in own]
        found += own
        findings += [_finding(target, one) for one in own if one.is_sure]
        findings += _known_values(dataset, target, labels)
    told, more = tell_datasets(material)
    return found + told, findings + more


def label_fields(material: Material, dataset: str) -> set[str]:
    """The fields of a dataset from which a task takes its labels."""
    found: set[str] = set()
    for task in material.tasks:
        fields = task.sources.get(dataset, ())
        for field in [fields] if isinstance(fields, str) else fields:
            found.add(field)
            found.add(field.removeprefix("sum(").partition("[")[0])
    return found


def measures(
    dataset: Dataset, target: Target, labels: Collection[str]
) -> Iterator[tuple[str, str, Predictor]]:
    """(name, what it is about, predictor) of everything that might tell a label."""
    rows = target.rows
    for name, texts in text_fields(dataset, labels).items():
        about = ACQUISITION if words.has(name, _ACQUISITION_WORDS) else PATIENT
        yield name, about, frequencies(texts[rows], target.patients)
    for name, about, features in picture_features(dataset):
        yield name, about, ridge(features[rows])


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
        yield "marks near the border", ACQUISITION, np.log1p(pictures.marks)
    yield "border of the image", IMAGE, pictures.borders
    yield "mean grey and contrast", IMAGE, pictures.grey
    yield THUMBNAIL, IMAGE, pictures.thumbnails


def _vectors(dataset: Dataset, name: str, lengths: Sequence[int]) -> np.ndarray | None:
    values = dataset.table.get(name)
    if values is None or values.ndim != 2 or values.shape[1] not in lengths:
        return None
    return values.astype(np.float64)


def _with_visibility(one: Shortcut, dataset: Dataset, labels) -> Shortcut:
    """Add how well the thumbnail tells a suspect field."""
    texts = text_fields(dataset, labels).get(one.name)
    if texts is None or not one.is_sure:
        return one
    known = np.flatnonzero(texts != UNKNOWN)
    names, values = np.unique(texts[known].astype(str), return_inverse=True)
    target = Target(
        name=one.name,
        dataset=dataset.name,
        rows=known,
        values=values.astype(np.float64),
        classes=tuple(names.tolist()),
        ordered=len(names) == 2,
        patients=numbered(dataset.ids("patient_id")[known]),
    )
    if not enough(target):
        return one
    told = cross_predict(target, ridge(dataset.pictures.thumbnails[known]))
    return dataclasses.replace(one, visible=told.image.auc)


def _finding(target: Target, one: Shortcut) -> Finding:
    strong = one.predicted.auc >= STRONG
    level = {
        ACQUISITION: SERIOUS if strong else WARNING,
        PATIENT: WARNING if strong else NOTE,
        IMAGE: WARNING if strong and one.name != THUMBNAIL else NOTE,
    }[one.about]
    text = f"{one.name} alone predicts {target.name}: {scores_text(target, one)}."
    if one.visible >= STRONG:
        text += (
            f" It can be seen: the {THUMBNAIL} tells it at AUC {one.visible:.2f} by "
            "image."
        )
    return Finding(
        level=level,
        kind="shortcut",
        where=target.where,
        text=text[0].upper() + text[1:],
        advice=_ADVICE[one.about].format(name=one.name),
        values=one.to_plain(),
    )


def scores_text(target: Target, one: Shortcut) -> str:
    """The scores by image and by patient, as words."""
    image, patient = one.predicted.image, one.predicted.patient
    name = "AUC" if target.classes else "concordance"
    parts = [f"{name} {image.auc:.2f} by image and {patient.auc:.2f} by patient"]
    if target.classes:
        for title, key in (
            ("balanced accuracy", "balanced_accuracy"),
            ("accuracy", "accuracy"),
        ):
            pair = getattr(image, key), getattr(patient, key)
            parts.append(f"{title} {pair[0]:.2f} and {pair[1]:.2f}")
    return f"{', '.join(parts)} ({image.n} images, {patient.n} patients)"


def _too_few(target: Target) -> Finding:
    return Finding(
        level=WARNING,
        kind="too_few",
        where=target.where,
        text=f"{target.n_patients} patients have a label of {target.name}, or fewer "
        "than 5 of all classes but one: nothing is predicted without the anatomy.",
        advice="Expect no result that can be relied on.",
    )


def _known_values(dataset: Dataset, target: Target, labels) -> Iterator[Finding]:
    """Fields that are known for one class only."""
    if not target.classes:
        return
    classes = [target.classes[int(value)] for value in target.values]
    for name, values in dataset.table.items():
        if name in labels or values.ndim != 1:
            continue
        known = label_is_known(values)[target.rows]
        score = tells(known.astype(str).tolist(), classes)
        if score >= SUSPECT:
            yield Finding(
                level=NOTE,
                kind="follows_the_label",
                where=target.where,
                text=f"Whether {name} is known tells {target.name} ({score:.0%} "
                "balanced accuracy by image): it is a part of the outcome, or was "
                "recorded because of it.",
                advice="Use it for no baseline and no condition on rows.",
                values={"field": name, "balanced_accuracy": score},
            )


def tell_datasets(material: Material) -> tuple[list[Shortcut], list[Finding]]:
    """How well the dataset of an image is told by what is not the anatomy."""
    datasets = material.datasets
    if len(datasets) < 2:
        return [], []
    features = [
        {name: (about, x) for name, about, x in picture_features(dataset)}
        for dataset in datasets
    ]
    number = np.repeat(np.arange(len(datasets)), [len(d.pictures) for d in datasets])
    patients = [[f"{d.name} {p}" for p in d.ids("patient_id")] for d in datasets]
    target = Target(
        name="dataset",
        dataset="all",
        rows=np.arange(len(number)),
        values=number.astype(np.float64),
        classes=tuple(dataset.name for dataset in datasets),
        ordered=len(datasets) == 2,
        patients=numbered(np.concatenate(patients)),
    )
    if not enough(target):
        return [], []
    found = []
    for name, (about, first) in features[0].items():
        columns = [own[name][1] for own in features if name in own]
        same = {x.shape[1] for x in columns} == {first.shape[1]}
        if len(columns) == len(datasets) and same:
            told = cross_predict(target, ridge(np.concatenate(columns)))
            found.append(
                Shortcut(
                    task="dataset",
                    dataset="all",
                    name=name,
                    about=about,
                    predicted=told,
                )
            )
    sure = [one for one in found if one.is_sure]
    if not sure:
        return found, []
    sure.sort(key=lambda one: -one.predicted.image.balanced_accuracy)
    listed = ", ".join(
        f"{one.name} {one.predicted.image.balanced_accuracy:.2f}" for one in sure
    )
    finding = Finding(
        level=NOTE,
        kind="datasets_differ",
        where="all datasets",
        text=f"The dataset of an image can be told (balanced accuracy by image): "
        f"{listed}.",
        advice="One model is trained on all: a dataset must not stand for a label. "
        "Prepare the datasets alike, and see model.batch_norm.",
        values={one.name: one.predicted.to_plain() for one in sure},
    )
    return found, [finding]
