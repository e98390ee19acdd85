"""Labels and patients by fold and split, and what they are too few for."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.stats

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Material
from mdmt_tf.diagnosis.targets import Target, targets_of
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.split import Split

# A patient with more of the labelled test images dominates them.
_DOMINANT = 0.25
# A class with fewer of the patients is rare.
_RARE = 0.1
# Sites of fewer patients are not looked at.
_SITE_PATIENTS = 5
# A site of one class is told if this is less likely, times the number of sites.
_SURPRISING = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class Count:
    """The labels of one task, dataset, fold and split.

    Attributes:
        images, patients: for each class, or one number if there are no classes.
        largest: images of the patient with the most.
        largest_class: class of the images of that patient; "" without classes.
    """

    task: str
    dataset: str
    fold: int
    split: str
    classes: tuple[str, ...]
    images: tuple[int, ...]
    patients: tuple[int, ...]
    largest: int
    largest_class: str

    @property
    def n(self) -> int:
        return sum(self.images)

    @property
    def dominance(self) -> float:
        """The part of the images that belongs to one patient."""
        return self.largest / self.n if self.n else 0.0

    def to_plain(self) -> dict:
        return dataclasses.asdict(self)


def count_labels(material: Material) -> tuple[list[Count], list[Finding]]:
    """The counts of every fold and split, and what is wrong with them."""
    datasets = {dataset.name: dataset for dataset in material.datasets}
    found, findings = [], []
    for _, target in targets_of(material.tasks, material.tables):
        ids = datasets[target.dataset].ids("image_id")[target.rows]
        own = [
            _count(target, ids, split, name)
            for split in material.folds
            for name in SPLITS
        ]
        found += own
        findings += _missing_classes(target, own)
        findings += _dominance(target, own)
        findings += _rare(target)
        findings += _contradictions(target)
        findings += _sites(target, datasets[target.dataset].ids("site"))
    findings += _overlap(material)
    findings += _constant(material)
    return found, findings


def _count(target: Target, ids: np.ndarray, split: Split, name: str) -> Count:
    lists = split.datasets.get(target.dataset, {})
    chosen = np.isin(ids, list(lists.get(name, ())))
    values, patients = target.values[chosen].astype(int), target.patients[chosen]
    k = max(len(target.classes), 1)
    if not target.classes:
        values = np.zeros(len(values), int)
    pairs = np.unique(np.stack([values, patients]), axis=1)
    per_patient = np.bincount(patients) if len(patients) else np.zeros(1, int)
    of_largest = values[patients == per_patient.argmax()]
    largest_class = ""
    if target.classes and len(of_largest):
        largest_class = target.classes[np.bincount(of_largest).argmax()]
    return Count(
        task=target.name,
        dataset=target.dataset,
        fold=split.fold,
        split=name,
        classes=target.classes,
        images=tuple(np.bincount(values, minlength=k).tolist()),
        patients=tuple(np.bincount(pairs[0], minlength=k).tolist()),
        largest=int(per_patient.max()),
        largest_class=largest_class,
    )


def _missing_classes(target: Target, counts: Sequence[Count]) -> Iterator[Finding]:
    present = np.bincount(
        target.values.astype(int) if target.classes else [], minlength=1
    )
    for name in SPLITS:
        # A dataset may be tested in other folds only, as when sites are left out.
        own = [count for count in counts if count.split == name and count.n]
        missing = {}
        for count in own:
            for c, images in enumerate(count.images):
                if count.classes and not images and c < len(present) and present[c]:
                    missing.setdefault(count.classes[c], []).append(count.fold)
        for word, folds in missing.items():
            yield Finding(
                level=SERIOUS if name == "train" else WARNING,
                kind="missing_class",
                where=target.where,
                text=f"The {name} split has no image of class {word} in "
                f"{_folds(folds, len(own))}.",
                advice="Use fewer folds, stratify by this task (split.stratify_by), or "
                "merge classes.",
                values={"class": word, "split": name, "folds": folds},
            )
    for c, word in enumerate(target.classes):
        if c >= len(present) or not present[c]:
            yield Finding(
                level=WARNING,
                kind="missing_class",
                where=target.where,
                text=f"No image of the dataset has class {word}.",
                advice="Remove the class, or look at cut_points and at `from`.",
                values={"class": word, "split": "all"},
            )


def _dominance(target: Target, counts: Sequence[Count]) -> Iterator[Finding]:
    tests = [count for count in counts if count.split == "test" and count.n >= 8]
    worst = [count for count in tests if count.dominance > _DOMINANT]
    if not worst:
        return
    images = [count.largest for count in worst]
    all_images = [count.n for count in worst]
    words = {count.largest_class for count in worst} - {""}
    of_class = f" {words.pop()}" if len(words) == 1 else ""
    yield Finding(
        level=WARNING,
        kind="dominant_patient",
        where=target.where,
        text=f"One{of_class} patient has {_range(images)} of {_range(all_images)} test "
        f"images in {_folds([count.fold for count in worst], len(tests))}.",
        advice="Read metrics by patient, not by image, and weight rows by patient "
        "(pipeline.weight_by=patient).",
        values={"folds": [count.fold for count in worst], "images": images},
    )


def _rare(target: Target) -> Iterator[Finding]:
    if not target.classes:
        return
    counts = target.class_patients()
    for word, count in zip(target.classes, counts.tolist(), strict=True):
        fraction = count / target.n_patients
        if count > 0 and (fraction < _RARE or count < 10):
            yield Finding(
                level=WARNING,
                kind="rare_class",
                where=target.where,
                text=f"{count} of {target.n_patients} patients have class {word} "
                f"({fraction:.0%}).",
                advice="Accuracy means little here. Read AUC and balanced accuracy, "
                "and see class_weights or oversample of the task.",
                values={"class": word, "patients": count},
            )


def _contradictions(target: Target) -> Iterator[Finding]:
    several = np.bincount(target.patients) > 1
    differing = int(np.isnan(target.patient_values()).sum())
    if not differing:
        return
    of_patient = target.is_of_patient()
    yield Finding(
        level=WARNING if of_patient else NOTE,
        kind="contradictory_labels",
        where=target.where,
        text=f"{differing} of {int(several.sum())} patients with several images have "
        "different labels.",
        advice="The label seems to be the patient's: correct these."
        if of_patient
        else "The label is the image's: metrics by image come first.",
        values={"patients": differing, "of": int(several.sum())},
    )


def _sites(target: Target, sites: np.ndarray) -> Iterator[Finding]:
    """Sites of one class, if the site may be the reason."""
    if not target.classes:
        return
    sites = sites[target.rows]
    # Patient, site and class, each combination once.
    rows = np.stack([target.patients, np.unique(sites, return_inverse=True)[1]])
    rows = np.unique(np.stack([*rows, target.values.astype(int)]), axis=1)
    everybody = len(np.unique(rows[0]))
    names = np.unique(sites)
    compared, single = 0, {}
    for number, site in enumerate(names):
        of_site = rows[:, rows[1] == number]
        n, classes = len(np.unique(of_site[0])), np.unique(of_site[2])
        if site == "" or n < _SITE_PATIENTS:
            continue
        compared += 1
        if len(classes) == 1:
            of_class = len(np.unique(rows[0, rows[2] == classes[0]]))
            # If n of everybody were drawn at random: all of them of this class.
            drawn = scipy.stats.hypergeom(everybody, of_class, n)
            single[str(site)] = target.classes[classes[0]], float(drawn.pmf(n))
    surprising = {
        site: word
        for site, (word, chance) in single.items()
        if chance * compared < _SURPRISING
    }
    if compared < 2 or not surprising:
        return
    listed = ", ".join(f"{site}: {word}" for site, word in list(surprising.items())[:5])
    yield Finding(
        level=SERIOUS if len(surprising) == compared else WARNING,
        kind="site_is_label",
        where=target.where,
        text=f"{len(surprising)} of {compared} sites with {_SITE_PATIENTS} or more "
        f"patients have one class only ({listed}), which is hardly chance.",
        advice="A model that tells the hospital is right here. Leave these sites out, "
        "or judge within the others.",
        values={"sites": surprising},
    )


def _overlap(material: Material) -> Iterator[Finding]:
    """Tasks that no image has both labels of."""
    known = {}
    for task, target in targets_of(material.tasks, material.tables):
        keys = {(target.dataset, row) for row in target.rows.tolist()}
        known[task.name] = known.get(task.name, set()) | keys
    names = list(known)
    apart = [
        f"{a} and {b}"
        for number, a in enumerate(names)
        for b in names[number + 1 :]
        if not known[a] & known[b]
    ]
    if apart:
        yield Finding(
            level=NOTE,
            kind="no_overlap",
            where="all datasets",
            text=f"No image has a label of both {', '.join(apart)}.",
            advice="Only the shared backbone connects such tasks; whether they are "
            "related cannot be seen in these data.",
            values={"tasks": apart},
        )
    for task in material.tasks:
        if task.name not in known:
            yield Finding(
                level=SERIOUS,
                kind="no_labels",
                where=task.name,
                text=f"No image has a label of {task.name}.",
                advice="Look at `from` of the task.",
            )


def _constant(material: Material) -> Iterator[Finding]:
    for dataset in material.datasets:
        rows = np.flatnonzero(dataset.pictures.constant)
        if len(rows):
            names = ", ".join(dataset.ids("image_id")[rows[:3]])
            images = "image" if len(rows) == 1 else "images"
            yield Finding(
                level=WARNING,
                kind="constant_images",
                where=dataset.name,
                text=f"{len(rows)} {images} with a single grey value: {names}"
                f"{', ...' if len(rows) > 3 else ''}.",
                advice="Leave them out (prepare --exclude FILE).",
                values={"images": dataset.ids("image_id")[rows].tolist()},
            )


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _folds(folds: Sequence[int], count: int) -> str:
    return f"{len(folds)} of {count} {'fold' if count == 1 else 'folds'}"
