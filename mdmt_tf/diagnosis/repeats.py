"""Images that are there twice: equal pixels, copies, or nearly the same picture."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mdmt_tf.diagnosis.findings import NOTE, SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Dataset, Material
from mdmt_tf.imaging import similarity
from mdmt_tf.imaging.image_hashes import equal_pairs
from mdmt_tf.splits.files import LISTS
from mdmt_tf.splits.shared import also_declare, key_of
from mdmt_tf.tasks import label_is_known
from mdmt_tf.tasks.labels import task_labels

IDENTICAL, COPY, ALIKE = "identical", "copy", "alike"
_NAMED = 3  # pairs in a sentence


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of a pair."""

    dataset: str
    image_id: str
    patient_id: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.image_id}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repeat:
    """Two images that are nearly the same.

    Attributes:
        first, second: the images.
        rows: their numbers over all datasets.
        kind: "identical" pixels; "copy", the same picture; "alike", the same picture
            in another crop, or two pictures of one patient.
        similarity: see `mdmt_tf.imaging.similarity`.
        mirrored: whether one is the mirror image of the other.
        same_patient: whether the patient is the same, in one dataset or in datasets
            that declare the same patients.
        leaking_folds: number of folds in which one is trained with and the other tested
            or used to select.
        labels_differ: whether a task has a different label for each.
    """

    first: Image
    second: Image
    rows: tuple[int, int]
    kind: str
    similarity: float
    mirrored: bool
    same_patient: bool
    leaking_folds: int
    labels_differ: bool

    def to_plain(self) -> dict:
        plain = dataclasses.asdict(self)
        del plain["rows"]
        return plain


def find_repeats(
    material: Material,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[list[Repeat], list[Finding]]:
    """Repeats within and across patients, splits and datasets, the closest first."""
    pictures = [dataset.pictures for dataset in material.datasets]
    joined = {
        name: np.concatenate([getattr(own, name) for own in pictures])
        for name in ("hashes", "mirrored", "compared", "digests", "constant")
    }
    joined["originals"] = _digests_of_originals(material.datasets)
    images = [
        Image(dataset.name, *ids)
        for dataset in material.datasets
        for ids in zip(dataset.ids("image_id"), dataset.ids("patient_id"), strict=True)
    ]
    images = [Image(i.dataset, str(i.image_id), str(i.patient_id)) for i in images]
    declared = {n: own for fold in material.folds for n, own in fold.patients.items()}
    patients = [(key_of(i.dataset, declared), i.patient_id) for i in images]
    found = _verified(joined, patients, progress)
    splits = [_split_of(split, images) for split in material.folds]
    labels = _labels(material, len(images))
    repeats = []
    for (i, j), (value, is_mirrored) in found.items():
        a, b = images[i], images[j]
        repeats.append(
            Repeat(
                first=a,
                second=b,
                rows=(i, j),
                kind=IDENTICAL
                if _is_equal(joined, i, j)
                else COPY
                if value >= similarity.SAME
                else ALIKE,
                similarity=value,
                mirrored=is_mirrored,
                same_patient=patients[i] == patients[j],
                leaking_folds=sum(_leaks(of[i], of[j]) for of in splits),
                labels_differ=_differ(labels, i, j),
            )
        )
    repeats.sort(key=lambda r: (r.same_patient, -r.similarity, r.rows))
    return repeats, list(_findings(repeats, len(material.folds)))


def _verified(joined, patients, progress) -> dict[tuple[int, int], tuple[float, bool]]:
    """(i, j) -> similarity, mirrored; of the pairs that are alike."""
    rows = np.flatnonzero(~joined["constant"])
    found = [
        dataclasses.replace(one, first=rows[one.first], second=rows[one.second])
        for one in similarity.candidates(
            joined["hashes"][rows], joined["mirrored"][rows]
        )
    ]
    known = {(one.first, one.second) for one in found}
    # Equal originals may have been cropped differently.
    found += [
        similarity.Candidate(*pair, bits=0, mirrored=(False,))
        for pair in equal_pairs(joined["originals"])
        if pair not in known
    ]
    compared = joined["compared"]

    def verify(pair: similarity.Candidate) -> tuple[float, bool]:
        i, j = pair.first, pair.second
        if _is_equal(joined, i, j):
            return 1.0, False
        return similarity.compare(compared[i], compared[j], pair.mirrored)

    alike = {}
    # OpenCV computes outside the lock of Python.
    with ThreadPoolExecutor() as pool:
        values = pool.map(verify, found)
        for done, (pair, (value, is_mirrored)) in enumerate(
            zip(found, values, strict=True), start=1
        ):
            progress(done, len(found))
            i, j = pair.first, pair.second
            within = patients[i] == patients[j]
            if value >= (similarity.ALIKE_WITHIN if within else similarity.ALIKE):
                alike[i, j] = value, is_mirrored
    return alike


def _digests_of_originals(datasets: Sequence[Dataset]) -> list[str]:
    """The stored digest of each image; "" where there is none, or nothing to see."""
    found: list[str] = []
    for dataset in datasets:
        stored = dataset.digests or [""] * len(dataset.pictures)
        constant = dataset.pictures.constant
        found += ["" if c else d for d, c in zip(stored, constant, strict=True)]
    return found


def _is_equal(joined: Mapping, i: int, j: int) -> bool:
    """Whether two images have equal pixels, as prepared or as decoded."""
    originals = joined["originals"]
    is_known = originals[i] != "" and originals[i] == originals[j]
    return is_known or joined["digests"][i] == joined["digests"][j]


def _split_of(split, images: Sequence[Image]) -> list[str]:
    of = {
        (name, image): word
        for name, lists in split.datasets.items()
        for word in LISTS
        for image in lists.get(word, ())
    }
    return [of.get((image.dataset, image.image_id), "excluded") for image in images]


def _leaks(a: str, b: str) -> bool:
    return a != b and "train" in (a, b) and "excluded" not in (a, b)


def _labels(material: Material, n: int) -> list[np.ndarray]:
    """For each task, the encoded labels of all images; NaN where unknown."""
    found = []
    for task in material.tasks:
        width = int(np.prod(task.label_shape, dtype=int))
        values, start = np.full((n, width), np.nan), 0
        for dataset in material.datasets:
            stop = start + len(dataset.pictures)
            if dataset.name in task.sources:
                own = task.encode(task_labels(dataset.name, dataset.table, task))
                own = np.where(label_is_known(own), own, np.nan)
                values[start:stop] = own.reshape(len(own), -1)
            start = stop
        found.append(values)
    return found


def _differ(labels: Sequence[np.ndarray], i: int, j: int) -> bool:
    # A comparison with NaN is false.
    return any(bool((np.abs(values[i] - values[j]) > 0).any()) for values in labels)


def _findings(repeats: Sequence[Repeat], folds: int):
    across = [r for r in repeats if not r.same_patient]
    copies = [r for r in across if r.kind != ALIKE]
    if copies:
        leaking = sum(r.leaking_folds > 0 for r in copies)
        leak = (
            f"{leaking} of them leak: in at least one of {folds} folds, one image is "
            "trained with and the other judged."
            if leaking
            else f"By luck, no pair is parted by any of {folds} folds."
        )
        datasets_of = [(r.first.dataset, r.second.dataset) for r in copies]
        yield Finding(
            level=SERIOUS,
            kind="repeats_across_patients",
            where="all datasets",
            text=f"{_pairs(copies)} the same under two patients"
            f"{_mirrors(copies)}: {_named(copies)}. {leak}",
            advice=f"Give both the same patient_id{also_declare(datasets_of)}, or "
            "leave one out (prepare --exclude FILE).",
            values={"pairs": len(copies), "leaking": leaking},
        )
    alike = [r for r in across if r.kind == ALIKE]
    if alike:
        yield Finding(
            level=WARNING,
            kind="alike_across_patients",
            where="all datasets",
            text=f"{_pairs(alike)} nearly the same under two patients: "
            f"{_named(alike)}.",
            advice="Look at the pictures: another crop of the same image, or the same "
            "person under two names?",
            values={"pairs": len(alike)},
        )
    within = [r for r in repeats if r.same_patient]
    if within:
        alike = [r for r in within if r.kind == ALIKE]
        copies = [r for r in within if r.kind != ALIKE]
        parts = [
            f"{_pairs(own)} {word} within a patient{_mirrors(own)}: {_named(own)}."
            for own, word in ((copies, "the same"), (alike, "nearly the same"))
            if own
        ]
        yield Finding(
            level=NOTE,
            kind="repeats_within_patients",
            where="all datasets",
            text=" ".join(parts),
            advice="They do not leak, but the same picture counts twice: leave one of "
            "each pair out (prepare --exclude FILE).",
            values={"pairs": len(copies), "alike": len(alike)},
        )
    different = [r for r in repeats if r.kind != ALIKE and r.labels_differ]
    if different:
        yield Finding(
            level=WARNING,
            kind="repeats_with_other_labels",
            where="all datasets",
            text=f"{_pairs(different)} the same and have different labels: "
            f"{_named(different)}.",
            advice="Correct one of the labels, or leave both out.",
            values={"pairs": len(different)},
        )


def _pairs(repeats: Sequence[Repeat]) -> str:
    return "1 pair of images is" if len(repeats) == 1 else f"{len(repeats)} pairs are"


def _mirrors(repeats: Sequence[Repeat]) -> str:
    count = sum(r.mirrored for r in repeats)
    return f" ({count} mirrored)" if count else ""


def _named(repeats: Sequence[Repeat]) -> str:
    words = [f"{r.first} = {r.second}" for r in repeats[:_NAMED]]
    if len(repeats) > _NAMED:
        words.append(f"{len(repeats) - _NAMED} more")
    return ", ".join(words)
