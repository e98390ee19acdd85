"""The lists that one fit is given of a split."""

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import digest_of
from mdmt_tf.tasks.labels import Table


def of_fit(
    split: Split,
    tables: Mapping[str, Table],
    auxiliary: Collection[str] = (),
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Split:
    """The lists that a fit is given; what it does not use is excluded.

    - Of an auxiliary dataset among others, the training list alone is used: validation
      and test are of the others. If all datasets are auxiliary, their lists are used.
    - Of a dataset with a fraction, this fraction of the patients in its training list
      is trained with. A smaller fraction is part of a larger one.
    - Of a dataset with fraction 0, only the test list is used. If no other dataset has
      a validation list, that of the auxiliary datasets is used, so that images that
      are not trained with do not choose the epoch either.

    Args:
        split: of the datasets of the fit.
        tables: dataset -> fields, of these datasets.
        auxiliary: names of datasets that no fold divides; others do not matter.
        fractions: dataset -> fraction, 0 to 1; 1 for those that are not named.
        seed: seed of the fit; the patients of a fraction depend on it.
    Raises: DataError when nothing is left to train with or to choose the epoch by.

    Example:
        >>> lists = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
        >>> lists = {"real": lists, "drawn": lists}
        >>> split = Split(kind="kfold", fold=0, datasets=lists)
        >>> ids = np.array(list("abcd"))
        >>> tables = dict.fromkeys(split.datasets, {"image_id": ids, "patient_id": ids})
        >>> of_fit(split, tables, ["drawn"], {}).datasets["drawn"]["excluded"]
        ['c', 'd']
    """
    fractions = fractions or {}
    tested = [name for name in split.datasets if name not in auxiliary]
    used = [name for name in tested if fractions.get(name) != 0]
    given = {}
    for name, lists in split.datasets.items():
        keep = set(SPLITS)
        if name in auxiliary and tested:
            keep = {"train"} if used else {"train", "validation"}
        if fractions.get(name) == 0:
            keep &= {"test"}
        given[name] = _only(lists, keep)
        if 0 < (fraction := fractions.get(name, 1)) < 1:
            chosen = _drawn(name, tables[name], lists["train"], fraction, seed)
            given[name] = _trained_with(given[name], chosen)
    for wanted, purpose in (("train", "to train with"), ("validation", "to choose by")):
        had = any(lists[wanted] for lists in split.datasets.values())
        if had and not any(lists[wanted] for lists in given.values()):
            raise DataError(
                f"{split.source}: no {wanted} image is left {purpose}, of the datasets "
                f"{', '.join(split.datasets)}. Raise datasets.NAME.fraction, or add an "
                "auxiliary dataset."
            )
    return dataclasses.replace(split, datasets=given)


def _only(lists: Mapping, keep: Collection[str]) -> dict[str, list[str]]:
    """The lists with those that are not kept among the excluded images."""
    moved = [image for name in SPLITS if name not in keep for image in lists[name]]
    kept = {name: list(lists[name]) if name in keep else [] for name in SPLITS}
    return {**kept, "excluded": sorted([*lists.get("excluded", ()), *moved])}


def _trained_with(lists: Mapping, chosen: Collection[str]) -> dict[str, list[str]]:
    """The lists with the training images that are not chosen among the excluded."""
    train = [image for image in lists["train"] if image in chosen]
    others = [image for image in lists["train"] if image not in chosen]
    return {**lists, "train": train, "excluded": sorted([*lists["excluded"], *others])}


def _drawn(dataset, table: Table, images, fraction: float, seed: int) -> set[str]:
    """The images of a fraction of the patients, rounded, at least one."""
    ids = np.asarray(table["image_id"], str)
    own = np.isin(ids, list(images))
    patient_of = np.asarray(table["patient_id"], str)
    patients = np.unique(patient_of[own])
    wanted = max(1, int(np.floor(fraction * len(patients) + 0.5)))
    key = [seed, dataset, "fraction"]
    order = np.random.default_rng(int(digest_of(key)[:16], 16)).permutation(patients)
    return set(ids[own & np.isin(patient_of, order[:wanted])].tolist())
