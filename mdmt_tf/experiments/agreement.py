"""The files of a benchmark have to agree with each other, or nothing is reported.

Every fit tests the images of its fold, and an image has the same patient and the same
label in every fit.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.cells import FINISHED, again, remedy
from mdmt_tf.experiments.grid import NO_BACKBONE, Folder
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.files import SPLITS
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import sha256_of
from mdmt_tf.tasks import Answer

_IMAGE = ["dataset", "image_id"]
# What makes the labels of a task, in all experiments.
_LABELS = ("classes", "cut_points", "descending")


class Run(Protocol):
    """What is compared of a finished run, see `FitResults`."""

    rows: pd.DataFrame
    manifest: Mapping


def check_agreement(
    folder: Folder,
    cells: pd.DataFrame,
    runs: Mapping[str, Run],
    facts: Mapping,
    tasks: Mapping[str, Answer],
    split: str,
) -> None:
    """Make sure that the finished fits of a benchmark belong together.

    Args:
        folder: of the benchmark.
        cells: its cells, see `read_cells`.
        runs: fit -> its rows of the split and its manifest.
        facts: of `data.json`; {} without the file.
        tasks: those of `benchmark.yaml` by name.
        split: the judged split.
    Raises: DataError that names the two files that contradict each other, and where.
    """
    for path in (folder.fields, folder.correlations):
        _check_unchanged(path, facts)
    for fit, run in runs.items():
        _check_data(folder.run(fit).manifest, run.manifest, facts)
    _check_cells(folder, cells, runs, facts)
    for fit in runs:
        _check_tasks(folder.run(fit), tasks)
    for text in _contradictions(folder, runs, split):
        raise DataError(text)


def _check_unchanged(path: Path, facts: Mapping) -> None:
    """A table that the plan has written is as it was written."""
    # Plans of earlier versions state none.
    stated = facts.get("sha256", {}).get(path.name)
    if stated is None:
        return
    what = ""
    if not path.is_file():
        what = "is missing. data.json says that `python -m mdmt_tf.benchmark` wrote it"
    elif sha256_of(path) != stated:
        what = (
            "is not what `python -m mdmt_tf.benchmark` wrote: data.json has another "
            "sha256"
        )
    if what:
        again = "Run the benchmark again, which writes it again."
        raise DataError(f"{path}: {what}. {again}")


def _check_data(path: Path, manifest: Mapping, facts: Mapping) -> None:
    """A fit has read the data of the benchmark."""
    known = facts.get("datasets", {})
    for name, own in (manifest.get("datasets") or {}).items():
        stated = own.get("fingerprint")
        expected = known.get(name, {}).get("fingerprint", stated)
        if stated != expected:
            raise DataError(
                f"{path}: dataset {name!r} has the fingerprint {str(stated)[:12]}; in "
                f"data.json of the benchmark it is {expected[:12]}. The run is of "
                f"other data: {again(path)}"
            )


def _check_cells(
    folder: Folder, cells: pd.DataFrame, runs: Mapping[str, Run], facts: Mapping
) -> None:
    """A fit is that of its cells: the experiment, the seed, the lists of the fold."""
    # Plans of earlier versions state none.
    hashes = facts.get("lists", {})
    listed: dict[tuple[str, int], Split | None] = {}
    checked: set[tuple[str, str, int]] = set()
    for cell in cells[cells["state"] == FINISHED].itertuples():
        run = folder.run(cell.fit)
        where = (cell.validation, cell.fold)
        contents = hashes.get(cell.validation, ())
        content = contents[cell.fold] if cell.fold < len(contents) else None
        path = folder.split(*where, content)
        if where not in listed:
            listed[where] = Split.read(path) if path.is_file() else None
        lists = listed[where]
        if lists is not None and (cell.fit, *where) not in checked:
            checked.add((cell.fit, *where))
            _check_lists(run, runs[cell.fit].manifest, lists, path)
        if cell.backbone == NO_BACKBONE or not run.tasks.is_file():
            continue
        manifest = runs[cell.fit].manifest
        own = str(manifest.get("experiment")), manifest.get("seeds", {}).get("run")
        for name, stated, expected in (
            ("experiment", own[0], cell.experiment),
            ("seeds.run", own[1], cell.seed),
        ):
            # Cells of two experiments may share a fit.
            is_shared = name == "experiment" and cell.fit.startswith(f"{stated}-")
            if stated != expected and not is_shared:
                raise DataError(
                    f"{run.manifest}: {name} = {stated!r}; in grid.csv, the cell of "
                    f"this fit has {expected!r}. {remedy(run.manifest)}"
                )


def _check_lists(run: RunFolder, manifest: Mapping, lists: Split, path: Path) -> None:
    """The lists of a fit are those of the fold, or what a fit uses of them."""
    if not run.split.is_file():
        return
    made = Split.read(run.split).datasets
    # See `fit_lists.of_fit`.
    used_in_part = {
        *manifest.get("auxiliary", ()),
        *manifest.get("dataset_fractions", ()),
    }
    for dataset in manifest.get("datasets") or made:
        for name in SPLITS:
            own = set(made.get(dataset, {}).get(name, ()))
            of_fold = set(lists.datasets.get(dataset, {}).get(name, ()))
            other = own - of_fold if dataset in used_in_part else own ^ of_fold
            if other:
                raise DataError(
                    f"{run.split}: the {name} images of {dataset} are not those of "
                    f"{path}: {len(other)} are in one of the two files only, such as "
                    f"{min(other)!r}. {remedy(run.split)}"
                )


def _check_tasks(run: RunFolder, tasks: Mapping[str, Answer]) -> None:
    """A fit was trained with the labels of the benchmark."""
    # Baselines have none.
    for own in run.read_json(run.tasks) if run.tasks.is_file() else ():
        if (task := tasks.get(own["name"])) is None:
            continue
        expected = task.to_plain()
        for key in _LABELS:
            if own.get(key, expected[key]) != expected[key]:
                raise DataError(
                    f"{run.tasks}: {task.name}: {key} = {own[key]}; in benchmark.yaml "
                    f"it is {expected[key]}. The fit was trained with other labels. "
                    "Run the benchmark again, which trains those that are missing."
                )


def _contradictions(
    folder: Folder, runs: Mapping[str, Run], split: str
) -> Iterator[str]:
    """Images with another patient, site or label than in an earlier fit."""
    columns = [*_IMAGE, "task", "patient_id", "site", "target"]
    parts = [run.rows[columns].assign(fit=fit) for fit, run in runs.items()]
    if not parts:
        return
    whole = pd.concat(parts, ignore_index=True)
    wanted = [("patient_id", _IMAGE), ("site", _IMAGE)]
    if split == "test":
        # Validation labels may have been permuted on purpose.
        wanted.append(("target", [*_IMAGE, "task"]))
    for name, keys in wanted:
        different = whole.drop_duplicates([*keys, name])
        again_there = different.duplicated(keys)
        if not again_there.any():
            continue
        second = different[again_there].iloc[0]
        same = (different[keys] == second[keys]).all(axis=1)
        first = different[same].iloc[0]
        files = [folder.run(fit).predictions for fit in (first["fit"], second["fit"])]
        what = f"{second['dataset']} {split} {second['task']} {second['image_id']}"
        yield (
            f"{files[1]} ({what}): {name} = {second[name]!r}; {files[0]} has "
            f"{first[name]!r}. One of them is damaged or was changed: remove the "
            "folder of that run, and run the benchmark again."
        )
