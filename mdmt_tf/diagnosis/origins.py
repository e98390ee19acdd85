"""What tells the datasets apart, and whether a dataset stands for a label."""

from collections.abc import Iterator

import numpy as np

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Material
from mdmt_tf.diagnosis.measures import ACQUISITION, picture_features
from mdmt_tf.diagnosis.prediction import cross_predict, enough, frequencies, ridge
from mdmt_tf.diagnosis.shortcuts import STRONG, Shortcut, scores_text
from mdmt_tf.diagnosis.targets import Target, numbered, targets_of

ALL = "all datasets"


def find_origins(material: Material) -> tuple[list[Shortcut], list[Finding]]:
    """How well pixels tell the dataset, and the dataset a label."""
    told, findings = tell_datasets(material)
    for one, target in _labels_by_dataset(material):
        told.append(one)
        if one.is_sure:
            strong = one.predicted.auc >= STRONG
            findings.append(
                Finding(
                    level=SERIOUS if strong else WARNING,
                    kind="dataset_is_label",
                    where=f"{target.name}, {ALL}",
                    text=f"The dataset alone predicts {target.name}: "
                    f"{scores_text(target, one)}.",
                    advice="A model that tells the datasets apart is right here. Judge "
                    "it within each dataset, or take the labels from one of them.",
                    values=one.to_plain(),
                )
            )
    return told, findings


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
        dataset=ALL,
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
                    dataset=ALL,
                    name=name,
                    about=about,
                    is_field=False,
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
        where=ALL,
        text=f"The dataset of an image can be told (balanced accuracy by image): "
        f"{listed}.",
        advice="One model is trained on all: a dataset must not stand for a label. "
        "Prepare the datasets alike, and see model.batch_norm.",
        values={one.name: one.predicted.to_plain() for one in sure},
    )
    return found, [finding]


def _labels_by_dataset(material: Material) -> Iterator[tuple[Shortcut, Target]]:
    """For each label of several datasets, the dataset as its predictor."""
    parts: dict[str, list[Target]] = {}
    for _, target in targets_of(material.tasks, material.tables):
        parts.setdefault(target.name, []).append(target)
    for name, targets in parts.items():
        if len(targets) < 2:
            continue
        sizes = [len(target.rows) for target in targets]
        names = [[f"{t.dataset} {p}" for p in t.patients] for t in targets]
        joined = Target(
            name=name,
            dataset=ALL,
            rows=np.arange(sum(sizes)),
            values=np.concatenate([target.values for target in targets]),
            classes=targets[0].classes,
            ordered=targets[0].ordered,
            patients=numbered(np.concatenate(names)),
        )
        if enough(joined):
            texts = np.repeat([target.dataset for target in targets], sizes)
            predictor = frequencies(texts, joined.patients)
            yield (
                Shortcut(
                    task=name,
                    dataset=ALL,
                    name="dataset",
                    about=ACQUISITION,
                    is_field=True,
                    predicted=cross_predict(joined, predictor),
                ),
                joined,
            )
