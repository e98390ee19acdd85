"""What can be wrong with the rows of a table of predictions.

Columns, keys and images here; probabilities, labels and derived answers in
`prediction_values`. No TensorFlow.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mdmt_tf.runs.predictions import ROW_KEYS
from mdmt_tf.splits.files import SPLITS, Lists
from mdmt_tf.tasks import Answer

IMAGE = ["dataset", "image_id"]
_TEXTS = [key for key in ROW_KEYS if key not in ("fold", "site")]


class Problem(NamedTuple):
    """What is wrong with a table: the row, or None; the column, or ""; what it is."""

    row: int | None
    column: str
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """What a table of predictions has to agree with.

    Attributes:
        answers: tasks and derived answers of the rows.
        splits: the values that the column `split` may have.
        fold: the number of the fold; None: any, but one.
        lists: dataset -> split -> images that have predictions; None: not known.
        examples: dataset -> number of its images; None: not known.
        others: whether the table may have rows of other answers, which are not checked.
        are_derived: whether derived answers are those of the tasks of the same row. Of
            calibrated probabilities, and of the mean of several models, they are not.
    """

    answers: Sequence[Answer]
    splits: Collection[str] = SPLITS
    fold: int | None = None
    lists: Lists | None = None
    examples: Mapping[str, int] | None = None
    others: bool = False
    are_derived: bool = True


def columns(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    needed = dict.fromkeys([*ROW_KEYS, "target", "prediction"])
    if "task" in table.columns:
        tasks = set(table["task"])
        for component in (c for one in expected.answers for c in one.components):
            if component.name in tasks:
                needed |= dict.fromkeys(component.probability_columns)
    if absent := [name for name in needed if name not in table.columns]:
        text = f"the columns {', '.join(absent)} are missing"
        yield Problem(None, "", f"not a table of predictions: {text}")
    numbers = [name for name in table.columns if name not in (*_TEXTS, "site", "run")]
    for name in numbers:
        values = table[name]
        if not len(table) or (values.dtype.kind in "iuf"):
            continue
        parsed = pd.to_numeric(values, errors="coerce")
        wrong = np.flatnonzero(parsed.isna() & values.notna() & (values != ""))
        row = int(wrong[0]) if len(wrong) else 0
        yield Problem(row, name, f" = {values.iloc[row]!r}: expected a number")


def keys(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    for name in _TEXTS:
        empty = np.flatnonzero(table[name].isna() | (table[name] == ""))
        if len(empty):
            yield Problem(int(empty[0]), name, ": is empty")
    wrong = np.flatnonzero(~table["split"].isin(list(expected.splits)))
    if len(wrong):
        row = int(wrong[0])
        allowed = ", ".join(expected.splits)
        text = f" = {table['split'].iloc[row]!r}: expected one of {allowed}"
        yield Problem(row, "split", text)
    folds = table["fold"].to_numpy()
    if len(folds):
        fold = folds[0] if expected.fold is None else expected.fold
        wrong = np.flatnonzero(folds != fold)
        if len(wrong):
            row = int(wrong[0])
            text = f" = {folds[row]:g}: expected {fold:g}, the fold of this run"
            yield Problem(row, "fold", text)
    known = [c.name for one in expected.answers for c in one.components]
    wrong = np.flatnonzero(~table["task"].isin(known))
    if len(wrong) and not expected.others:
        row = int(wrong[0])
        text = f" = {table['task'].iloc[row]!r}: expected one of {', '.join(known)}"
        yield Problem(row, "task", text)


def images_and_patients(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Rows that are there twice, and images that change their patient."""
    twice = np.flatnonzero(table.duplicated([*IMAGE, "task"]))
    if len(twice):
        text = ": there is another row of this image and task above"
        yield Problem(int(twice[0]), "image_id", text)
    first = ~table.duplicated(IMAGE)
    for name in ("patient_id", "site"):
        changed = np.flatnonzero(~table.duplicated([*IMAGE, name]) & ~first)
        if len(changed):
            row = int(changed[0])
            own = table.loc[first & _same(table, row, IMAGE), name].iloc[0]
            text = f" = {table[name].iloc[row]!r}: a row above has {own!r} for it"
            yield Problem(row, name, text)
    if expected.examples is not None:
        counts = table.loc[first, "dataset"].value_counts(sort=False)
        for dataset, count in counts.items():
            row = int(np.flatnonzero(table["dataset"] == dataset)[0])
            if dataset not in expected.examples:
                text = f" = {dataset!r}: manifest.json has no such dataset; it has "
                yield Problem(row, "dataset", text + ", ".join(expected.examples))
            elif count > expected.examples[dataset]:
                text = f" = {dataset!r}: the file has {count} images of it; by "
                text += f"manifest.json it has {expected.examples[dataset]}"
                yield Problem(row, "dataset", text)


def _same(table: pd.DataFrame, row: int, names: Sequence[str]) -> np.ndarray:
    own = [table[name].to_numpy() == table[name].iloc[row] for name in names]
    return np.logical_and.reduce(own)


def listed_images(table: pd.DataFrame, expected: Expected) -> Iterator[Problem]:
    """Images that are not those of the lists of the split."""
    if expected.lists is None:
        return
    groups = table.groupby(["split", "dataset", "task"], sort=False)["image_id"]
    for (split, dataset, task), images in groups:
        listed = set(expected.lists.get(dataset, {}).get(split, ()))
        wrong = images.index[~images.isin(listed)]
        if len(wrong):
            text = f" = {table['image_id'][wrong[0]]!r}: is not in the {split} list of "
            text += f"{dataset} in split.json"
            yield Problem(table.index.get_loc(wrong[0]), "image_id", text)
        # Training rows without a label have no prediction.
        missing = listed.difference(images) if split != "train" else ()
        if missing:
            yield Problem(
                None,
                "",
                f"there are no rows of {task} for {len(missing)} of the {split} images "
                f"of {dataset} that split.json lists, such as {min(missing)!r}",
            )
