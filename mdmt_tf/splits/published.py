"""Fold lists in the format of the code of Ruffini et al. 2024, for `split.file`.

A folder has a folder for each fold, numbered from 0, or is itself that of a single
fold. A fold has the files train.txt, val.txt and test.txt: a line of headings that
begins with `img`, then one line for each image that begins with its image_id. Columns
are separated by spaces, and only the first one is read. A file all.txt of the same form
in the folder or above it lists all images of the dataset.

    AFC/5/0/test.txt     img label center
                         P_49 MILD A

The lists themselves carry labels of registered data, so none come with this package.
"""

import collections
import dataclasses
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf import links
from mdmt_tf.errors import DataError
from mdmt_tf.metrics.text import plural
from mdmt_tf.splits.files import LISTS, SPLITS, Lists, in_spelling, some
from mdmt_tf.tasks.labels import Table

# Split -> its file.
FILES = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
_ALL = "all.txt"
_HEADING = "img"

# split -> image_ids
Fold = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is to be known of the lists of one dataset.

    Attributes:
        folds: number of folds.
        images: distinct images on any list.
        untested: known images in no test split of any fold.
        tested_twice: images in the test split of several folds.
        unknown: listed images that are not prepared; they are left out.
        unlisted: known images on no list of any fold; they are excluded.
        leaking: (fold, patient) of patients in several splits of a fold.
    """

    folds: int
    images: int
    untested: tuple[str, ...]
    tested_twice: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    leaking: tuple[tuple[int, str], ...] = ()

    def lines(self) -> list[str]:
        """The findings in words, one line each; what is not there has none."""
        found = [
            f"{plural(self.images, 'image')} on the lists of "
            f"{plural(self.folds, 'fold')}"
        ]
        for images, words in (
            (self.untested, "in no test split"),
            (self.tested_twice, "in the test split of several folds"),
            (self.unknown, "listed but not prepared, left out"),
            (self.unlisted, "on no list, excluded"),
        ):
            if images:
                found.append(f"{len(images)} {words}: {some(images)}")
        if self.leaking:
            patients = sorted({patient for _, patient in self.leaking})
            found.append(
                f"{plural(len(patients), 'patient')} in several splits: "
                f"{some(patients)}"
            )
        return found


def read_folds(folder: str | Path) -> list[Fold]:
    """Read the folds of a folder; see the module.

    Raises: DataError for a folder or file that is missing, a line without an image, or
        an image twice in a fold.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, image in (("train", "P_1"), ("val", "P_2"), ("test", "P_3")):
        ...         text = f"img label center\\n{image} MILD A\\n"
        ...         _ = Path(folder, f"{name}.txt").write_text(text)
        ...     read_folds(folder)
        [{'train': ['P_1'], 'validation': ['P_2'], 'test': ['P_3']}]
    """
    folder = Path(folder)
    if (folder / FILES["train"]).is_file():
        return [_read_fold(folder)]
    children = folder.iterdir() if folder.is_dir() else ()
    numbers = sorted(int(c.name) for c in children if c.name.isdecimal())
    if not numbers or numbers != list(range(len(numbers))):
        raise DataError(
            f"{folder}: expected the folders 0, 1, 2, ... of the folds, each with "
            f"{', '.join(FILES.values())}; or these files themselves. Received: "
            f"{', '.join(map(str, numbers)) or 'no such folder'}."
        )
    return [_read_fold(folder / str(number)) for number in numbers]


def read_all(folder: str | Path) -> list[str]:
    """The image_ids of all.txt in a folder or above it; none without such a file.

    Raises: DataError as `read_folds`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "all.txt").write_text("img label\\nP_1 MILD\\n")
        ...     read_all(folder), read_all(Path(folder, "5"))
        (['P_1'], ['P_1'])
    """
    for place in (Path(folder), Path(folder).parent):
        if (place / _ALL).is_file():
            return [image for image, _ in _images(place / _ALL)]
    return []


def check(
    folds: Sequence[Fold],
    table: Table | None = None,
    everything: Collection[str] = (),
) -> tuple[list[Fold], Findings]:
    """Fit the lists of one dataset to its prepared images.

    Images that are not prepared are left out. Prepared images that a fold does not list
    are excluded from it. Without a table, the known images are those of the lists and
    of `everything`.

    Args:
        folds: of `read_folds`.
        table: image_id and patient_id of the prepared images; None if not known.
        everything: of `read_all`; not used with a table.
    Returns: the folds, each with all of `LISTS`; and what was found.
    Raises: DataError when none of the listed images is prepared.

    Example:
        >>> fold = {"train": ["a", "x"], "validation": ["b"], "test": ["c"]}
        >>> ids = np.array(["a", "b", "c", "d"])
        >>> patients = np.array(["p", "p", "q", "r"])
        >>> table = {"image_id": ids, "patient_id": patients}
        >>> made, found = check([fold], table)
        >>> made[0]["train"], made[0]["excluded"]
        (['a'], ['d'])
        >>> found.unknown, found.leaking
        (('x',), ((0, 'p'),))
    """
    if table is not None:
        folds = [in_spelling(fold, table["image_id"]) for fold in folds]
    listed = {image for fold in folds for images in fold.values() for image in images}
    if table is None:
        prepared = listed | set(everything)
    else:
        prepared = set(np.asarray(table["image_id"], str).tolist())
    if not listed & prepared:
        raise DataError(
            f"none of the {len(listed)} listed images is prepared. Listed: "
            f"{some(sorted(listed))}; prepared: {some(sorted(prepared))}. Are these "
            "the lists of another dataset?"
        )
    made = [_fitted(fold, prepared) for fold in folds]
    tested = collections.Counter(image for fold in made for image in fold["test"])
    return made, Findings(
        folds=len(folds),
        images=len(listed),
        untested=tuple(sorted(prepared - set(tested))),
        tested_twice=tuple(sorted(i for i, times in tested.items() if times > 1)),
        unknown=tuple(sorted(listed - prepared)),
        unlisted=tuple(sorted(prepared - listed)),
        leaking=() if table is None else tuple(_leaking(made, table)),
    )


def without_leaks(folds: Sequence[Fold], table: Table) -> list[Fold]:
    """Exclude images of patients in several splits, but for one of the splits.

    It is test if the patient has an image there, otherwise validation. So the test
    splits stay as they are.

    Example:
        >>> fold = {"train": ["a"], "validation": ["b"], "test": ["c"], "excluded": []}
        >>> table = {"image_id": ["a", "b", "c"], "patient_id": ["p", "q", "p"]}
        >>> without_leaks([fold], table)[0]
        {'train': [], 'validation': ['b'], 'test': ['c'], 'excluded': ['a']}
    """
    patient_of = _patients(table)
    result = []
    for fold in folds:
        kept = {name: list(images) for name, images in fold.items()}
        for first, second in (
            ("test", "validation"),
            ("test", "train"),
            ("validation", "train"),
        ):
            patients = {patient_of[image] for image in kept[first]}
            leaking = [i for i in kept[second] if patient_of[i] in patients]
            kept[second] = [i for i in kept[second] if i not in set(leaking)]
            kept["excluded"] = sorted([*kept["excluded"], *leaking])
        result.append(kept)
    return result


def combine(folds_of: Mapping[str, Sequence[Fold]], how: str) -> list[Lists]:
    """The lists of several datasets, one item for each fold.

    Args:
        folds_of: dataset -> its folds.
        how: "cycle" puts fold k of each dataset together, and the folds of a dataset
            with fewer of them repeat; "product" makes every combination.

    Example:
        >>> folds_of = {"a": [{"test": ["1"]}, {"test": ["2"]}], "b": [{"test": ["3"]}]}
        >>> [lists["b"]["test"] for lists in combine(folds_of, "cycle")]
        [['3'], ['3']]
    """
    if how == "product":
        rows = itertools.product(*folds_of.values())
    else:
        most = max(map(len, folds_of.values()))
        rows = (
            [folds[number % len(folds)] for folds in folds_of.values()]
            for number in range(most)
        )
    return [dict(zip(folds_of, row, strict=True)) for row in rows]


def _read_fold(folder: Path) -> Fold:
    where: dict[str, str] = {}
    fold = {}
    for split, name in FILES.items():
        path = folder / name
        fold[split] = []
        for image, number in _images(path):
            here = f"{path}, line {number}"
            if image in where:
                raise DataError(f"{here}: image {image!r} is in {where[image]}, too.")
            where[image] = here
            fold[split].append(image)
    return fold


def _images(path: Path) -> Iterator[tuple[str, int]]:
    """Each image of a file, with the number of its line."""
    links.check(path, path.parent)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
    if not lines or lines[0].split()[:1] != [_HEADING]:
        raise DataError(
            f"{path}: expected headings that begin with {_HEADING!r}. Received: "
            f"{lines[0] if lines else 'an empty file'}"
        )
    for number, line in enumerate(lines[1:], start=2):
        if words := line.split():
            yield words[0], number


def _fitted(fold: Fold, prepared: set[str]) -> Fold:
    kept = {split: sorted(prepared & set(fold[split])) for split in SPLITS}
    used = {image for images in kept.values() for image in images}
    made = {**kept, "excluded": sorted(prepared - used)}
    return {name: made[name] for name in LISTS}


def _patients(table: Table) -> dict[str, str]:
    pairs = zip(table["image_id"], table["patient_id"], strict=True)
    return {str(image): str(patient) for image, patient in pairs}


def _leaking(folds: Sequence[Fold], table: Table) -> Iterator[tuple[int, str]]:
    patient_of = _patients(table)
    for number, fold in enumerate(folds):
        patients = [{patient_of[i] for i in fold[split]} for split in SPLITS]
        shared = set()
        for one, other in itertools.combinations(patients, 2):
            shared |= one & other
        yield from ((number, patient) for patient in sorted(shared))
