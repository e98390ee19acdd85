"""Images that are there under two patients are found before a model is trained.

The same picture under two patients would be trained with and tested. `prepare` stores
hashes of all images; here they are compared, within and across datasets. Images with
equal pixels are an error. Images that are nearly the same, such as stored again as
JPEG, brighter, slightly cropped or mirrored, are a warning.
"""

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mdmt_tf.data.sources import PreparedDataset
from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.imaging import image_hashes, similarity
from mdmt_tf.imaging.image_hashes import ImageHash
from mdmt_tf.splits import shared
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.split import Split

logger = logging.getLogger(__name__)

# Pairs with similar hashes that are compared in detail, the most similar ones first.
# 1,000 take about 5 s. `doctor` compares all.
_MOST_COMPARED = 1000
_NAMED = 3  # pairs in a message
_UNUSED = -1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """Two images of different patients that are the same or nearly so.

    Attributes:
        first, second: dataset, image_id and patient_id of each.
        splits: the split of each, such as "train", where one split is judged.
        mirrored: whether one is the mirror image of the other.
        parted: number of folds in which they are in different splits.
    """

    first: tuple[str, str, str]
    second: tuple[str, str, str]
    splits: tuple[str, str] | None
    mirrored: bool
    parted: int

    def __str__(self) -> str:
        of_each = self.splits or (None, None)
        words = []
        for (dataset, image, patient), split in zip(
            (self.first, self.second), of_each, strict=True
        ):
            where = f", {split}" if split else ""
            words.append(f"{dataset}/{image} (patient {patient}{where})")
        return " = ".join(words)


@dataclasses.dataclass(frozen=True)
class Repeated:
    """The pairs of images of different patients that are there twice.

    Attributes:
        identical: pairs with equal pixels.
        near: pairs that are nearly the same.
        folds: number of folds that were looked at.
    """

    identical: Sequence[Pair]
    near: Sequence[Pair]
    folds: int


def check_repeated(
    datasets: Sequence[PreparedDataset],
    splits: Sequence[Split],
    allow_identical: bool = False,
) -> None:
    """Refuse images with equal pixels under two patients; warn of near ones.

    Datasets without stored hashes are left out, which is said.

    Args:
        datasets: opened datasets.
        splits: of one fold or several, with lists for these datasets. Images that none
            of them uses do not matter.
        allow_identical: whether images with equal pixels are a warning, too.
    Raises: LeakageError for images with equal pixels; DataError for stored hashes that
        are damaged, or not those of the dataset.
    """
    found = find_repeated(datasets, splits)
    if found.near:
        logger.warning("%s", _text(found.near, "nearly the same", found.folds))
    if not found.identical:
        return
    text = _text(found.identical, "the same in every pixel", found.folds)
    if not allow_identical:
        pairs = [(pair.first[0], pair.second[0]) for pair in found.identical]
        raise LeakageError(
            f"{text} Give both the same patient_id{shared.also_declare(pairs)}, or "
            "leave one out: python -m mdmt_tf.prepare NAME --exclude FILE. To train "
            "with them as they are: pipeline.allow_identical_images=true."
        )
    logger.warning("%s (pipeline.allow_identical_images)", text)


def find_repeated(
    datasets: Sequence[PreparedDataset],
    splits: Sequence[Split],
    apart: str | None = None,
) -> Repeated:
    """Compare the stored hashes of all images that the splits use.

    Args:
        datasets, splits: see `check_repeated`.
        apart: name of one of the datasets; its images are compared with those of the
            others, and no images otherwise. None: all are compared.
    Raises: see `check_repeated`.
    """
    hashed = [(dataset, _hashes_of(dataset)) for dataset in datasets]
    hashed = [(dataset, own) for dataset, own in hashed if own is not None]
    images = _Images(hashed, splits, apart)
    # Images of a single grey value have no hash: they show nothing.
    digests = [one.sha256 if one.phash else "" for one in images.hashes]
    identical = image_hashes.equal_pairs(digests, images.may_leak)
    near = {}
    for (i, j), (value, is_mirrored) in _near(images).items():
        if value is None:
            identical.append((i, j))
        elif value >= similarity.ALIKE:
            near[i, j] = is_mirrored
    return Repeated(
        [images.pair(i, j, False) for i, j in sorted(identical)],
        [images.pair(i, j, mirrored) for (i, j), mirrored in near.items()],
        len(splits),
    )


def _hashes_of(dataset: PreparedDataset) -> list[ImageHash] | None:
    """The stored hashes in the order of the table; None if there are none."""
    stored = image_hashes.read(dataset.folder)
    if stored is None:
        # Synthetic images show no patients.
        logger.log(
            logging.INFO if dataset.synthetic else logging.WARNING,
            "%s: has no %s, so images that are there twice are not looked for in it. "
            "Prepare the dataset again (--overwrite) to have it.",
            dataset.folder,
            image_hashes.FILE_NAME,
        )
        return None
    ids = [str(image) for image in dataset.table["image_id"]]
    patients = [str(patient) for patient in dataset.table["patient_id"]]
    for image, patient in zip(ids, patients, strict=True):
        if image not in stored or stored[image].patient_id != patient:
            raise DataError(
                f"{dataset.folder / image_hashes.FILE_NAME}: expected a row of the "
                f"image {image!r} of patient {patient!r}, as in the dataset. It is not "
                "there: prepare the dataset again, with --overwrite."
            )
    return [stored[image] for image in ids]


class _Images:
    """The images of several datasets by number, with their patients and splits.

    They are in the order of the datasets and of their names.

    Attributes:
        names: dataset, image_id and patient_id of each.
        hashes: of each.
        patient: int (n,), number of the patient.
        split_of: int8 (folds, n), index of the split, or -1.
        used: int (m,), the images that are in a split of any fold.
    """

    def __init__(
        self,
        hashed: Sequence[tuple[PreparedDataset, Sequence[ImageHash]]],
        splits: Sequence[Split],
        apart: str | None = None,
    ):
        self._apart = apart
        self.names: list[tuple[str, str, str]] = []
        self.hashes: list[ImageHash] = []
        self._places: list[tuple[PreparedDataset, int]] = []
        for dataset, hashes in hashed:
            ids = np.asarray(dataset.table["image_id"], str)
            for row in np.argsort(ids).tolist():
                patient = str(dataset.table["patient_id"][row])
                self.names.append((dataset.name, str(ids[row]), patient))
                self.hashes.append(hashes[row])
                self._places.append((dataset, row))
        declared = {n: own for split in splits for n, own in split.patients.items()}
        keys = [(shared.key_of(dataset, declared), p) for dataset, _, p in self.names]
        numbers: dict[tuple, int] = {}
        self.patient = np.array([numbers.setdefault(k, len(numbers)) for k in keys])
        place = {name[:2]: number for number, name in enumerate(self.names)}
        self.split_of = np.full((len(splits), len(self.names)), _UNUSED, np.int8)
        for row, split in enumerate(splits):
            for dataset, _ in hashed:
                lists = split.datasets.get(dataset.name, {})
                for code, word in enumerate(SPLITS):
                    own = [place[dataset.name, image] for image in lists.get(word, ())]
                    self.split_of[row, own] = code
        self.used = np.flatnonzero((self.split_of != _UNUSED).any(axis=0))

    def may_leak(self, i: int, j: int) -> bool:
        """Whether two images have different patients, and a fold uses both."""
        if self.patient[i] == self.patient[j]:
            return False
        if self._apart is not None:
            are_apart = [self.names[number][0] == self._apart for number in (i, j)]
            if are_apart[0] == are_apart[1]:
                return False
        return bool((self.split_of[:, [i, j]] != _UNUSED).all(axis=1).any())

    def pair(self, i: int, j: int, mirrored: bool) -> Pair:
        a, b = self.split_of[:, i], self.split_of[:, j]
        parted = (a != b) & (a != _UNUSED) & (b != _UNUSED)
        of_fold = len(self.split_of) == 1
        return Pair(
            first=self.names[i],
            second=self.names[j],
            splits=(SPLITS[a[0]], SPLITS[b[0]]) if of_fold else None,
            mirrored=mirrored,
            parted=int(parted.sum()),
        )

    def stored(self, number: int) -> np.ndarray:
        """The pixels of an image as they are stored."""
        dataset, row = self._places[number]
        (record,) = dataset.records.read([row])
        return dataset.decode(record).numpy()


def _near(images: _Images) -> dict[tuple[int, int], tuple[float | None, bool]]:
    """Pairs with similar hashes -> similarity, None for equal pixels; mirrored."""
    hashes = images.hashes
    used = [number for number in images.used.tolist() if hashes[number].phash]
    if len(used) < 2:
        return {}
    packed = [
        np.frombuffer(
            bytes.fromhex("".join(getattr(hashes[n], name) for n in used)), np.uint8
        ).reshape(len(used), -1)
        for name in ("phash", "phash_mirrored")
    ]
    found = [
        dataclasses.replace(one, first=used[one.first], second=used[one.second])
        for one in similarity.candidates(*packed)
    ]
    found = [
        one
        for one in found
        if hashes[one.first].sha256 != hashes[one.second].sha256
        and images.may_leak(one.first, one.second)
    ]
    found.sort(key=lambda one: (one.bits, one.first, one.second))
    found = found[:_MOST_COMPARED]

    def verify(pair: similarity.Candidate) -> tuple[float | None, bool]:
        first, second = images.stored(pair.first), images.stored(pair.second)
        if np.array_equal(first, second):
            return None, False
        copies = [similarity.compared_copy(_picture(one)) for one in (first, second)]
        return similarity.compare(*copies, pair.mirrored)

    # OpenCV and TensorFlow compute outside the lock of Python.
    with ThreadPoolExecutor() as pool:
        values = pool.map(verify, found)
        return {
            (pair.first, pair.second): value
            for pair, value in zip(found, values, strict=True)
        }


def _picture(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.kind in "iu":
        pixels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return image_hashes.picture_of(pixels)


def _text(pairs: Sequence[Pair], how: str, folds: int) -> str:
    """How many pairs there are, how many of them leak, and the first ones."""
    parted = sum(pair.parted > 0 for pair in pairs)
    mirrored = sum(pair.mirrored for pair in pairs)
    count = "1 pair of images" if len(pairs) == 1 else f"{len(pairs)} pairs of images"
    text = f"{count} under two patients {'is' if len(pairs) == 1 else 'are'} {how}"
    if mirrored:
        text += f" ({mirrored} mirrored)"
    where = "" if folds == 1 else f" in at least one of {folds} folds"
    leak = f"{parted or 'none'} of them in two splits{where}"
    first = sorted(pairs, key=lambda pair: not pair.parted)
    named = "; ".join(map(str, itertools.islice(first, _NAMED)))
    if len(pairs) > _NAMED:
        named += f"; {len(pairs) - _NAMED} more"
    return f"{text}, {leak}: {named}. `python -m mdmt_tf.doctor` shows them."
