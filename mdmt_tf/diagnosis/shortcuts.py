"""What predicts a label without the anatomy.

A network takes the easiest way. If the projection, the size of the image or its border
predicts the outcome, the network may have learned that, and nothing about patients.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Dataset, Material
from mdmt_tf.diagnosis.measures import (
    ACQUISITION,
    IMAGE,
    LABEL,
    PATIENT,
    THUMBNAIL,
    measures,
    text_fields,
)
from mdmt_tf.diagnosis.prediction import (
    Predicted,
    cross_predict,
    enough,
    ridge,
)
from mdmt_tf.diagnosis.targets import Target, numbered, targets_of
from mdmt_tf.metrics.text import plural
from mdmt_tf.planning.leaks import SUSPECT, tells
from mdmt_tf.statistics.strata import UNKNOWN
from mdmt_tf.tasks import label_is_known

# AUC from which a measure is reported, and from which it is the first suspect.
REPORTED, STRONG = 0.6, 0.75
# Standard errors above chance: a measure raises a false alarm in 1 of 200 labels.
SURE = 2.6

_ADVICE = {
    ACQUISITION: "Compare each model with a baseline of {name}, judge it within each "
    "{name}, or balance the data.",
    PATIENT: "Compare each model with a baseline of {name}.",
    IMAGE: "A model has to be better than this before its image says anything.",
    LABEL: "It looks like another label of the same: use it for no baseline.",
}
# A measure of the pixels or of the file instead of a field.
_OF_FILES = "Compare each model with this, and prepare all images alike."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shortcut:
    """One measure and one label.

    Attributes:
        task, dataset: of the label; the task is "dataset" for telling datasets apart.
        name: of the measure.
        about: ACQUISITION, PATIENT, IMAGE or LABEL.
        is_field: whether it is a field of the dataset.
        predicted: scores.
        visible: AUC at which the thumbnail tells the measure; NaN if not computed.
    """

    task: str
    dataset: str
    name: str
    about: str
    is_field: bool
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
        labels = material.label_fields(dataset.name)
        own = [
            Shortcut(
                task=target.name,
                dataset=dataset.name,
                name=name,
                about=about,
                is_field=is_field,
                predicted=cross_predict(target, predictor),
            )
            for name, about, is_field, predictor in measures(dataset, target, labels)
        ]
        own = [_with_visibility(one, dataset, labels) for one in own]
        found += own
        findings += [_finding(target, one) for one in own if one.is_sure]
        findings += _known_values(dataset, target, labels)
    return found, findings


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
        LABEL: NOTE,
    }[one.about]
    subject = f"The field {one.name}" if one.is_field else f"The {one.name}"
    text = f"{subject} alone predicts {target.name}: {scores_text(target, one)}."
    if one.visible >= STRONG:
        text += (
            f" It can be seen: the {THUMBNAIL} tells it at AUC {one.visible:.2f} by "
            "image."
        )
    advice = _ADVICE[one.about].format(name=one.name)
    if one.about == ACQUISITION and not one.is_field:
        advice = _OF_FILES
    return Finding(
        level=level,
        kind="shortcut",
        where=target.where,
        text=text,
        advice=advice,
        values=one.to_plain(),
    )


def scores_text(target: Target, one: Shortcut) -> str:
    """The scores by image and by patient, as words."""
    units = [one.predicted.image, one.predicted.patient]
    counts = f"{plural(units[0].n, 'image')}, {plural(units[1].n, 'patient')}"
    first = "AUC {} by image and {} by patient"
    if units[0].n == units[1].n == target.n_patients:
        units, counts, first = units[1:], plural(units[1].n, "patient"), "AUC {}"
    if not target.classes:
        first = first.replace("AUC", "concordance")
    parts = [first.format(*(f"{unit.auc:.2f}" for unit in units))]
    if target.classes:
        for title, key in (
            ("balanced accuracy", "balanced_accuracy"),
            ("accuracy", "accuracy"),
        ):
            values = " and ".join(f"{getattr(unit, key):.2f}" for unit in units)
            parts.append(f"{title} {values}")
    return f"{', '.join(parts)} ({counts})"


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
    found = {}
    for name, values in dataset.table.items():
        if name in labels or values.ndim != 1:
            continue
        known = label_is_known(values)[target.rows]
        score = tells(known.astype(str).tolist(), classes)
        if score >= SUSPECT:
            found[name] = score
    if found:
        listed = ", ".join(f"{name} {score:.2f}" for name, score in found.items())
        yield Finding(
            level=NOTE,
            kind="follows_the_label",
            where=target.where,
            text=f"Whether a field is known tells {target.name} (balanced accuracy by "
            f"image): {listed}. It is a part of the outcome, or was recorded because "
            "of it.",
            advice="Use it for no baseline and no condition on rows.",
            values=found,
        )
