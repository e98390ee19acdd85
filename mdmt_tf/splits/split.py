"""Which image is in which split: train, validation, test.

A patient is identified by dataset and patient_id, and is in one split only. In datasets
that declare the same patients, equal ids are one patient, see `mdmt_tf.splits.shared`.
The lists are a pure function of the tables and the settings. Neither the order of the
rows nor the presence of datasets with other patients changes the lists of a dataset.
They are written to `split.json` with a hash.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, LeakageError
from mdmt_tf.splits import auxiliary, files, folds, shared, sites
from mdmt_tf.splits.files import LISTS, SPLITS, Lists
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.storage import write_text
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table

logger = logging.getLogger(__name__)

# Which fold is the validation split, counted from the tested one.
_NEIGHBOURS = {"next_fold": 1, "previous_fold": -1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """The images of each dataset by split.

    Attributes:
        kind: kfold, leave_one_site_out or file.
        fold: number of the fold; fold // folds is the repeat of a kfold.
        folds: number of folds of one division; None if the lists are from a file.
        seed: seed of the shuffling of this division; None if the lists are from a file.
        validation_fraction: fraction of the patients drawn for validation; None if
            none are drawn.
        sites: dataset -> the site left out by leave_one_site_out; otherwise empty.
        file: path of the lists if they are from a file; otherwise None.
        patients: dataset -> the declared name of its patients, see
            `mdmt_tf.splits.shared`.
        datasets: dataset -> split -> image_ids, ascending. The splits are train,
            validation, test, and excluded for images that are in none of these.
    """

    kind: str
    fold: int
    folds: int | None = None
    seed: int | None = None
    validation_fraction: float | None = None
    sites: Mapping[str, str] = dataclasses.field(default_factory=dict)
    file: str | None = None
    patients: Mapping[str, str] = dataclasses.field(default_factory=dict)
    datasets: Lists

    @property
    def hash(self) -> str:
        """SHA-256 of the lists alone."""
        text = json.dumps(
            {
                name: {split: sorted(lists.get(split, ())) for split in LISTS}
                for name, lists in self.datasets.items()
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=True,
        )
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def only(self, names: Collection[str]) -> "Split":
        """The same split with the named datasets only."""
        return dataclasses.replace(
            self,
            sites={name: site for name, site in self.sites.items() if name in names},
            datasets={name: self.datasets[name] for name in names},
        )

    def write(self, path: Path) -> None:
        """Write `split.json`."""
        plain = {**dataclasses.asdict(self), "hash": self.hash}
        text = json.dumps(plain, indent=1, ensure_ascii=False)
        write_text(path, text + "\n")

    @classmethod
    def read(cls, path: Path) -> "Split":
        """Read a file that `write` has written.

        Raises: DataError when the file cannot be read, is not a split, or its lists do
            not have the hash that it states.
        """
        plain = files.read_json(path)
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [key for key in ("kind", "fold", "hash") if key not in plain]
        if missing:
            raise DataError(
                f"{path}: not a split.json of mdmt_tf, it lacks {', '.join(missing)}. "
                "For lists of your own use split.kind=file split.file=PATH."
            )
        split = cls(**{name: plain[name] for name in names if name in plain})
        _verify(split, plain["hash"], path)
        return split

    def check_leakage(self, tables: Mapping[str, Table]) -> None:
        """Make sure that no patient is in two splits.

        Args:
            tables: dataset -> fields, with all images of the lists.
        Raises: LeakageError that names the patient, the splits and the images;
            DataError for an image that is unknown, on no list, or on two.
        """
        for name in self.datasets:
            if name not in tables:
                raise DataError(
                    f"{self.source}: has lists for dataset {name!r}, which is not "
                    f"among the datasets: {', '.join(tables)}."
                )
        for names in shared.groups(self.datasets, self.patients):
            found = self._images_of_patients({name: tables[name] for name in names})
            leaking = sorted(patient for patient, has in found.items() if len(has) > 1)
            if leaking:
                images_of = found[leaking[0]]
                where = "; ".join(
                    f"{split}: {files.some(sorted(images))}"
                    for split, images in sorted(images_of.items())
                )
                raise LeakageError(
                    f"{self.source}: patient {leaking[0]!r} of dataset "
                    f"{' and '.join(map(repr, names))} is in "
                    f"{len(images_of)} splits ({where}); {len(leaking)} such patients. "
                    "All images of a patient must be in one split."
                )

    def _images_of_patients(
        self, tables: Mapping[str, Table]
    ) -> dict[str, dict[str, list[str]]]:
        """patient -> split -> images, of datasets with the same patients."""
        found: dict[str, dict[str, list[str]]] = {}
        for name, table in tables.items():
            lists = self.datasets[name]
            split_of = files.assign(name, lists, table["image_id"], self.source)
            mark = f"{name}/" if len(tables) > 1 else ""
            for image, patient, split in zip(
                table["image_id"], table["patient_id"], split_of, strict=True
            ):
                if split in SPLITS:
                    of_patient = found.setdefault(str(patient), {})
                    of_patient.setdefault(split, []).append(f"{mark}{image}")
        return found

    @property
    def source(self) -> str:
        return str(self.file) if self.file else f"split {self.kind}, fold {self.fold}"


def make_split(
    tables: Mapping[str, Table], tasks: Sequence[Task], settings: SplitSettings
) -> Split:
    """Make or read the lists of a fold, and check them.

    kfold: the patients of each dataset are divided into folds, stratified by the
    classes of the tasks that the dataset feeds. `fold` is the test split. The
    validation split is the next or the previous fold, or a fraction of the patients of
    all other folds, drawn with the same strata. With `repeats`, the patients are
    divided several times, with a seed each; the folds of a division follow those of
    the one before.

    leave_one_site_out: see `mdmt_tf.splits.sites`. A dataset without a site left out
    has no test split.

    Auxiliary datasets have the same lists in every fold, see `auxiliary.split_of_rows`,
    unless a file has lists for them.

    file: the lists in `file`, see `files.read`; `{fold}` in the path is the number of
    the fold. A `fold` stated in the file takes precedence over that of the settings.

    Args:
        tables: dataset -> fields, among them image_id, patient_id, site.
        tasks: tasks whose labels make the strata.
        settings: how to split.
    Raises: DataError for a fold that does not exist, too few patients, a split
        without any image, or lists that do not fit the data; LeakageError for a patient
        in two splits.

    Example:
        >>> ids = np.array(list("abcdef"))
        >>> table = {"image_id": ids, "patient_id": ids}
        >>> split = make_split({"cxr": table}, [], SplitSettings(folds=3, fold=1))
        >>> {name: len(images) for name, images in split.datasets["cxr"].items()}
        {'train': 2, 'validation': 2, 'test': 2, 'excluded': 0}
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
        split_of = _auxiliary(grouped, settings)
        for group in _divided_together(grouped, settings):
            fraction, seed = settings.validation_fraction, settings.seed
            split_of |= sites.split_of_rows(group, tasks, left_out, fraction, seed)
        split = Split(
            kind=settings.kind,
            fold=settings.fold,
            folds=len(combinations),
            seed=settings.seed,
            validation_fraction=settings.validation_fraction,
            sites=left_out,
            datasets=_lists(tables, split_of),
        )
    patients = {n: p for n, p in settings.patients.items() if n in split.datasets}
    split = dataclasses.replace(split, patients=patients)
    split.check_leakage(tables)
    divided = {n: own for n, own in tables.items() if n not in settings.auxiliary}
    shared.warn_of_common_ids(divided, split.datasets, patients)
    for name in SPLITS:
        # Lists may be for more datasets than are used here. If the tested site is in
        # another dataset, the test split of this fit is empty.
        if name == "test" and settings.kind == "file" and lists_test:
            continue
        if not any(lists[name] for lists in split.datasets.values()):
            raise DataError(
                f"{split.source}: the {name} split holds no image of any dataset."
            )
    return split


def count_folds(tables: Mapping[str, Table], settings: SplitSettings) -> int:
    """The number of folds of the settings.

    Args: as for `make_split`.
    Raises: DataError as `make_split`.

    Example:
        >>> sites = {"site": np.array(["Milan", "Pavia", "Milan", "Bari"])}
        >>> settings = SplitSettings(kind="leave_one_site_out", leave_out=["cxr"])
        >>> count_folds({"cxr": sites}, settings)
        3
    """
    if settings.kind == "kfold":
        return settings.folds * settings.repeats
    if settings.kind == "file":
        return files.count(_path_of(settings))
    grouped = sites.grouped(tables, settings.site_groups)
    return len(sites.combinations(grouped, settings.leave_out, settings.combine))


def _kfold(tables, tasks, settings) -> Split:
    count = settings.folds * settings.repeats
    if not 0 <= settings.fold < count:
        times = f" and split.repeats = {settings.repeats}"
        raise DataError(
            f"split.fold = {settings.fold}: there is no such fold; with split.folds = "
            f"{settings.folds}{times if settings.repeats > 1 else ''} they are 0 to "
            f"{count - 1}."
        )
    repeat, tested = divmod(settings.fold, settings.folds)
    seed = settings.seed + repeat
    split_of = _auxiliary(tables, settings)
    for group in _divided_together(tables, settings):
        fold_of = folds.assign_folds(group, tasks, settings.folds, seed=seed)
        of_rows = np.full(len(fold_of), "train", object)
        if settings.validation in _NEIGHBOURS:
            neighbour = tested + _NEIGHBOURS[settings.validation]
            chosen = fold_of == neighbour % settings.folds
        else:
            fraction = settings.validation_fraction
            chosen = _drawn(group, tasks, fold_of != tested, fraction, seed)
        of_rows[chosen] = "validation"
        of_rows[fold_of == tested] = "test"
        split_of |= folds.by_dataset(group, of_rows)
    return Split(
        kind=settings.kind,
        fold=settings.fold,
        folds=settings.folds,
        seed=seed,
        validation_fraction=(
            settings.validation_fraction if settings.validation == "fraction" else None
        ),
        datasets=_lists(tables, split_of),
    )


def _auxiliary(tables, settings: SplitSettings) -> dict[str, np.ndarray]:
    """The split of each row of the auxiliary datasets."""
    return {
        name: auxiliary.split_of_rows(name, table)
        for name, table in tables.items()
        if name in settings.auxiliary
    }


def _divided_together(tables, settings: SplitSettings) -> list[dict[str, Table]]:
    """The tables that folds divide, those with the same patients together."""
    names = [name for name in tables if name not in settings.auxiliary]
    together = shared.groups(names, settings.patients)
    return [{name: tables[name] for name in group} for group in together]


def _drawn(group, tasks, others: np.ndarray, fraction, seed) -> np.ndarray:
    """bool (n,): rows of `others` for validation, whole patients."""
    remaining = folds.only_rows(group, others)
    result = np.zeros(len(others), bool)
    result[others] = folds.choose_patients(remaining, tasks, fraction, seed=seed)
    return result


def _lists(tables, split_of) -> Lists:
    """dataset -> split -> image_ids, from the split of each row of each table."""
    return {
        name: {
            split: sorted(str(i) for i in table["image_id"][split_of[name] == split])
            for split in LISTS
        }
        for name, table in tables.items()
        if name in split_of
    }


def _from_file(tables, settings) -> tuple[Split, bool]:
    """The split of the used datasets, and whether the file tests any dataset at all."""
    path = files.of_fold(_path_of(settings), settings.fold)
    lists, plain = files.read(path)
    split = Split(
        kind="file",
        fold=plain.get("fold", settings.fold),
        file=path,
        datasets=lists,
    )
    if path != settings.file and split.fold != settings.fold:
        raise DataError(
            f"{path}: states fold {split.fold}, but its name is that of fold "
            f"{settings.fold}. Rename the file, or remove `fold` from it."
        )
    if "hash" in plain:
        _verify(split, plain["hash"], path)
    missing = [name for name in tables if name not in lists]
    fixed = {
        name: auxiliary.split_of_rows(name, tables[name])
        for name in missing
        if name in settings.auxiliary
    }
    lists = {**lists, **_lists(tables, fixed)}
    missing = [name for name in missing if name not in fixed]
    if missing:
        raise DataError(
            f"{path}: no lists for dataset {missing[0]!r}. It has lists for "
            f"{', '.join(lists)}."
        )
    ordered = {
        name: files.in_spelling(
            {key: lists[name][key] for key in LISTS}, tables[name]["image_id"]
        )
        for name in tables
    }
    lists_test = any(of_dataset["test"] for of_dataset in lists.values())
    return dataclasses.replace(split, datasets=ordered), lists_test


def _path_of(settings: SplitSettings) -> str:
    if settings.file is None:
        raise DataError("split.kind = file needs split.file, the path of the lists.")
    return str(settings.file)


def _verify(split: Split, stated: str, path) -> None:
    if split.hash != stated:
        raise DataError(
            f"{path}: the lists do not have the hash that the file states (expected "
            f"{stated}, received {split.hash}): they were changed after they were "
            "written. Restore the file, or remove `hash` and read it with "
            "split.kind=file if the change was intended."
        )
