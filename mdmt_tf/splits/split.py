"""Which image is on which side: train, validation, test. No TensorFlow.

A patient is known by dataset and patient_id, and is on one side only. A split is a pure
function of the tables and the settings: neither the order of the rows nor the presence
of other datasets changes the sides of a dataset. Frozen to `split.json` with a hash.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.config.schema import SplitSection
from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.splits import files, folds, sites
from mdmt_tf.splits.files import PARTS, SIDES, Lists
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """The images of each part of each dataset.

    Attributes:
        kind: kfold, leave_one_site_out or file.
        fold: its number.
        folds: how many there are; None where the lists came from a file.
        seed: of the shuffling; None where the lists came from a file.
        validation_fraction: asked for, where a share is drawn; else None.
        sites: dataset -> the site left out, in leave_one_site_out; else empty.
        file: path of the lists, where they came from a file; else None.
        datasets: dataset -> part -> image_ids, ascending. The parts are train,
            validation, test, and excluded for images that are on no side.
    """

    kind: str
    fold: int
    folds: int | None = None
    seed: int | None = None
    validation_fraction: float | None = None
    sites: Mapping[str, str] = dataclasses.field(default_factory=dict)
    file: str | None = None
    datasets: Lists

    @property
    def hash(self) -> str:
        """SHA-256 of the lists, whatever made them."""
        text = json.dumps(
            {
                name: {part: sorted(parts.get(part, ())) for part in PARTS}
                for name, parts in self.datasets.items()
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=True,
        )
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def only(self, names: Collection[str]) -> "Split":
        """The same split without the datasets that are not named."""
        return dataclasses.replace(
            self,
            sites={name: site for name, site in self.sites.items() if name in names},
            datasets={name: self.datasets[name] for name in names},
        )

    def write(self, path: Path) -> None:
        """Write `split.json`."""
        plain = {**dataclasses.asdict(self), "hash": self.hash}
        text = json.dumps(plain, indent=1, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Split":
        """Read what `write` has written.

        Raises: DataError when the file cannot be read, is no split, or its lists do not
            have the hash that it states.
        """
        plain = files.read_json(path)
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [key for key in ("kind", "fold", "hash") if key not in plain]
        if missing:
            raise DataError(
                f"{path}: no split.json of mdmt_tf, it lacks {', '.join(missing)}. For "
                "lists of your own use split.kind=file split.file=PATH."
            )
        split = cls(**{name: plain[name] for name in names if name in plain})
        _verify(split, plain["hash"], path)
        return split

    def check_leakage(self, tables: Mapping[str, Table]) -> None:
        """Make sure that no patient is on two sides.

        Args:
            tables: dataset -> fields, with all images of the lists.
        Raises: LeakageError naming the patient, the sides and the images; DataError for
            an image that is unknown, on no list, or on two.
        """
        for name, parts in self.datasets.items():
            if name not in tables:
                raise DataError(
                    f"{self.source}: has lists for dataset {name!r}, which is not "
                    f"among the datasets: {', '.join(tables)}."
                )
            table = tables[name]
            part_of = files.assign(name, parts, table["image_id"], self.source)
            sides: dict[str, dict[str, list[str]]] = {}
            for image, patient, part in zip(
                table["image_id"], table["patient_id"], part_of, strict=True
            ):
                if part in SIDES:
                    sides.setdefault(patient, {}).setdefault(part, []).append(image)
            torn = sorted(patient for patient, has in sides.items() if len(has) > 1)
            if torn:
                found = "; ".join(
                    f"{part}: {files.some(sorted(images))}"
                    for part, images in sorted(sides[torn[0]].items())
                )
                count = len(sides[torn[0]])
                raise LeakageError(
                    f"{self.source}: patient {torn[0]!r} of dataset {name!r} is on "
                    f"{count} sides ({found}); {len(torn)} such patients. All images "
                    "of a patient must be in one part."
                )

    @property
    def source(self) -> str:
        return str(self.file) if self.file else f"split {self.kind}, fold {self.fold}"


def make_split(
    tables: Mapping[str, Table], tasks: Sequence[Task], settings: SplitSection
) -> Split:
    """Make or read the split that the settings ask for, and check it.

    kfold: in each dataset by itself the patients are put into folds, stratified by the
    classes of the tasks that the dataset feeds. Test is `fold`; validation the next, or
    a share of the patients of all others, drawn with the same strata.

    leave_one_site_out: see `mdmt_tf.splits.sites`. A dataset of which no site is left
    out has no test part.

    file: the lists in `file`, see `files.read`. Their own `fold`, where they
    state one, goes before that of the settings.

    Args:
        tables: dataset -> fields, among them image_id, patient_id, site.
        tasks: which labels the strata are made of.
        settings: section `split` of the configuration.
    Raises: DataError for a fold that does not exist, too few patients, a part without
        any image, or lists that do not fit the data; LeakageError for a patient on two
        sides.
    """
    by = settings.stratify_by
    tasks = [task for task in tasks if task.name in by] if by else tasks
    if settings.kind == "file":
        split, lists_test = _from_file(tables, settings)
    elif settings.kind == "kfold":
        split = _kfold(tables, tasks, settings)
    else:
        grouped = sites.grouped(tables, settings.site_groups)
        combinations = sites.combinations(grouped, settings.leave_out, settings.combine)
        sites.check_fold(settings.fold, combinations)
        left_out = combinations[settings.fold]
        part_of = {
            name: sites.part_of_rows(name, table, tasks, left_out.get(name), settings)
            for name, table in grouped.items()
        }
        split = Split(
            kind=settings.kind,
            fold=settings.fold,
            folds=len(combinations),
            seed=settings.seed,
            validation_fraction=settings.validation_fraction,
            sites=left_out,
            datasets=_lists(tables, part_of),
        )
    split.check_leakage(tables)
    for part in SIDES:
        # Lists may be for more datasets than are used here: of a split that leaves out
        # a site of one dataset, a fit on another one has nothing to be tested on.
        if part == "test" and settings.kind == "file" and lists_test:
            continue
        if not any(parts[part] for parts in split.datasets.values()):
            raise DataError(
                f"{split.source}: the {part} part holds no image of any dataset."
            )
    return split


def count_folds(tables: Mapping[str, Table], settings: SplitSection) -> int:
    """How many folds the settings make.

    Args: as for `make_split`.
    Raises: DataError as `make_split`.
    """
    if settings.kind == "kfold":
        return settings.folds
    if settings.kind == "file":
        return 1
    grouped = sites.grouped(tables, settings.site_groups)
    return len(sites.combinations(grouped, settings.leave_out, settings.combine))


def _kfold(tables, tasks, settings) -> Split:
    if not 0 <= settings.fold < settings.folds:
        raise DataError(
            f"split.fold = {settings.fold}: there is no such fold; with split.folds = "
            f"{settings.folds} they are 0 to {settings.folds - 1}."
        )
    part_of = {}
    for name, table in tables.items():
        fold_of = folds.assign_folds(
            name, table, tasks, settings.folds, seed=settings.seed
        )
        part_of[name] = np.full(len(fold_of), "train", object)
        if settings.validation == "next_fold":
            chosen = fold_of == (settings.fold + 1) % settings.folds
        else:
            chosen = _drawn(name, table, tasks, fold_of != settings.fold, settings)
        part_of[name][chosen] = "validation"
        part_of[name][fold_of == settings.fold] = "test"
    return Split(
        kind=settings.kind,
        fold=settings.fold,
        folds=settings.folds,
        seed=settings.seed,
        validation_fraction=(
            settings.validation_fraction if settings.validation == "fraction" else None
        ),
        datasets=_lists(tables, part_of),
    )


def _drawn(name, table, tasks, others: np.ndarray, settings) -> np.ndarray:
    """bool (n,): the share for validation of the rows `others`, by patients."""
    rows = np.flatnonzero(others)
    remaining = {key: np.asarray(values)[rows] for key, values in table.items()}
    chosen = folds.choose_patients(
        name, remaining, tasks, settings.validation_fraction, seed=settings.seed
    )
    result = np.zeros(len(others), bool)
    result[rows] = chosen
    return result


def _lists(tables, part_of) -> Lists:
    """dataset -> part -> image_ids, from the part of each row of each table."""
    return {
        name: {
            part: sorted(str(i) for i in tables[name]["image_id"][parts == part])
            for part in PARTS
        }
        for name, parts in part_of.items()
    }


def _from_file(tables, settings) -> tuple[Split, bool]:
    """The split of the datasets used, and whether the file tests any dataset at all."""
    if settings.file is None:
        raise DataError("split.kind = file needs split.file, the path of the lists.")
    lists, plain = files.read(settings.file)
    split = Split(
        kind="file",
        fold=plain.get("fold", settings.fold),
        file=str(settings.file),
        datasets=lists,
    )
    if "hash" in plain:
        _verify(split, plain["hash"], settings.file)
    missing = [name for name in tables if name not in lists]
    if missing:
        raise DataError(
            f"{settings.file}: no lists for dataset {missing[0]!r}. It has lists for "
            f"{', '.join(lists)}."
        )
    ordered = {name: {part: lists[name][part] for part in PARTS} for name in tables}
    lists_test = any(parts["test"] for parts in lists.values())
    return dataclasses.replace(split, datasets=ordered), lists_test


def _verify(split: Split, stated: str, path) -> None:
    if split.hash != stated:
        raise DataError(
            f"{path}: the lists do not have the hash that the file states (expected "
            f"{stated}, received {split.hash}): they were changed after they were "
            "written. Restore the file, or remove `hash` and read it with "
            "split.kind=file if the change was meant."
        )
