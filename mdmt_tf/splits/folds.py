"""Divide patients into stratified groups, independent of the order of their rows."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table, task_labels

# Rare strata that a message names; of several tasks there may be a hundred.
_MOST_NAMED = 5
_HINT = (
    " Combinations of several tasks are rare, and the classes of each are then not "
    "divided evenly: name the most important ones in split.stratify_by."
)

# In these releases of scikit-learn (one is the last for Python 3.10), grouped folds
# lose their stratification when they are shuffled.
_UNDONE_BY_SHUFFLING = ("1.4.", "1.5.", "1.6.", "1.7.")


def strata(dataset: str, table: Table, tasks: Sequence[Task]) -> np.ndarray:
    """The stratum of each row, as text such as "prognosis=severe".

    It joins the strata of all tasks that the dataset feeds, see `Task.strata`.

    Returns: array of str (n,).

    Example:
        >>> from mdmt_tf import config
        >>> task = config.load("phantom").build_tasks()[0]
        >>> table = {"image_id": np.array(["a", "b"]), "prognosis": np.array([1, -1])}
        >>> strata("aiforcovid", table, [task]).tolist()
        ['prognosis=severe', 'prognosis=unknown']
    """
    of_tasks = [np.full(len(table["image_id"]), "", object)]
    for task in tasks:
        if dataset not in task.sources:
            continue
        words = task.strata(task_labels(dataset, table, task))
        of_tasks.append(np.array([f"{task.name}={word}" for word in words], object))
    rows = zip(*of_tasks, strict=True)
    return np.array([" ".join(filter(None, row)) for row in rows])


def by_dataset(
    tables: Mapping[str, Table], values: np.ndarray
) -> dict[str, np.ndarray]:
    """Cut values of the rows of all tables, one table after another.

    Example:
        >>> tables = {"a": {"image_id": ["x"]}, "b": {"image_id": ["y", "z"]}}
        >>> by_dataset(tables, np.arange(3))
        {'a': array([0]), 'b': array([1, 2])}
    """
    counts = [len(table["image_id"]) for table in tables.values()]
    return dict(zip(tables, np.split(values, np.cumsum(counts)[:-1]), strict=True))


def only_rows(tables: Mapping[str, Table], chosen: np.ndarray) -> dict[str, Table]:
    """The tables with the chosen rows; of several, those without any are left out.

    Args:
        chosen: bool, for the rows of all tables, one table after another.

    Example:
        >>> tables = {"a": {"image_id": ["x"]}, "b": {"image_id": ["y", "z"]}}
        >>> found = only_rows(tables, np.array([False, False, True]))
        >>> {name: table["image_id"].tolist() for name, table in found.items()}
        {'b': ['z']}
    """
    return {
        name: {key: np.asarray(values)[own] for key, values in tables[name].items()}
        for name, own in by_dataset(tables, chosen).items()
        if own.any() or len(tables) == 1
    }


def _named(tables: Mapping[str, Table]) -> str:
    several = "s" if len(tables) > 1 else ""
    return f"dataset{several} {' and '.join(map(repr, tables))}"


def _joined(
    tables: Mapping[str, Table], tasks: Sequence[Task]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """image_id, patient_id and stratum of the rows of all tables, as text."""
    ids, patients, of_rows = [], [], []
    for name, table in tables.items():
        # Each dataset is divided evenly.
        mark = f"{name}: " if len(tables) > 1 else ""
        ids += [f"{mark}{image}" for image in table["image_id"]]
        patients += [str(patient) for patient in table["patient_id"]]
        of_rows += [f"{mark}{stratum}" for stratum in strata(name, table, tasks)]
    return np.array(ids, str), np.array(patients, str), np.array(of_rows, str)


def assign_folds(
    tables: Mapping[str, Table], tasks: Sequence[Task], n_folds: int, *, seed: int
) -> np.ndarray:
    """The fold of each image, int (n,), 0 to n_folds - 1.

    Folds are stratified, and all images of a patient are in one fold. A class with
    fewer patients than folds gives a `DataWarning`, because some folds lack it.

    Args:
        tables: dataset -> fields; of several datasets if equal ids are one patient.
        tasks: tasks whose labels make the strata.
    Returns: for the rows of all tables, one table after another.
    Raises: DataError when there are fewer patients than folds, or a fold is empty.

    Example:
        >>> images, patients = np.array(list("abcd")), np.array(list("ppqr"))
        >>> table = {"image_id": images, "patient_id": patients}
        >>> fold_of = assign_folds({"cxr": table}, [], 3, seed=0)
        >>> bool(fold_of[0] == fold_of[1]), sorted(set(fold_of.tolist()))
        (True, [0, 1, 2])
    """
    import sklearn
    from sklearn.model_selection import StratifiedGroupKFold

    # The order of the rows might influence scikit-learn, so they are sorted.
    ids, patients, of_rows = _joined(tables, tasks)
    by_id = np.argsort(ids, kind="stable")
    patients = np.unique(patients[by_id], return_inverse=True)[1]
    n_patients = len(np.unique(patients))
    if n_patients < n_folds:
        raise DataError(
            f"{_named(tables)}: {n_patients} patients; {n_folds} folds need at "
            f"least {n_folds}. Lower split.folds."
        )
    names, stratum = np.unique(of_rows[by_id], return_inverse=True)
    pairs = np.unique(np.stack([stratum, patients]), axis=1)
    patients_of = np.bincount(pairs[0], minlength=len(names))
    rare = [
        f"{name} ({count})"
        for name, count in zip(names, patients_of, strict=True)
        if name and count < n_folds
    ]
    if rare:
        more = len(rare) - _MOST_NAMED
        named = ", ".join(rare[:_MOST_NAMED])
        named += f" and {more} more" if more > 0 else ""
        hint = _HINT if _is_of_several(tables, tasks) else ""
        warnings.warn(
            f"{_named(tables)}: fewer patients than the {n_folds} folds have {named}; "
            f"not every fold gets one.{hint}",
            DataWarning,
            stacklevel=2,
        )
    # Rare strata are merged: scikit-learn refuses when each is smaller than n_folds.
    stratum[np.bincount(stratum)[stratum] < n_folds] = len(names)
    fold_of = np.empty(len(patients), np.int64)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    if sklearn.__version__.startswith(_UNDONE_BY_SHUFFLING):
        # Ties between similar patients are broken by number, so shuffle the numbers.
        splitter = StratifiedGroupKFold(n_folds)
        patients = np.random.default_rng(seed).permutation(n_patients)[patients]
    with warnings.catch_warnings():
        # scikit-learn warns of rare classes, too, but does not name them.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, rows) in enumerate(splitter.split(patients, stratum, patients)):
            fold_of[by_id[rows]] = number
    sizes = np.bincount(fold_of, minlength=n_folds)
    if not sizes.all():
        raise DataError(
            f"{_named(tables)}: fold {int(sizes.argmin())} of {n_folds} is empty; "
            "few patients have most of the images. Lower split.folds."
        )
    return fold_of


def _is_of_several(tables: Mapping[str, Table], tasks: Sequence[Task]) -> bool:
    """Whether strata of a dataset are combinations of several tasks."""
    return any(sum(name in task.sources for task in tasks) > 1 for name in tables)


def choose_patients(
    tables: Mapping[str, Table], tasks: Sequence[Task], fraction: float, *, seed: int
) -> np.ndarray:
    """Draw a fraction of the patients, stratified by their most frequent stratum.

    Args:
        tables, tasks: see `assign_folds`.
        fraction: above 0 and below 1. This fraction of all patients is drawn, rounded,
            at least one and not all. The fraction of each stratum is the same, rounded
            up or down.
        seed: seed of the draw.
    Returns: bool (n,), True for all images of a drawn patient.
    Raises: DataError when there are fewer than two patients.

    Example:
        >>> images, patients = np.array(list("abcd")), np.array(list("pqrs"))
        >>> table = {"image_id": images, "patient_id": patients}
        >>> int(choose_patients({"cxr": table}, [], 0.5, seed=0).sum())
        2
    """
    _, patients, of_rows = _joined(tables, tasks)
    patients = np.unique(patients, return_inverse=True)[1]
    stratum = np.unique(of_rows, return_inverse=True)[1]
    counts = np.zeros((patients.max(initial=-1) + 1, stratum.max(initial=0) + 1), int)
    np.add.at(counts, (patients, stratum), 1)
    n_patients = len(counts)
    if n_patients < 2:
        raise DataError(
            f"{_named(tables)}: {n_patients} patients remain for training and "
            "validation; expected two or more, one for each."
        )
    wanted = int(np.clip(np.rint(fraction * n_patients), 1, n_patients - 1))
    generator = np.random.default_rng(seed)
    order = generator.permutation(n_patients)
    order = order[np.argsort(counts.argmax(axis=1)[order], kind="stable")]
    # Take every (n_patients / wanted)-th patient in the order of strata, from a random
    # start. Integer arithmetic draws exactly `wanted` patients.
    marks = np.arange(n_patients + 1) * wanted + generator.integers(n_patients)
    drawn = np.zeros(n_patients, bool)
    drawn[order] = np.diff(marks // n_patients) > 0
    return drawn[patients]
