"""Patients of several datasets: one hospital may have made two tables.

Within a dataset, an id is one patient. Whether it is the same patient in another one,
only the user knows: two collections may both count from 1. So it is declared
(`datasets.NAME.patients`), and datasets with the same name there are divided together.
"""

import itertools
import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mdmt_tf.errors import DataWarning
from mdmt_tf.splits.files import SPLITS, some
from mdmt_tf.tasks.labels import Table

# Ids that two datasets have in common by chance are few.
_FEWEST, _SMALLEST_PART = 5, 0.1


def groups(names: Collection[str], patients: Mapping[str, str]) -> list[list[str]]:
    """The datasets that are divided together, in the order of the names.

    Args:
        names: of the datasets.
        patients: dataset -> the name of its patients, of those that declare one.

    Example:
        >>> groups(["a", "b", "c"], {"a": "milan", "c": "milan"})
        [['a', 'c'], ['b']]
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        found.setdefault(key_of(name, patients), []).append(name)
    return list(found.values())


def key_of(dataset: str, patients: Mapping[str, str]) -> tuple[str, str]:
    """What makes an id of a dataset a patient, together with the id.

    Example:
        >>> key_of("a", {"a": "milan"}) == key_of("c", {"c": "milan"})
        True
        >>> key_of("milan", {}) == key_of("a", {"a": "milan"})
        False
    """
    if dataset in patients:
        return "declared", patients[dataset]
    return "dataset", dataset


def remedy(one: str, other: str) -> str:
    """How to declare that two datasets have the same patients.

    Example:
        >>> remedy("a", "b")
        'one name of their patients (datasets.a.patients=shared datasets.b...=shared)'
    """
    keys = " ".join(f"datasets.{name}.patients=shared" for name in (one, other))
    return f"one name of their patients ({keys})"


def also_declare(pairs: Sequence[tuple[str, str]]) -> str:
    """What to do besides, where an image is in two datasets: their ids are not one.

    Args:
        pairs: the datasets of the two images of each pair.

    Example:
        >>> also_declare([("a", "a")])
        ''
    """
    for one, other in pairs:
        if one != other:
            return f", and, of two datasets, both {remedy(one, other)}"
    return ""


def warn_of_common_ids(
    tables: Mapping[str, Table],
    lists: Mapping[str, Mapping[str, Sequence[str]]],
    patients: Mapping[str, str],
) -> None:
    """Warn of undeclared datasets that seem to have patients in common, in two splits.

    Of datasets that are declared to have them, and have none, it warns, too.

    Args:
        tables: dataset -> fields, of datasets that folds divide.
        lists: dataset -> split -> image_ids.
        patients: dataset -> the declared name of its patients.

    Example:
        >>> ids = np.array(list("pqrst"))
        >>> table = {"image_id": ids, "patient_id": ids}
        >>> lists = {"a": {"train": list("pqrst")}, "b": {"test": list("pqrst")}}
        >>> with warnings.catch_warnings(record=True) as found:
        ...     warnings.simplefilter("always")
        ...     warn_of_common_ids({"a": table, "b": table}, lists, {})
        >>> str(found[0].message)[:34]
        '5 patient_ids are in a and in b, s'
    """
    ids = {name: _split_of_ids(tables[name], lists[name]) for name in tables}
    for one, other in itertools.combinations(sorted(tables), 2):
        common = sorted(set(ids[one]) & set(ids[other]))
        is_same = key_of(one, patients) == key_of(other, patients)
        if is_same and not common:
            warnings.warn(
                f"datasets.{one}.patients and datasets.{other}.patients are "
                f"{patients[one]!r}, but no patient_id is in both: {one} has "
                f"{some(list(ids[one]), 2)}, {other} has {some(list(ids[other]), 2)}. "
                "Patients are known by equal ids: write them in one way in both.",
                DataWarning,
                stacklevel=2,
            )
        if is_same or (one in patients and other in patients):
            continue
        fewest = min(len(ids[one]), len(ids[other]))
        if len(common) < max(_FEWEST, _SMALLEST_PART * fewest):
            continue
        if any(len(ids[one][each] | ids[other][each]) > 1 for each in common):
            warnings.warn(
                f"{len(common)} patient_ids are in {one} and in {other}, such as "
                f"{some(common, 2)}, and not all of them are in one split. If they are "
                "the same patients, test patients are trained with: give both "
                f"datasets {remedy(one, other)}. If they are not, give each a name of "
                "its own.",
                DataWarning,
                stacklevel=2,
            )


def _split_of_ids(table: Table, lists: Mapping) -> dict[str, set[str]]:
    """patient_id -> the splits of its images, of all patients in a split."""
    split_of = {image: split for split in SPLITS for image in lists.get(split, ())}
    found: dict[str, set[str]] = {}
    rows = np.asarray(table["image_id"], str), np.asarray(table["patient_id"], str)
    for image, patient in zip(*(column.tolist() for column in rows), strict=True):
        if image in split_of:
            found.setdefault(patient, set()).add(split_of[image])
    return found
